"""Paired runs in a comparison: the pairs of rounds, the estimates, and the error rates."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compare_rows import around, row, run_cli, write
from paired_noise import DRIFTS, THRESHOLD, paired_rounds, simulated

from membench.analysis.history.reading import read_history
from membench.analysis.in_turns import settle_pairs
from membench.analysis.signed_rank import paired_estimates
from membench.analysis.verdict import Reason
from membench.measure.options import FEWEST_PAIRS, PAIRS
from membench.results.schema import Row

A, B = "20260101T000000Z-aaaa", "20260101T000001Z-bbbb"


def side(path: Path, pair_id: str, run: str, *rows: Row) -> Path:
    """Write ``rows`` as the results file of one side of a paired run, and return the path."""
    write(path, *(replace(one, run_id=run) for one in rows))
    sidecar = {"schema": "membench.run/1", "pair_id": pair_id, "plan": {"run_id": run}}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def drifting(shift: float, count: int = 12) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """``count`` pairs of values that fall by a third.

    In each pair, the second value is larger by the share ``shift``.
    """
    first = tuple(100 / (1 + 0.5 * place / count) for place in range(count))
    second = tuple(value * (1 + shift) * (1 + 1e-4 * place) for place, value in enumerate(first))
    return first, second


def judged(capsys: pytest.CaptureFixture[str], *files: str | Path) -> dict[str, object]:
    code, out, err = run_cli(capsys, *files, "--format", "json")
    assert code == 0, err
    against: dict[str, object] = json.loads(out)["rows"][0]["labels"][1]["against_reference"]
    return against


def test_a_difference_below_the_drift_is_found_in_pairs_and_in_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = drifting(0.06)
    a = side(tmp_path / "o_a.csv", "p1", A, row(first))
    b = side(tmp_path / "o_b.csv", "p1", B, row(second))
    paired = judged(capsys, a, b)
    assert (paired["verdict"], paired["in_turns"], paired["n"]) == ("better", True, [12, 12])
    assert paired["ratio"] == pytest.approx(1.06, rel=1e-3)
    assert judged(capsys, b, a)["verdict"] == "worse"
    for path in (a, b):
        path.with_suffix(".json").unlink()
    apart = judged(capsys, a, b)
    assert (apart["verdict"], apart["in_turns"]) == ("unclear", False)


def test_the_screen_says_that_the_sides_were_measured_in_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = drifting(0.06)
    a = side(tmp_path / "o_a.csv", "p1", A, row(first))
    b = side(tmp_path / "o_b.csv", "p1", B, row(second))
    _, out, _ = run_cli(capsys, a, b)
    assert (
        "measured alternately and compared in pairs of rounds, so differences between runs" in out
    )
    assert "one run per side" not in out


def test_only_partners_are_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = drifting(0.06)
    a = side(tmp_path / "o_a.csv", "p1", A, row(first))
    b = side(tmp_path / "o_b.csv", "p2", B, row(second))
    assert judged(capsys, a, b)["in_turns"] is False
    alone = write(tmp_path / "alone.csv", row(second, run_id=B))
    assert judged(capsys, a, alone)["in_turns"] is False


def test_parts_of_one_side_are_no_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = drifting(0.06)
    rows = [row(first, "ddr/copy/stores=nt"), row(second, "ddr/copy/stores=plain")]
    a = side(tmp_path / "o_a.csv", "p1", A, *rows)
    assert judged(capsys, a, "--by", "stores")["in_turns"] is False


def test_other_versions_are_not_comparable_in_pairs_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = drifting(0.06)
    a = side(tmp_path / "o_a.csv", "p1", A, row(first))
    b = side(tmp_path / "o_b.csv", "p1", B, row(second, case_version=2))
    found = judged(capsys, a, b)
    assert (found["verdict"], found["reason"]) == ("n/a", "case-version")


def test_an_interrupted_side_has_the_pairs_that_are_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = drifting(0.06)
    a = side(tmp_path / "o_a.csv", "p1", A, row(first[:9]))
    b = side(tmp_path / "o_b.csv", "p1", B, row(second[:8]))
    found = judged(capsys, a, b)
    assert (found["verdict"], found["n"]) == ("better", [8, 8])


def test_several_paired_runs_are_put_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four pairs per run are too few for a verdict.

    The second run is half as fast on both sides.
    """
    first, second = drifting(0.06, 4)
    files: list[str | Path] = []
    for number, factor in enumerate((1.0, 0.5)):
        for name, values in (("a", first), ("b", second)):
            path = tmp_path / f"o{number}_{name}.csv"
            run = f"2026010{number + 1}T000000Z-000{name}"
            scaled = tuple(factor * value for value in values)
            files.append(f"{name}={side(path, f'p{number}', run, row(scaled))}")
    assert judged(capsys, *files[:2])["reason"] == "too-few-values"
    found = judged(capsys, *files)
    assert (found["verdict"], found["in_turns"], found["n"]) == ("better", True, [8, 8])


