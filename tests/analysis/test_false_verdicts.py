"""How often compare gives a wrong verdict, in seeded simulations with a known truth.

The noise is the noise of a real machine: 0.3 % between samples of a round, and 1 % between rounds
(log-normal). A round value is the median of 20 samples. A run has 10 rounds.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compare_rows import around, row, run_cli, write
from numpy.typing import NDArray
from scipy import stats

from membench.analysis.comparison import compare
from membench.analysis.figure import Basis, CaseRuns
from membench.analysis.finding import CasePair, find
from membench.analysis.sides import make_sides
from membench.analysis.sources import Source
from membench.analysis.statistics import estimate, estimates
from membench.analysis.verdict import Verdict
from membench.core.terms import BETTER, Better, Metric, Stat, Status, Tier
from membench.results.compact.row import Measurement, of_row
from membench.results.table import read_rows

PAIRS = 10_000
WITHIN, BETWEEN = 0.003, 0.01
THRESHOLD = 0.03


def simulated(
    rng: np.random.Generator, rounds: int, shift: float = 1.0, between: float = BETWEEN
) -> NDArray[np.float64]:
    """Round values of `PAIRS` runs, of shape (PAIRS, rounds)."""
    offsets = rng.normal(0, between, (PAIRS, rounds))
    # The standard error of the median of 20 normal samples is 1.25 / sqrt(20) of their deviation.
    medians = rng.normal(0, WITHIN * math.sqrt(math.pi / 2 / 20), (PAIRS, rounds))
    values: NDArray[np.float64] = 100 * shift * np.exp(offsets + medians)
    return values


def verdicts(
    first: NDArray[np.float64], second: NDArray[np.float64], basis: Basis = Basis.ROUNDS
) -> Counter[Verdict]:
    one = of_row(row((1.0,)))
    pairs = [
        CasePair(CaseRuns((one,), basis, tuple(a)), CaseRuns((one,), basis, tuple(b)), THRESHOLD)
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return Counter(finding.verdict for finding in find(pairs))


def test_at_most_one_in_a_thousand_is_called_different_that_is_not() -> None:
    rng = np.random.default_rng(20260101)
    counts = verdicts(simulated(rng, 10), simulated(rng, 10))
    assert counts.total() == PAIRS
    wrong = counts[Verdict.BETTER] + counts[Verdict.WORSE]
    assert wrong / PAIRS <= 0.001
    assert counts[Verdict.SAME] / PAIRS > 0.95


@pytest.mark.slow
def test_a_shift_of_five_percent_is_found_in_nineteen_of_twenty() -> None:
    rng = np.random.default_rng(20260102)
    counts = verdicts(simulated(rng, 10), simulated(rng, 10, shift=1.05))
    assert counts[Verdict.BETTER] / PAIRS >= 0.95
    assert counts[Verdict.WORSE] == 0
    counts = verdicts(simulated(rng, 10), simulated(rng, 10, shift=1 / 1.05))
    assert counts[Verdict.WORSE] / PAIRS >= 0.95


@pytest.mark.slow
def test_more_noise_gives_unclear_and_no_alarms() -> None:
    rng = np.random.default_rng(20260103)
    counts = verdicts(simulated(rng, 5, between=0.03), simulated(rng, 5, between=0.03))
    assert (counts[Verdict.BETTER] + counts[Verdict.WORSE]) / PAIRS <= 0.002
    assert counts[Verdict.UNCLEAR] / PAIRS > 0.9


def test_runs_as_clusters_keep_the_promise_that_pooled_rounds_would_break() -> None:
    """Each run has its own offset, so five runs per side are five independent values, not fifty."""
    rng = np.random.default_rng(20260104)
    offsets = np.exp(rng.normal(0, 0.03, (2, 2000, 5, 1)))
    rounds = 100 * offsets * np.exp(rng.normal(0, 0.003, (2, 2000, 5, 10)))
    by_run = np.median(rounds, axis=3)
    honest = verdicts(by_run[0], by_run[1], Basis.RUNS)
    pooled = verdicts(rounds[0].reshape(2000, 50), rounds[1].reshape(2000, 50))
    wrong, naive = (
        (one[Verdict.BETTER] + one[Verdict.WORSE]) / one.total() for one in (honest, pooled)
    )
    assert wrong <= 0.003
    assert naive > 10 * max(wrong, 0.001)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (10, 10), (25, 30), (300, 280)])
def test_many_at_once_are_what_each_is_alone(n: int, m: int) -> None:
    rng = np.random.default_rng(5)
    firsts, seconds = np.exp(rng.normal(0, 0.1, (7, n))), np.exp(rng.normal(0.1, 0.1, (7, m)))
    together = estimates(firsts.tolist(), seconds.tolist())
    alone = [estimate(a, b) for a, b in zip(firsts.tolist(), seconds.tolist(), strict=True)]
    assert together == alone
    differences = np.log(seconds)[:, :, None] - np.log(firsts)[:, None, :]
    for one, all_of_them in zip(together, differences.reshape(7, -1), strict=True):
        assert one.log_ratio == pytest.approx(np.median(all_of_them), abs=1e-12)


def test_many_values_with_ties_are_looked_up_right() -> None:
    """Most of the 40000 pairwise differences are equal."""
    a, b = [1.0] * 150 + [2.0] * 50, [1.0] * 199 + [3.0]
    one = estimate(a, b)
    assert one.log_interval is not None
    differences = np.sort(np.subtract.outer(np.log(b), np.log(a)).ravel())
    assert one.log_ratio == np.median(differences)
    low = stats.norm.ppf(0.025) * math.sqrt(200 * 200 * 401 / 12) + 200 * 200 / 2
    assert one.log_interval[0] == differences[math.floor(low) - 1]


def everything(factor: float) -> list[Measurement]:
    """Rows of every tier, metric and statistic, ``factor`` times as good as the value 50."""
    made = []
    for tier in Tier:
        for metric, better in BETTER.items():
            for stat in (Stat.MEDIAN, Stat.P99):
                center = 50 * (factor if better is Better.HIGHER else 1 / factor)
                one = row(around(center, 0.01, 10), f"{tier}/x", metric=metric)
                made.append(of_row(replace(one, tier=tier, stat=stat, run_id=f"r{factor}")))
    return made


def test_twice_as_good_everywhere_is_better_everywhere_and_swapped_worse() -> None:
    sources = {
        name: Source(Path(f"{name}.csv"), tuple(everything(factor)))
        for name, factor in (("old", 1.0), ("new", 2.0))
    }
    for first, second, expected in (
        ("old", "new", Verdict.BETTER),
        ("new", "old", Verdict.WORSE),
    ):
        made = compare(make_sides([(first, sources[first]), (second, sources[second])]))
        assert len(made.matched) == len(Tier) * len(Metric) * 2
        assert made.counts(1) == {expected: len(made.matched)}


def test_a_real_file_against_itself_twice_as_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Uses the reference run of this repository, with every value twice as good."""
    (file,) = (Path(__file__).parents[2] / "results" / "reference").glob("epyc-zen4-2cpu-vm/*.csv")
    rows = [row for row in read_rows(file) if row.status is Status.OK]
    assert len(rows) > 100
    quiet = []
    for one in rows:
        better = 2.0 if one.better is Better.HIGHER else 0.5
        assert one.value is not None
        values = tuple(one.value * better * (1 + 0.001 * k) for k in range(-2, 3))
        quiet.append(
            replace(
                one,
                value=values[2],
                rounds=5,
                round_values=values,
                spread=0.001,
                samples=(),
                n=0,
                min=None,
                max=None,
                run_id="r2",
            )
        )
    same = [
        replace(
            one,
            value=of.value,
            run_id="r1",
            round_values=tuple(
                value / (2.0 if one.better is Better.HIGHER else 0.5) for value in one.round_values
            ),
        )
        for one, of in zip(quiet, rows, strict=True)
    ]
    old, new = write(tmp_path / "old.csv", *same), write(tmp_path / "new.csv", *quiet)
    gate = ("--fail-on", "worse,unclear,missing,n/a,failed")
    code, out, err = run_cli(capsys, old, new, *gate)
    assert (code, err) == (0, "")
    assert f"new against old: {len(rows)} rows: {len(rows)} better\n" in out
    code, out, err = run_cli(capsys, new, old, *gate)
    assert code == 3
    assert f"old against new: {len(rows)} rows: {len(rows)} worse\n" in out
    assert err == f"Found: {len(rows)} worse (--fail-on {gate[1]})\n"
