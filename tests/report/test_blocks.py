"""The arrangement of rows in tables of the report."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from membench.analysis.ladder import ladder
from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, Stat, Status, Tier
from membench.report.screens.blocks import blocks, natural, split
from membench.report.screens.info import ranges
from membench.report.screens.run import print_flags, print_reasons, print_rows
from membench.results.schema import Row


def row(case: str, value: float | None, **changes: object) -> Row:
    metric = changes.pop("metric", Metric.BANDWIDTH)
    assert isinstance(metric, Metric)
    made = Row(
        run_id="r",
        machine="box",
        tier=Tier.DDR,
        case=case,
        case_version=1,
        metric=metric,
        stat=Stat.MEDIAN,
        status=Status.OK if value else Status.FAILED,
        value=value,
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=2 if value else 0,
        round_values=(value, value) if value else (),
        spread=0.0 if value else None,
        bytes_convention=BytesConvention.RW_SUM,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


ROWS = [
    row("ddr/copy/size=1GiB/threads=all/pages=thp", 38.123),
    row("ddr/copy/size=64MiB/threads=all/pages=thp", 40.0, flags=("noisy", "vm")),
    row("ddr/copy/size=1GiB/threads=1/pages=thp", 19.5),
    row("host/chase/size=2MiB", 15.0, metric=Metric.LATENCY, tier=Tier.CACHE),
    row("host/chase/size=16KiB", 1.19, metric=Metric.LATENCY, tier=Tier.CACHE),
    row("host/chase/size=256MiB", None, metric=Metric.LATENCY, reason="round 1: it broke"),
]


def test_one_block_a_tier_and_metric_with_what_all_share_said_once() -> None:
    cache, ddr = blocks(ROWS)
    assert (cache.tier, cache.metric, cache.scale.unit) == (Tier.CACHE, Metric.LATENCY, "ns")
    assert [one.case for one in cache.rows] == ["host/chase/size=16KiB", "host/chase/size=2MiB"]
    assert ddr.common == ("pages=thp",)
    assert list(ddr.names) == [
        "ddr/copy/size=64MiB/threads=all",
        "ddr/copy/size=1GiB/threads=1",
        "ddr/copy/size=1GiB/threads=all",
    ]


def test_split() -> None:
    assert split("kv/h2d/block=16KiB/count=1") == ("kv/h2d", ("block=16KiB", "count=1"))


def test_only_ascii_digits_are_sorted_as_numbers() -> None:
    cases = ["a/b/n=\u00b2", "a/b/n=10", "a/b/n=2"]
    assert sorted(cases, key=natural) == ["a/b/n=2", "a/b/n=10", "a/b/n=\u00b2"]


def best(rows: list[Row]) -> dict[str, str]:
    return {str(rung.tier): one.case for rung in ladder(rows) for one in rung.best.values()}


def test_the_ladder_takes_the_direction_into_account() -> None:
    assert best(ROWS) == {
        "cache": "host/chase/size=16KiB",
        "ddr": "ddr/copy/size=64MiB/threads=all/pages=thp",
    }


def test_what_cannot_be_is_shown_and_never_the_best() -> None:
    beyond = row("ddr/copy/size=4MiB", 900.0, flags=("above-peak",))
    assert best([*ROWS, beyond]) == best(ROWS)
    assert best([beyond]) == {}
    assert [one.case for block in blocks([beyond]) for one in block.rows] == [beyond.case]


def test_the_host_link_is_not_the_one_between_gpus() -> None:
    """The host link and the links between GPUs have separate lines.

    Sums and copies within one GPU have no line.
    """
    rows = [
        row("link/h2d/size=64MiB", 55.0, tier=Tier.LINK),
        row("link/bidir/size=64MiB", 101.0, tier=Tier.LINK),
        row("kv/d2d/block=64KiB", 1500.0, tier=Tier.LINK),
        row("peer/read/size=256MiB", 380.0, tier=Tier.LINK),
    ]
    found = {(rung.peer, rung.best[Metric.BANDWIDTH].value) for rung in ladder(rows)}
    assert found == {(False, 55.0), (True, 380.0)}
    assert ladder(rows[1:2])[0].best[Metric.BANDWIDTH].value == 101.0


def test_a_figure_that_is_held_against_another_comes_before_the_best() -> None:
    judged = {("ddr/copy/size=1GiB/threads=all/pages=thp", Metric.BANDWIDTH)}
    rungs = {rung.tier: rung for rung in ladder(ROWS, judged)}
    assert rungs[Tier.DDR].best[Metric.BANDWIDTH].value == 38.123


def printed(width: int, *, full_ids: bool) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    print_rows(console, ROWS, full_ids=full_ids)
    print_reasons(console, ROWS)
    print_flags(console, ROWS)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in printed(width, full_ids=False)) <= width


def test_every_case_is_there_whatever_became_of_it() -> None:
    text = "\n".join(printed(4096, full_ids=True))
    for one in ROWS:
        assert one.case in text
    assert "1 failed: round 1: it broke" in text
    assert "noisy (1 of 5 rows): " in text
    assert text.isascii()


def test_ranges() -> None:
    assert ranges((0, 1, 2, 5)) == "0-2,5"
    assert ranges((3,)) == "3"
    assert ranges(()) == ""


def test_the_tail_of_a_latency_stands_beside_it() -> None:
    rows = [
        row(
            f"ssd/read/qd={qd}",
            1000.0 * qd * factor,
            metric=Metric.LATENCY,
            tier=Tier.SSD,
            stat=stat,
            flags=("noisy",) if stat is Stat.P999 else (),
        )
        for qd in (1, 32)
        for stat, factor in ((Stat.P50, 50), (Stat.P99, 90), (Stat.P999, 400))
    ]
    stream = io.StringIO()
    print_rows(Console(file=stream, width=80, highlight=False), rows, full_ids=True)
    table = [line.split() for line in stream.getvalue().splitlines()]
    assert table[1][:2] == ["ssd", "latency,"]
    assert table[2:] == [
        ["case", "p50", "p99", "p999", "flags"],
        ["ssd/read/qd=1", "50.00", "90.00", "400.0", "noisy(p999)"],
        ["ssd/read/qd=32", "1600", "2880", "12800", "noisy(p999)"],
    ]


@pytest.mark.parametrize("metric", [Metric.BANDWIDTH, Metric.IOPS])
def test_iops_have_a_table_of_their_own_beside_several_statistics(metric: Metric) -> None:
    case = "ssd/read/qd=1"
    rows = [
        row(case, 0.5, tier=Tier.SSD),
        row(case, 120e3, metric=Metric.IOPS, tier=Tier.SSD),
        row(
            case,
            0.25 if metric is Metric.BANDWIDTH else 60e3,
            metric=metric,
            tier=Tier.SSD,
            stat=Stat.P99,
        ),
    ]
    stream = io.StringIO()
    print_rows(Console(file=stream, width=80, highlight=False), rows, full_ids=True)
    heads = [line.split(",")[0] for line in stream.getvalue().splitlines() if " is better)" in line]
    assert heads == ["ssd bandwidth", "ssd iops"]


def test_many_skipped_cases_of_one_reason_are_counted_unless_everything_is_printed() -> None:
    known = next(row for row in ROWS if row.status is Status.OK)
    lost = replace(
        known,
        value=None,
        rounds=0,
        n=0,
        round_values=(),
        samples=(),
        spread=None,
        min=None,
        max=None,
    )
    for status, everything, shown in (
        (Status.SKIPPED, False, ["hbm 9, kv 6"]),
        (Status.SKIPPED, True, ["kv/x5", "hbm/x8"]),
        (Status.FAILED, False, ["kv/x5", "hbm/x8"]),
    ):
        names = [*(f"hbm/x{n}" for n in range(9)), *(f"kv/x{n}" for n in range(6))]
        rows = [replace(lost, case=name, status=status, reason="no GPU") for name in names]
        stream = io.StringIO()
        console = Console(file=stream, width=80, highlight=False)
        print_reasons(console, rows, everything=everything)
        lines = [line.strip() for line in stream.getvalue().splitlines()]
        assert lines[0] == f"15 {status}: no GPU"
        assert set(shown) <= set(lines)
