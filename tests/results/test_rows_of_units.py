"""From case results to rows: medians over rounds, and the handling of failures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import SchemaError
from membench.core.terms import BytesConvention, CacheState, Metric, PeakBasis, Stat, Status
from membench.results.case_result import CaseResult, Reading
from membench.results.plan import Plan, PlannedCase
from membench.results.rows import relative_spread, rows
from membench.results.schema import check, normal

MakePlan = Callable[..., Plan]
MakeCase = Callable[..., PlannedCase]
MakeUnit = Callable[..., CaseResult]

BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)
P99 = (Metric.LATENCY, Stat.P99)


def test_a_row_is_the_median_of_its_rounds(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    plan = make_plan()
    (row,) = rows(plan, [make_unit(2, 22.0), make_unit(1, 20.0), make_unit(3, 21.0)])
    check(row)
    assert row.value == 21.0
    assert row.round_values == (20.0, 22.0, 21.0)
    assert row.spread == pytest.approx(1.4826 * 1 / 21)
    assert (row.rounds, row.n) == (3, 9)
    assert row.samples[1] == (21.78, 22.0, 22.22)
    assert (row.min, row.max) == (19.8, 22.22)
    assert (row.run_id, row.machine, row.membench) == (plan.run_id, "box-1", plan.software)
    assert row.started == "2026-01-31T08:01:00Z"
    assert row.detail == {"threads": "2", "method": "numba"}
    assert row.bytes_convention is BytesConvention.RW_SUM
    assert row.cache_state is CacheState.HOT
    assert row.flags == ()


@given(values=st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=7))
def test_any_rounds_make_a_valid_row_that_a_file_holds_unchanged(
    make_plan: MakePlan, make_unit: MakeUnit, values: list[float]
) -> None:
    units = [make_unit(1 + i % 9, v, round=i + 1) for i, v in enumerate(values)]
    (row,) = rows(make_plan(), units)
    check(row)
    assert normal(row) == row
    assert row.value == statistics.median(values)
    assert row.min == min(min(samples) for samples in row.samples)


def test_one_round_has_no_spread_and_a_flag(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    (row,) = rows(make_plan(), [make_unit()])
    assert row.status is Status.OK
    assert row.spread is None
    assert row.flags == ("single-round",)


def test_identical_rounds_have_no_spread() -> None:
    assert relative_spread([3.0, 3.0, 3.0]) == 0
    assert relative_spread([3.0]) is None


def test_plan_order_and_every_yield(
    make_plan: MakePlan, make_case: MakeCase, make_unit: MakeUnit
) -> None:
    both = make_case("ddr/b", yields=(P99, BANDWIDTH))
    readings = (Reading(*BANDWIDTH, 2.0, 1, (2.0,)), Reading(*P99, 300.0, 9, (1.0, 300.0), True))
    plan = make_plan(both, make_case("ddr/a"))
    got = rows(plan, [make_unit(case="ddr/a"), make_unit(case="ddr/b", readings=readings)])
    assert [(row.case, row.metric) for row in got] == [
        ("ddr/b", Metric.LATENCY),
        ("ddr/b", Metric.BANDWIDTH),
        ("ddr/a", Metric.BANDWIDTH),
    ]
    assert [row.unit for row in got] == ["ns", "GB/s", "GB/s"]
    assert got[0].detail["samples"] == "quantiles"
    assert "samples" not in got[1].detail
    assert got[0].n == 9


def test_a_failed_round_fails_the_case_and_keeps_its_samples(
    make_plan: MakePlan, make_unit: MakeUnit
) -> None:
    failed = make_unit(2, status=Status.FAILED, reason="ValueError:\nno", readings=())
    later = make_unit(3, status=Status.FAILED, reason="other", readings=())
    (row,) = rows(make_plan(rounds=3), [make_unit(1), later, failed])
    check(row)
    assert row.status is Status.FAILED
    assert row.reason == "round 2: ValueError: no"
    assert row.value is None
    assert row.spread is None
    assert row.round_values == (20.0,)
    assert row.samples == ((19.8, 20.0, 20.2),)
    assert row.flags == ()


def test_numbers_that_were_wrong_are_kept_as_samples_only(
    make_plan: MakePlan, make_unit: MakeUnit
) -> None:
    wrong = make_unit(2, 40.0, status=Status.FAILED, reason="result is wrong")
    (row,) = rows(make_plan(), [make_unit(1), wrong])
    assert row.round_values == (20.0,)
    assert row.samples == ((19.8, 20.0, 20.2), (39.6, 40.0, 40.4))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_value_that_cannot_be_fails_the_case(
    make_plan: MakePlan, make_unit: MakeUnit, value: float
) -> None:
    bad = make_unit(2, readings=(Reading(*BANDWIDTH, value, 2, (5.0, 6.0)),))
    (row,) = rows(make_plan(), [make_unit(1), bad])
    check(row)
    assert row.status is Status.FAILED
    assert row.reason == f"round 2: bandwidth median is {value}, not a finite number above 0"
    assert row.samples[1] == (5.0, 6.0)


def test_a_sample_that_cannot_be_fails_the_case(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    bad = make_unit(1, readings=(Reading(*BANDWIDTH, 5.0, 2, (5.0, math.nan)),))
    (row,) = rows(make_plan(), [bad])
    check(row)
    assert row.reason == "round 1: a sample of bandwidth median is nan"
    assert row.samples == ((5.0,),)
    none = make_unit(2, readings=(Reading(*BANDWIDTH, math.nan, 1, (math.nan,)),))
    (row,) = rows(make_plan(), [make_unit(1), none])
    assert row.samples == ((19.8, 20.0, 20.2),)


def test_a_failure_without_words_still_has_a_reason(
    make_plan: MakePlan, make_unit: MakeUnit
) -> None:
    (row,) = rows(make_plan(), [make_unit(1, status=Status.FAILED, reason="\n")])
    assert row.reason == "round 1: no reason was given"


def test_a_yield_that_was_never_measured_fails(
    make_plan: MakePlan, make_case: MakeCase, make_unit: MakeUnit
) -> None:
    plan = make_plan(make_case(yields=(BANDWIDTH, P99)))
    bandwidth, p99 = rows(plan, [make_unit(1), make_unit(2)])
    assert bandwidth.status is Status.OK
    assert p99.status is Status.FAILED
    assert p99.reason == "no latency p99 was measured"
    check(p99)


def test_a_planned_skip_needs_no_unit(make_plan: MakePlan, make_case: MakeCase) -> None:
    (row,) = rows(make_plan(make_case(skipped="needs a GPU", backend="cuda")), [])
    check(row)
    assert (row.status, row.reason, row.backend) == (Status.SKIPPED, "needs a GPU", "cuda")
    assert row.started == "2026-01-31T08:04:12Z"
    assert normal(row) == row


def test_a_skip_found_by_the_worker(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    skips = [
        make_unit(i, status=Status.SKIPPED, reason="needs 2 GPUs", readings=()) for i in (1, 2)
    ]
    (row,) = rows(make_plan(), skips)
    assert (row.status, row.reason) == (Status.SKIPPED, "needs 2 GPUs")
    (row,) = rows(make_plan(), [make_unit(1), skips[1]])
    check(row)
    assert (row.status, row.reason) == (Status.SKIPPED, "round 2: needs 2 GPUs")
    assert row.round_values == (20.0,)


def test_a_case_that_was_never_reached(
    make_plan: MakePlan, make_case: MakeCase, make_unit: MakeUnit
) -> None:
    plan = make_plan(make_case("ddr/a"), make_case("ddr/b"))
    units = [make_unit(case="ddr/a")]
    assert [row.case for row in rows(plan, units, partial=True)] == ["ddr/a"]
    with pytest.raises(SchemaError, match="there is no result of 'ddr/b'"):
        rows(plan, units)


def test_a_result_of_no_planned_case(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    with pytest.raises(SchemaError, match="'ddr/x', but the plan has no such case"):
        rows(make_plan(), [make_unit(case="ddr/x")])


def test_the_last_unit_of_a_round_counts(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    (row,) = rows(make_plan(), [make_unit(1, 10.0), make_unit(2, 20.0), make_unit(1, 30.0)])
    assert row.round_values == (30.0, 20.0)


@pytest.mark.parametrize(
    ("column", "values", "merged"),
    [
        ("size_bytes", (0, 0), None),
        ("iters", (4, 8), 4),
        ("iters", (4, None), 4),
        ("bytes_moved", (100, 100), 100),
        ("sm_mhz", (1000.0, 1100.0), 1050.0),
        ("sm_mhz", (math.nan, 1100.0), 1100.0),
        ("peak", (0.0, None), None),
        ("peak_basis", ("spec", "spec"), PeakBasis.SPEC),
        ("peak_basis", ("spec", "queried"), None),
        ("cache_state", ("", "cold"), CacheState.COLD),
        ("timer", ("b", "a"), "a,b"),
        ("stop_reason", ("count", "count"), "count"),
        ("verified", (True, True), True),
        ("verified", (True, False), False),
        ("verified", (True, None), None),
        ("converged", (None, False), False),
        ("backend", ("", ""), "cpu"),
        ("kernel", ("1234e56", "1234e56"), "k1234e56"),
    ],
)
def test_facts_of_rounds_that_differ(
    make_plan: MakePlan, make_unit: MakeUnit, column: str, values: tuple[Any, Any], merged: object
) -> None:
    units = [make_unit(i, **{column: value}) for i, value in enumerate(values, start=1)]
    (row,) = rows(make_plan(), units)
    check(row)
    assert getattr(row, column) == merged


def test_details_of_rounds_that_differ(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    first = {"pages": 4, "gap": 1.23456, "path": "b", "node": 1, "on": True, "odd": 1}
    second = {"pages": 4, "gap": 2.34567, "path": "a", "only": 0.5, "on": True, "odd": "x"}
    (row,) = rows(make_plan(), [make_unit(1, detail=first), make_unit(2, detail=second)])
    assert row.detail == {
        "pages": "4",
        "gap": "1.79",
        "path": "a,b",
        "node": "1",
        "only": "0.5",
        "on": "true",
        "odd": "1,x",
    }


def test_flags_are_united_in_the_order_of_the_list(
    make_plan: MakePlan, make_unit: MakeUnit
) -> None:
    units = [make_unit(1, flags=("vm", "throttled")), make_unit(2, flags=("noisy", "vm"))]
    (row,) = rows(make_plan(), units)
    assert row.flags == ("noisy", "throttled", "vm")


def test_facts_come_from_the_rounds_that_count(make_plan: MakePlan, make_unit: MakeUnit) -> None:
    failed = replace(make_unit(2, status=Status.FAILED, reason="no"), size_bytes=1, timer="none")
    (row,) = rows(make_plan(), [make_unit(1), failed])
    assert (row.size_bytes, row.timer) == (268435456, "perf_counter_ns")
