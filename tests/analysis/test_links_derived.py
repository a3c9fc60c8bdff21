"""Values derived from invented rows: policies, maps, fits, bytes in flight, and Pareto fronts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from membench.analysis.derive.links import fronts, in_flight, link_fits, moved, parameters, policies
from membench.analysis.derive.policy import CLOSE, TransferCell, by_place, crossover_map, policy
from membench.core.terms import BETTER, UNIT, Metric, Stat, Status, Tier
from membench.core.units import KIB, MIB, format_size
from membench.report.page.runs import ReportSource, Run
from membench.report.page.sections import links
from membench.report.screens.kv_policy import print_policies
from membench.results.schema import Row


def row(case: str, value: float, metric: Metric = Metric.BANDWIDTH, **changes: Any) -> Row:
    values: dict[str, Any] = {
        "run_id": "20260131T080412Z-7f3a",
        "machine": "box-1",
        "tier": Tier.LINK,
        "case": case,
        "case_version": 1,
        "metric": metric,
        "stat": Stat.MEDIAN,
        "status": Status.OK,
        "value": value,
        "unit": UNIT[metric],
        "better": BETTER[metric],
        "rounds": 1,
        "n": 1,
        "round_values": (value,),
        "membench": "0.1.0",
        "started": "2026-01-31T08:04:12Z",
    }
    return Row(**{**values, **changes})


def kv(way: str, block: int, count: int, method: str, value: float, more: str = "") -> Row:
    case = f"kv/{way}/block={format_size(block)}/count={count}/method={method}/order=random{more}"
    return row(case, value)


# Many batch copies of small blocks are slow: below 28 KiB the kernel is faster.
BATCH: Mapping[int, Mapping[int, float]] = {
    16: {4: 9.0, 24: 40.0, 28: 42.0, 64: 50.0},
    1024: {4: 7.0, 24: 26.0, 28: 40.0, 64: 50.0},
    100_000: {4: 4.0, 24: 7.0, 28: 44.0, 64: 52.0},
}
KERNEL = {4: 20.0, 24: 38.0, 28: 38.0, 64: 40.0}


def cliff(way: str = "h2d") -> list[Row]:
    rows = []
    for count, sizes in BATCH.items():
        for block, gbs in sizes.items():
            kernel = KERNEL[block] if count > 16 else KERNEL[block] / 3
            rows.append(kv(way, block * KIB, count, "batch", gbs))
            rows.append(kv(way, block * KIB, count, "sm", kernel))
            rows.append(kv(way, block * KIB, count, "contig", 55.0))
    return rows


def test_the_policy_line_has_the_thresholds_of_the_cliff() -> None:
    (found,) = policies(cliff())
    assert found.line == "h2d 16:batch 1024:sm<28KiB<=batch"
    assert found.loss == 0
    assert found.rules[1].method(24 * KIB) == "sm"
    assert found.rules[1].method(28 * KIB) == "batch"


def test_every_direction_has_a_policy_of_its_own() -> None:
    assert [one.way for one in policies([*cliff("d2h"), *cliff("h2d")])] == ["h2d", "d2h"]


def test_rows_that_are_no_part_of_the_map_change_nothing() -> None:
    noise = [
        kv("h2d", 4 * KIB, 16, "sm", 900.0, "/grid=4"),
        row("kv/h2d/block=4KiB/count=16/method=sm/order=seq", 900.0),
        replace(
            kv("h2d", 4 * KIB, 16, "sm", 900.0),
            status=Status.FAILED,
            reason="it broke",
            value=None,
            round_values=(),
        ),
        row("link/h2d/size=4KiB", 900.0),
    ]
    assert policies([*cliff(), *noise]) == policies(cliff())


def test_one_method_has_no_policy() -> None:
    assert (
        policies([kv("h2d", 4 * KIB, 16, "sm", 3.0), kv("h2d", 4 * KIB, 16, "contig", 9.0)]) == ()
    )
    assert policies([]) == ()


def test_a_difference_within_the_noise_makes_no_threshold() -> None:
    rows = [
        kv("h2d", block * KIB, 1024, method, gbs)
        for block, one, other in ((4, 10.0, 10.1), (64, 50.0, 49.0))
        for method, gbs in (("batch", one), ("sm", other))
    ]
    (found,) = policies(rows)
    assert found.line == "h2d 1024:batch"
    assert found.loss == pytest.approx(1 - 10 / 10.1)


GRID = st.dictionaries(
    st.tuples(st.sampled_from([4, 16, 64]), st.sampled_from([16, 1024])),
    st.tuples(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.1, 100)),
    min_size=1,
)


@given(GRID)
def test_no_rule_of_one_threshold_is_better_by_more_than_noise(
    cells: dict[tuple[int, int], tuple[float, float, float]],
) -> None:
    points = [
        TransferCell(block, count, method, gbs)
        for (block, count), values in cells.items()
        for method, gbs in zip(("batch", "loop", "sm"), values, strict=True)
    ]
    rules = policy(points)
    for count in {count for _, count in cells}:
        sizes = {block: m for (block, n), m in by_place(points).items() if n == count}
        rule = [one for one in rules if one.count <= count][-1]

        def loss(
            below: str, above: str, threshold: int, sizes: Mapping[int, Mapping[str, float]] = sizes
        ) -> float:
            return max(
                1 - m[above if block >= threshold else below] / max(m.values())
                for block, m in sizes.items()
            )

        best = min(
            loss(below, above, threshold)
            for below in ("batch", "loop", "sm")
            for above in ("batch", "loop", "sm")
            for threshold in sizes
        )
        own = loss(rule.below, rule.above, rule.threshold)
        assert own <= best + CLOSE + 1e-12
        assert own <= rule.loss + 1e-12


@given(GRID)
def test_the_map_names_the_best_of_each_cell(
    cells: dict[tuple[int, int], tuple[float, float, float]],
) -> None:
    points = [
        TransferCell(block, count, method, gbs)
        for (block, count), values in cells.items()
        for method, gbs in zip(("batch", "contig", "sm"), values, strict=True)
    ]
    found = crossover_map(points)
    assert {(cell.block, cell.count) for cell in found} == set(cells)
    for cell in found:
        batch, _, kernel = cells[cell.block, cell.count]
        assert cell.gbs == max(batch, kernel)
        assert cell.lead == pytest.approx(max(batch, kernel) / min(batch, kernel))


def test_the_parameters_stand_in_the_case() -> None:
    assert parameters("kv/h2d/block=4KiB/count=16") == {"block": "4KiB", "count": "16"}
    assert [one.count for one in moved(cliff(), "h2d")][:1] == [16]
    odd = row("kv/h2d/block=4KiB/count=\u00b2/method=sm/order=random", 1.0)
    assert moved([odd], "h2d") == ()


def copies(way: str, engine: str, start_ns: float, gbs: float) -> list[Row]:
    rows = []
    for size in (4 * KIB, 64 * KIB, MIB, 64 * MIB):
        took = start_ns + size / gbs
        case = f"link/{way}/size={format_size(size)}/mem=pinned/engine={engine}/streams=1"
        rows.append(row(case, size / took))
    return rows


def test_a_copy_s_start_and_slope_come_back() -> None:
    rows = copies("h2d", "ce", 2500.0, 55.0)
    rows += [row("link/h2d/size=64MiB/mem=pageable/engine=ce/streams=1", 7.0)]
    (found,) = link_fits(rows)
    assert (found.bench, found.engine) == ("link/h2d", "ce")
    assert found.fit.start_ns == pytest.approx(2500, rel=1e-6)
    assert found.fit.bandwidth == pytest.approx(55, rel=1e-6)
    assert found.fit.half_size == pytest.approx(2500 * 55, rel=1e-6)


def test_bytes_in_flight_are_bandwidth_times_round_trip() -> None:
    rows = [
        row("zerocopy/chase/size=64MiB", 1300.0, Metric.LATENCY),
        row("zerocopy/chase/size=64KiB", 700.0, Metric.LATENCY),
        row("zerocopy/read/block=128B/grid=0/unroll=4/order=rand", 50.0),
    ]
    (found,) = in_flight(rows)
    assert found.bytes == pytest.approx(65_000)
    assert in_flight(rows[2:]) == ()


def duel(aggressor: str, gbs: float, slowdown: float, more: str = "") -> Row:
    case = f"interference/link/victim=read/aggressor={aggressor}{more}"
    return row(case, gbs, detail={"slowdown": str(slowdown)})


def test_the_front_is_what_nothing_beats() -> None:
    rows = [
        duel("h2d-ce", 55.0, 1.02),
        duel("h2d-sm", 52.0, 1.6),
        duel("h2d-sm", 9.7, 1.01, "/grid=4"),
        duel("h2d-bulk", 56.0, 1.4),
    ]
    (front,) = fronts(rows)
    assert [one.aggressor for one in front.best] == ["h2d-sm grid 4", "h2d-ce", "h2d-bulk"]
    assert [one.aggressor for one in front.others] == ["h2d-sm"]


def test_odd_numbers_in_case_ids_are_left_out() -> None:
    fine = copies("h2d", "ce", 2500.0, 55.0)
    odd = [row("link/h2d/size=huge/mem=pinned/engine=ce/streams=1", 3.0)]
    assert link_fits([*fine, *odd]) == link_fits(fine)
    for count in ("\u00b2", "", "1" * 5000):
        case = f"kv/h2d/block=4KiB/count={count}/method=sm/order=random"
        assert moved([row(case, 1.0)], "h2d") == ()


# Tests of the output.


def everything() -> list[Row]:
    return [
        *cliff(),
        *copies("h2d", "ce", 2500.0, 55.0),
        row("zerocopy/chase/size=64MiB", 1300.0, Metric.LATENCY),
        row("zerocopy/read/block=128B/grid=0/unroll=4/order=rand", 50.0),
        duel("h2d-ce", 55.0, 1.02),
        duel("h2d-sm", 52.0, 1.6),
    ]


@pytest.mark.parametrize("width", [80, 200])
def test_run_prints_the_line_that_an_engine_takes_over(width: int) -> None:
    out = io.StringIO()
    print_policies(Console(file=out, width=width, color_system=None), everything())
    assert out.getvalue().startswith("kv_policy h2d 16:batch 1024:sm<28KiB<=batch ")
    assert out.getvalue().isascii()
    assert out.getvalue().count("\n") == 1  # one line, so that users can copy the command


def as_run(rows: list[Row]) -> Run:
    source = ReportSource(Path("box.csv"), b"", ())
    return Run("box-1", source, tuple(rows), None, None)


def test_the_report_has_a_section_where_there_is_something_to_say() -> None:
    run = as_run(everything())
    section = links.section([run])
    assert section is not None
    assert [one.anchor for one in section.sections] == [
        f"links-{name}" for name in ("policy", "map", "fits", "flight", "fronts")
    ]
    assert "kv_policy h2d 16:batch 1024:sm<28KiB<=batch" in str(section)
    assert "sm 20.0 x2.86" in str(section)
    assert links.section([as_run([row("ddr/copy/size=1GiB", 20.0)])]) is None


def test_anchors_of_several_runs_contain_no_space() -> None:
    runs = [replace(as_run(everything()), label=label) for label in ("box-1 a", "box-1 b")]
    section = links.section(runs)
    assert section is not None
    anchors = [one.anchor for one in section.sections]
    assert len(set(anchors)) == len(anchors) == 10
    assert not any(" " in anchor for anchor in anchors)
