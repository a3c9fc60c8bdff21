"""Comparison matches and judges rows, and reports every row that it leaves out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_rows import around, of_run, row
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.absences import Absence, absences
from membench.analysis.comparison import Comparison, compare
from membench.analysis.facts import Fact
from membench.analysis.figure import Basis
from membench.analysis.finding import SEVERAL_RUNS, Difference
from membench.analysis.gate import check_gate, found
from membench.analysis.sides import make_sides
from membench.analysis.sources import Source
from membench.analysis.statistics import median
from membench.analysis.thresholds import PRESETS
from membench.analysis.verdict import Reason, Verdict
from membench.core.errors import MembenchError, NothingMatched
from membench.core.terms import BETTER, Better, BytesConvention, Metric, Stat, Status, Tier
from membench.results.compact.row import of_row
from membench.results.schema import Row

POSITIVE = st.floats(1e-300, 1e300)  # the median of such values is valid in a results file


def comparison(*sides: list[Row], **options: Any) -> Comparison:
    """The comparison of ``sides``, labelled a, b, ...

    Each side is one run, unless its rows have different run ids.
    """
    named = [
        (label, Source(Path(f"{label}.csv"), tuple(map(of_row, rows))))
        for label, rows in zip("abcdef", sides, strict=False)
    ]
    return compare(make_sides(named), **options)


def finding(first: list[Row], second: list[Row]) -> Difference:
    """The only finding of the comparison of ``first`` with ``second``."""
    (line,) = comparison(first, second).lines
    (one,) = line.findings
    return one


@pytest.mark.parametrize(
    ("factor", "metric", "verdict"),
    [
        (2.0, Metric.BANDWIDTH, Verdict.BETTER),
        (0.5, Metric.BANDWIDTH, Verdict.WORSE),
        (2.0, Metric.LATENCY, Verdict.WORSE),
        (0.5, Metric.LATENCY, Verdict.BETTER),
        (1.001, Metric.BANDWIDTH, Verdict.SAME),
        (1.03, Metric.BANDWIDTH, Verdict.UNCLEAR),
    ],
)
def test_direction_and_size(factor: float, metric: Metric, verdict: Verdict) -> None:
    one = finding(
        [row(around(100), metric=metric)], [row(around(100 * factor), metric=metric, run_id="r2")]
    )
    assert one.verdict is verdict
    assert one.ratio == pytest.approx(factor)
    assert one.counts == (5, 5)
    assert one.confidence == 0.95


def test_a_row_without_any_metadata_is_judged_by_its_numbers() -> None:
    bare: dict[str, Any] = {
        "backend": "",
        "device": "",
        "membench": "",
        "bytes_convention": None,
        "spread": None,
    }
    one = finding([row(around(100), **bare)], [row(around(200), **bare)])
    assert one.verdict is Verdict.BETTER


def test_identical_values_on_both_sides() -> None:
    assert finding([row([7.0] * 5)], [row([7.0] * 5)]).verdict is Verdict.SAME
    assert finding([row([7.0] * 5)], [row([8.0] * 5)]).verdict is Verdict.BETTER


@pytest.mark.parametrize(("n", "m"), [(3, 3), (1, 5), (5, 2), (1, 1)])
def test_too_few_rounds_are_unclear_and_say_what_would_settle_it(n: int, m: int) -> None:
    one = finding([row(around(100, count=5)[:n])], [row(around(300, count=5)[:m])])
    assert (one.verdict, one.reason) == (Verdict.UNCLEAR, Reason.FEW)
    assert one.counts == (n, m)
    assert one.ratio == pytest.approx(3, rel=0.01)
    assert one.interval is None
    assert one.settle == SEVERAL_RUNS


def test_noise_makes_unclear_and_never_an_alarm() -> None:
    noisy = (80.0, 100.0, 120.0, 90.0, 110.0)
    one = finding([row(noisy)], [row([1.05 * value for value in noisy])])
    assert (one.verdict, one.reason) == (Verdict.UNCLEAR, Reason.WIDE)
    assert one.settle == SEVERAL_RUNS
    ten = finding([row(noisy * 2)], [row([1.05 * value for value in noisy * 2])])
    # Ten rounds of one run share the run's offset, as five rounds do.
    assert ten.settle == SEVERAL_RUNS


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"case_version": 2}, Reason.CASE_VERSION, "case_version differs: 1 | 2"),
        ({"unit": "GiB/s"}, Reason.UNIT, "unit differs: GB/s | GiB/s"),
        (
            {"bytes_convention": BytesConvention.PAYLOAD},
            Reason.BYTES,
            "bytes_convention differs: rw_sum | payload",
        ),
        ({"backend": "cuda"}, Reason.BACKEND, "backend differs: cpu | cuda"),
    ],
)
def test_numbers_that_mean_different_things_are_not_compared(
    change: dict[str, Any], reason: Reason, words: str
) -> None:
    one = finding([row(around(100))], [row(around(1), **change)])
    assert (one.verdict, one.reason, one.detail) == (Verdict.NA, reason, words)
    assert one.ratio is None
    assert one.settle
    pooled = [row(around(100)), replace(row(around(100), **change), run_id="r2")]
    assert finding(pooled, [row(around(100))]).reason is reason  # also for one label


@pytest.mark.parametrize("side", [0, 1])
def test_a_number_above_its_peak_is_not_compared(side: int) -> None:
    rows = [row(around(100)), row(around(200), run_id="r2")]
    rows[side] = replace(rows[side], peak=90.0, flags=("above-peak",))
    one = finding([rows[0]], [rows[1]])
    assert (one.verdict, one.reason, one.ratio) == (Verdict.NA, Reason.ABOVE_PEAK, None)
    assert one.detail
    assert one.settle


@pytest.mark.parametrize("flagged", [(0,), (1,), (0, 1), ()])
def test_huge_pages_are_not_compared_with_small_ones(flagged: tuple[int, ...]) -> None:
    rows = [row(around(100)), row(around(100), run_id="r2")]
    for side in flagged:
        rows[side] = replace(rows[side], flags=("few-huge-pages",))
    one = finding([rows[0]], [rows[1]])
    assert (one.reason is Reason.PAGES) == (len(flagged) == 1)
    assert (one.verdict is Verdict.NA) == (len(flagged) == 1)


def test_another_tools_figure_of_the_same_case_is_compared() -> None:
    imported = row(around(200), backend="import:nvbandwidth", bytes_convention=None)
    assert finding([row(around(100), backend="cuda")], [imported]).verdict is Verdict.BETTER


def test_a_changed_kernel_is_compared_as_long_as_the_version_says_so() -> None:
    one = finding([row(around(100), kernel="k1")], [row(around(200), kernel="k2")])
    assert one.verdict is Verdict.BETTER


def test_of_several_runs_the_run_is_the_value() -> None:
    def runs(*centers: float) -> list[Row]:
        return [row(around(center), run_id=f"r{center}") for center in centers]

    shared = comparison(runs(100, 101, 102, 103), runs(99.5, 100.5, 101.5, 102.5))
    (line,) = shared.lines
    figures = [entry.figure for entry in line.entries]
    assert all(figure is not None and figure.basis is Basis.RUNS for figure in figures)
    assert figures[0] is not None
    assert figures[0].values == pytest.approx((100, 101, 102, 103))
    assert line.findings[0].counts == (4, 4)
    # Rounds of one run share an offset, so forty rounds of one run are weaker evidence than four
    # runs.
    two = comparison(runs(100, 101), runs(110, 111)).lines[0].findings[0]
    assert two.reason is Reason.FEW
    assert two.settle == (
        "give at least 4 runs per side; with only one run per side, membench compares the rounds "
        "of the two runs"
    )


def test_a_label_of_one_run_a_case_has_its_rounds() -> None:
    """Two files with different cases under one label count as one run, not as two clusters."""
    parts = [row(around(100), run_id="r1"), row(around(50), "ddr/read", run_id="r2")]
    made = comparison(parts, of_run("r3", parts))
    assert [line.findings[0].counts for line in made.lines] == [(5, 5), (5, 5)]


def test_single_rounds_are_judged_by_their_samples_and_marked() -> None:
    def once(center: float, **changes: Any) -> Row:
        samples = (around(center, 0.01, 20),)
        return row([center], n=20, **{"samples": samples, **changes})

    one = finding([once(100)], [once(200)])
    assert one.verdict is Verdict.BETTER
    assert one.single_round
    assert one.confidence == 0.99
    assert one.counts == (20, 20)
    changes: tuple[dict[str, Any], ...] = (
        {"stat": Stat.P99},  # samples scatter around their median, not around their p99
        {"detail": {"samples": "quantiles"}},
        {"samples": ()},
        {"samples": ((0.0, *around(100)),)},
    )
    for change in changes:
        few = finding([once(100, **change)], [once(200, **change)])
        assert (few.reason, few.single_round) == (Reason.FEW, False)
    mixed = finding([once(100)], [row(around(200))])
    assert (mixed.reason, mixed.counts) == (Reason.FEW, (1, 5))


@given(st.lists(POSITIVE, min_size=1, max_size=12), st.sampled_from(Metric), st.sampled_from(Tier))
def test_a_file_against_itself_is_never_better_or_worse(
    values: list[float], metric: Metric, tier: Tier
) -> None:
    """The differences of a side from itself are symmetric around zero, whatever the values are."""
    one = replace(
        row([1.0], metric=metric),
        tier=tier,
        value=median(values),
        round_values=tuple(values),
    )
    verdict = finding([one], [one]).verdict
    assert verdict in (Verdict.SAME, Verdict.UNCLEAR)
    if len(set(values)) == 1 and len(values) >= 4:
        assert verdict is Verdict.SAME


def test_everything_twice_as_good_is_better_and_swapped_worse() -> None:
    def rows(factor: float) -> list[Row]:
        return [
            row(around(100 * factor ** (1 if better is Better.HIGHER else -1)), metric=metric)
            for metric, better in BETTER.items()
        ]

    up, down = comparison(rows(1), rows(2)), comparison(rows(2), rows(1))
    assert {one.verdict for line in up.lines for one in line.findings} == {Verdict.BETTER}
    assert {one.verdict for line in down.lines for one in line.findings} == {Verdict.WORSE}
    assert len(up.matched) == len(Metric)


A = [
    row(around(100), "ddr/both"),
    row(around(100), "ddr/only-a"),
    row(around(100), "ddr/breaks"),
    row(around(10), "ssd/x", metric=Metric.LATENCY, tier=Tier.SSD),
    row(around(20), "ssd/x", metric=Metric.LATENCY, tier=Tier.SSD, stat=Stat.P99),
    row((), "hbm/x", status=Status.SKIPPED, reason="needs a GPU"),
]
B = [
    row(around(100), "ddr/both"),
    row((), "ddr/breaks", reason="out of memory"),
    row((), "ssd/x", metric=Metric.LATENCY, tier=Tier.SSD, reason="no space"),
    row((), "hbm/x", status=Status.SKIPPED, reason="needs a GPU"),
    row(around(1), "ddr/only-b"),
]


def test_what_is_not_matched_is_listed() -> None:
    made = comparison(A, of_run("r2", B))
    assert [line.row.case for line in made.matched] == ["ddr/both"]
    assert absences(made) == [
        Absence("failed", ("b",), "out of memory", ("ddr/breaks",)),
        Absence("failed", ("b",), "no space", ("ssd/x",)),  # including the missing p99
        Absence("only", ("a",), "", ("ddr/only-a",)),
        Absence("only", ("b",), "", ("ddr/only-b",)),
        Absence("skipped", ("a", "b"), "needs a GPU", ("hbm/x",)),
    ]
    assert {line.row.case for line in made.lines} == {one.case for one in A + B}


def test_a_run_that_failed_beside_one_that_did_not_is_listed_too() -> None:
    made = comparison([*A, *of_run("r2", B)], of_run("r3", A))
    assert Absence("failed", ("a",), "out of memory", ("ddr/breaks",)) in absences(made)
    assert made.lines[2].findings[0].verdict is Verdict.SAME


def test_one_failed_statistic_leaves_the_others_alone() -> None:
    ssd: dict[str, Any] = {"metric": Metric.LATENCY, "tier": Tier.SSD, "run_id": "r2"}
    lost = row((), "ssd/x", stat=Stat.P99, reason="no latency p99 was measured", **ssd)
    made = comparison(A[3:5], [row(around(10), "ssd/x", **ssd), lost])
    assert [line.row.stat for line in made.matched] == [Stat.MEDIAN]
    assert absences(made) == [
        Absence("failed", ("b",), "no latency p99 was measured", ("ssd/x (latency p99)",))
    ]
    assert found(made, ["failed", "missing"]) == {"failed": 1}


def test_one_missing_statistic_is_named() -> None:
    made = comparison(A, of_run("r2", [one for one in A if one.stat is not Stat.P99]))
    (absence,) = [one for one in absences(made) if one.kind == "only"]
    assert absence.cases == ("ssd/x (latency p99)",)


def test_select() -> None:
    made = comparison(A, of_run("r2", B), select=["ddr"])
    assert {line.row.case.partition("/")[0] for line in made.lines} == {"ddr"}
    with pytest.raises(NothingMatched, match="no case matches 'smem/"):
        comparison(A, B, select=["ddr", "smem/*"])


def test_the_mean_is_of_what_could_be_compared_and_gates_nothing() -> None:
    first = [row(around(100), f"ddr/{name}") for name in "xyz"]
    second = [
        row(around(200), "ddr/x"),
        row(around(50), "ddr/y"),
        row(around(9), "ddr/z", case_version=2),
    ]
    made = comparison(first, second)
    (mean,) = made.means
    assert mean.ratio == pytest.approx(1)
    assert mean.count == 2
    assert made.counts(1) == {Verdict.BETTER: 1, Verdict.WORSE: 1, Verdict.NA: 1}


def test_facts_are_those_of_what_was_compared() -> None:
    gpu = row(around(1), "hbm/read", tier=Tier.HBM, device="H100", backend="cuda", driver="580")
    made = comparison([row(around(1)), gpu], [row(around(1), machine="rack7")])
    assert Fact("machine", ("box", "rack7")) in made.facts
    assert Fact("device", ("AMD EPYC", "AMD EPYC")) in made.facts
    assert [fact.name for fact in made.facts if fact.differs] == ["machine"]
    assert "driver" not in {fact.name for fact in made.facts}


def test_presets_change_the_verdict() -> None:
    pair = [row(around(100))], [row(around(104))]
    verdicts = [
        comparison(*pair, thresholds=PRESETS[name]).lines[0].findings[0].verdict
        for name in ("strict", "default", "permissive")
    ]
    assert verdicts == [Verdict.BETTER, Verdict.BETTER, Verdict.SAME]


@pytest.mark.parametrize("change", [{"machine": "rack7"}, {"device": "Intel Xeon"}])
def test_a_gate_does_not_compare_two_machines_by_accident(change: dict[str, Any]) -> None:
    made = comparison([row(around(1))], [row(around(1), **change)])
    with pytest.raises(MembenchError, match=f"{next(iter(change))} .* \\| ") as error:
        check_gate(made, ["worse"])
    assert "--cross-machine" in error.value.hint
    check_gate(made, ["worse"], cross_machine=True)


def test_a_gate_that_could_not_see_anything_does_not_pass() -> None:
    once = row([1.0], samples=(around(1),))
    with pytest.raises(MembenchError, match="had only one round"):
        check_gate(comparison([once], [once]), ["worse", "unclear"])
    few = comparison([row(around(1)[:3])], [row(around(1)[:3])])
    with pytest.raises(MembenchError, match="too few rounds"):
        check_gate(few, ["worse"])
    check_gate(few, ["worse", "unclear"])


def test_what_a_gate_finds() -> None:
    made = comparison(A, of_run("r2", B))
    every = ["worse", "unclear", "missing", "n/a", "failed"]
    assert found(made, every) == {"missing": 1, "failed": 3}
    skipped = [row((), "ddr/both", status=Status.SKIPPED, reason="needs more memory")]
    assert found(comparison(A[:1], skipped), every) == {"missing": 1}
    assert found(comparison(A[:1], A[:1]), every) == {}
    worse = comparison([row(around(100))], [row(around(50))], [row(around(100), case_version=2)])
    assert found(worse, every) == {"worse": 1, "n/a": 1}