def test_a_sidecar_that_names_no_text_pairs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = side(tmp_path / "o_a.csv", "", A, row(around(100)))
    b = side(tmp_path / "o_b.csv", "", B, row(around(100)))
    assert judged(capsys, a, b)["in_turns"] is False


def test_a_setting_that_was_tried_is_no_part_of_the_machines_history(tmp_path: Path) -> None:
    first, second = drifting(0.06)
    files = [side(tmp_path / "o_a.csv", "p1", A, row(first))]
    files.append(side(tmp_path / "o_b.csv", "p1", B, row(second)))
    for name, run, file in zip("ab", (A, B), files, strict=True):
        pair = {"side": name, "versus": "env=X=1"}
        sidecar = {"schema": "membench.run/1", "plan": {"run_id": run, "pair": pair}}
        file.with_suffix(".json").write_text(json.dumps(sidecar))
    record = read_history([tmp_path])
    assert [one.run_id for one in record.runs] == [A]
    assert record.unread == {str(files[1]): "measured with a changed setting: env=X=1"}
    assert [one.run_id for one in read_history(files).runs] == [A, B]  # a named file is always read


@pytest.mark.parametrize(
    ("reason", "count", "deviation", "says"),
    [
        (Reason.FEW, 5, 0.1, f"run again with --versus and --rounds {PAIRS}"),
        (Reason.WITHIN, 12, 0.1, ""),
        (
            *(Reason.WIDE, 12, 0.03 * math.sqrt(2)),
            "about 70 pairs would show a difference of 5%: --rounds 70",
        ),
        (
            *(Reason.WIDE, 6, 0.01 * math.sqrt(2)),
            "about 10 pairs would show a difference of 5%: --rounds 10",
        ),
        (Reason.WIDE, 12, 0.5, "with this noise, 1000 pairs cannot show a difference of 5%: "),
        (Reason.WIDE, 100, 0.01, "the ratio is close to the threshold: "),
    ],
)
def test_what_would_settle_a_pair(reason: Reason, count: int, deviation: float, says: str) -> None:
    settled = settle_pairs(reason, count, deviation, THRESHOLD)
    assert settled.startswith(says) if says else settled == ""


def advised(pairs: int, noise: float) -> list[int]:
    """The numbers of pairs that compare recommends after 400 simulated runs."""
    first, second = paired_rounds(np.random.default_rng(7), 400, pairs, noise, "random walk")
    found = paired_estimates(first, second)  # type: ignore[arg-type]
    texts = [settle_pairs(Reason.WIDE, pairs, one.deviation, THRESHOLD) for one in found]
    return [int(text.rpartition(" ")[2]) for text in texts if text.startswith("about")]


def test_seventy_pairs_are_advised_at_three_percent_noise() -> None:
    assert np.median(advised(PAIRS, 0.03)) == 70


def within_the_goal(
    pairs: int, noise: float, drifts: Sequence[str], runs: int, slack: float
) -> None:
    for drift in drifts:
        seen = simulated(20260128, runs, pairs, noise, drift)
        assert seen.wrong <= 0.01, (pairs, noise, drift, seen)
        assert 0.94 - slack <= seen.covered <= 0.97 + slack, (pairs, noise, drift, seen)


def test_offsets_and_drift_of_two_deviations_make_no_false_verdicts() -> None:
    """Simulates a few fixed seeds. A slow test simulates enough runs for the goal itself."""
    within_the_goal(PAIRS, 0.01, DRIFTS, 300, 0.02)
    assert simulated(1, 300, PAIRS, 0.01, "linear").found >= 0.95
    # Without an interval there is no verdict.
    assert simulated(1, 300, FEWEST_PAIRS - 1, 0.01, "linear").found == 0


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_the_goal_of_pairs_is_met(noise: float) -> None:
    """The goal: at most 1 % false verdicts, and 94 to 97 % of the intervals contain the truth."""
    within_the_goal(PAIRS, noise, DRIFTS, 4000, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "noise"), [(PAIRS, 0.01), (70, 0.03)])
def test_a_shift_of_five_percent_is_found(pairs: int, noise: float) -> None:
    for drift in DRIFTS:
        assert simulated(20260129, 2000, pairs, noise, drift).found >= 0.94
