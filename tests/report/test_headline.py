"""The headline of the report: values measured here, and values of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h100_box

from membench.analysis.ladder import ladder
from membench.core.terms import Metric, Tier
from membench.report.page.document import Alert, Figure, Paragraph, Table
from membench.report.page.runs import read_runs
from membench.report.page.sections.headline import judge, section
from membench.report.plots.style import Plot
from membench.report.screens.tier_table import value_text
from membench.results.schema import Row
from membench.results.table import write_rows

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def words(table: Table) -> str:
    return " ".join(str(cell) for row in table.rows for cell in row)


def test_of_a_cited_figure_it_says_only_what_is_known() -> None:
    _, runs = read_runs([REFERENCE / name / "figures.csv" for name in ("h100-sxm", "h200-sxm")])
    made = section(judge(runs))
    (table,) = made.sections[0].blocks
    assert isinstance(table, Table)
    quality = [block for block in made.blocks if isinstance(block, Paragraph)]
    assert len(quality) == len(runs)
    assert "not measured by membench: cited" in words(table)
    assert "of the peak that the device reports" in words(table)
    assert "unknown" not in words(table)
    assert "Link between GPUs: " in words(table)
    assert "round" not in words(table)
    assert all("All values are cited figures." in str(block) for block in quality)


def test_what_is_not_its_tiers_is_no_headline(
    tmp_path: Path, make_result: Callable[..., Row]
) -> None:
    """Such rows were served by a cache, measured under load, or are between two cache levels."""
    rows = [
        make_result(
            Tier.DDR, "ddr/read/size=1MiB", Metric.BANDWIDTH, 99.0, flags=("cache-served",)
        ),
        make_result(Tier.DDR, "host/loaded/size=auto/reads=100", Metric.LATENCY, 1.0),
    ]
    write_rows(tmp_path / "a.csv", rows)
    _, runs = read_runs([tmp_path / "a.csv"])
    assert "No row can be the best value." in str(section(judge(runs)).blocks[0])
    assert ladder(rows) == ()
    chase = [(16, 1.1), (512, 4.9), (2048, 13.4), (8192, 107.9), (32768, 145.9), (262144, 160.8)]
    rows += [
        make_result(
            *(Tier.CACHE if size <= 32768 else Tier.DDR, f"host/chase/size={size}KiB/pages=thp"),
            *(Metric.LATENCY, ns),
        )
        for size, ns in chase
    ]
    write_rows(tmp_path / "b.csv", rows)
    _, runs = read_runs([tmp_path / "b.csv"])
    shown = str(section(judge(runs)).sections[0].blocks)
    assert "161" in shown
    assert "146" not in shown
    assert [flags for flags in (row.flags for row in runs[0].rows) if "transition" in flags] == [
        *(("transition",), ("transition",)),
    ]


def test_the_headline_of_a_disk_is_a_read_or_names_the_operation(
    tmp_path: Path, make_result: Callable[..., Row]
) -> None:
    write = make_result(Tier.SSD, "ssd/write/pattern=seq", Metric.BANDWIDTH, 5.0)
    read = make_result(Tier.SSD, "ssd/read/pattern=seq", Metric.BANDWIDTH, 2.65)

    def told(*rows: Row) -> tuple[str, str]:
        write_rows(tmp_path / "a.csv", rows)
        _, runs = read_runs([tmp_path / "a.csv"])
        judged = judge(runs)
        figure, table, *_ = section(judged).blocks
        assert isinstance(figure, Figure)
        assert isinstance(figure.drawing, Plot)
        assert isinstance(table, Table)
        steps = figure.drawing.sketch.steps
        drawn = [str(step.args[0]) for step in steps if step.call == "annotate"]
        screen = [value_text(one.rung, (Metric.BANDWIDTH,)) for one in judged[0].rungs]
        assert str(table.rows[0][1][0]) == str(screen[0])
        return drawn[0], str(screen[0])

    assert told(write, read) == ("2.65", "2.65 GB/s")
    assert told(write) == ("5.00 GB/s (write)", "5.00 GB/s (write)")


def test_a_described_box_is_held_to_its_references(tmp_path: Path) -> None:
    """GPU 3 has half of its link bandwidth. The alert comes before the range."""
    slow = h100_box.rows(change=h100_box.scaled(0.5, "link/"))
    _, runs = read_runs([h100_box.written(tmp_path / "box.csv", slow)])
    made = section(judge(runs))
    alert = made.blocks[0]
    assert isinstance(alert, Alert)
    assert "GPU 3: host to GPU: fail" in str(alert.line)
    figures = [block for block in made.blocks if isinstance(block, Figure)]
    assert [figure.slug for figure in figures] == ["tier-bandwidth", "tier-latency"]
    assert all("Wide bars are the ranges in the reference." in figure.caption for figure in figures)
    (table,) = (block for block in made.blocks if isinstance(block, Table))
    cells = {str(row[0][0]): [str("".join(map(str, cell))) for cell in row] for row in table.rows}
    assert cells["host link"][-2:] == ["50%", "fail"]
    assert cells["HBM"][-1] == "pass"
    assert cells["DDR"][-4] == "DDR read"
    assert cells["shared memory"][-1] == "no reference"


def test_a_shipped_run_is_not_held_to_itself() -> None:
    _, runs = read_runs([*(REFERENCE / "epyc-zen4-2cpu-vm").glob("*.csv")])
    (judged,) = judge(runs)
    assert judged.check is None
    assert all(not rung.lines for rung in judged.rungs)
