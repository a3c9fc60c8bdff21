"""What the headline says of figures that were measured here, and of others'."""

from __future__ import annotations

from pathlib import Path

from membench.report.page.document import Table
from membench.report.page.runs import read_runs
from membench.report.page.sections.headline import section

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def words(table: Table) -> str:
    return " ".join(str(cell) for row in table.rows for cell in row)


def test_of_a_cited_figure_it_says_only_what_is_known() -> None:
    _, runs = read_runs([REFERENCE / name / "figures.csv" for name in ("h100-sxm", "h200-sxm")])
    table, *quality = section(runs).blocks
    assert isinstance(table, Table)
    assert "not measured by membench: cited" in words(table)
    assert "of the peak that the device reports" in words(table)
    assert "unknown" not in words(table)
    assert "round" not in words(table)
    assert all("Cited figures." in str(block) for block in quality)
