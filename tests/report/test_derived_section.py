"""The report section of derived values: rules, cases, and the missing values with their reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from membench.report.page.document import Bullets, Line, Paragraph, Section, Strong, Table
from membench.report.page.runs import ReportSource, Run
from membench.report.page.sections import derived
from membench.report.page.sections.derived import common_form
from membench.report.page.write import make_report
from membench.results.schema import Row


def run_of(rows: tuple[Row, ...], label: str = "box-1") -> Run:
    return Run(label, ReportSource(Path("a.csv"), b"", ()), rows, None, None)


def plain(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in line)


def tables(section: Section) -> dict[str, list[list[str]]]:
    """Anchor of a subsection -> the cells of its tables."""
    return {
        part.anchor: [
            [plain(cell) for cell in row]
            for block in part.blocks
            if isinstance(block, Table)
            for row in block.rows
        ]
        for part in section.sections
    }


def missing(section: Section) -> dict[str, str]:
    """Name of a value that could not be derived -> reason."""
    found = {}
    for part in section.sections:
        for block in part.blocks:
            if part.anchor == "not-derived" and isinstance(block, Bullets):
                for name, reason in block.items:
                    assert isinstance(name, Strong)
                    found[name.text.removesuffix(": ")] = str(reason)
    return found


def test_every_figure_has_value_unit_and_cases(with_tiers: tuple[Row, ...]) -> None:
    made = derived.section([run_of(with_tiers)])
    assert missing(made) == {}
    found = tables(made)
    chase = "gpu/chase/size=*/order=random/hint=plain (7 cases)"
    assert found["derived-capacities"] == [
        ["L1", "128 KiB", "1.00 MiB", "latency", chase],
        ["L1", "128 KiB", "1.00 MiB", "bandwidth", "l1/read/size=*/hint=plain (7 cases)"],
    ]
    assert found["derived-l2"] == [["l2/map/size=8MiB", "140 ns", "215 ns", "40.0 %"]]
    (of_gpu,) = found["derived-load"]
    assert of_gpu == [
        "hbm/loaded/size=1GiB/reads=100/load=*/sms=100 (3 cases)",
        *("400 ns", "2500 GB/s, 520 ns", "2900 GB/s, 1.10 us"),
    ]
    assert found["derived-shares"] == [
        ["hbm/gather/size=4GiB/page=4KiB/table=uniform", "80.0 %"],
    ]
    assert found["derived-conflicts"] == [["smem/read/width=4/stride=8", "8.00x", "8x"]]


def test_every_kind_says_its_rule(with_tiers: tuple[Row, ...]) -> None:
    for part in derived.section([run_of(with_tiers)]).sections:
        assert isinstance(part.blocks[0], Paragraph)
        assert len(plain(part.blocks[0].line)) > 80


def test_what_cannot_be_derived_is_listed_with_the_reason(everything: tuple[Row, ...]) -> None:
    made = derived.section([run_of(everything)])
    reasons = missing(made)
    assert set(reasons) == {
        "Cache capacities",
        "Near and far L2",
        "Latency under load",
        "Shares of the read bandwidth",
        "Bank conflicts",
    }
    assert all(reason.endswith(".") for reason in reasons.values())
    assert [part.anchor for part in made.sections] == ["not-derived"]
    assert set(missing(derived.section([]))) == set(reasons)


def test_several_runs_have_a_table_each_under_their_name(with_tiers: tuple[Row, ...]) -> None:
    bare = tuple(row for row in with_tiers if not row.case.startswith("smem/"))
    made = derived.section([run_of(with_tiers), run_of(bare, "box-2")])
    captions = {
        part.anchor: [block.caption for block in part.blocks if isinstance(block, Table)]
        for part in made.sections
    }
    assert [one.partition(":")[0] for one in captions["derived-l2"]] == ["box-1", "box-2"]
    assert [one.partition(":")[0] for one in captions["derived-conflicts"]] == ["box-1"]
    assert missing(made) == {}


def test_rows_that_failed_are_no_ground_for_a_figure(
    with_tiers: tuple[Row, ...], make_absent: Callable[..., Row]
) -> None:
    rows = tuple(
        make_absent(row.tier, row.case, "no", metric=row.metric)
        if row.case.startswith("l2/map")
        else row
        for row in with_tiers
    )
    assert set(missing(derived.section([run_of(rows)]))) == {"Near and far L2"}


@pytest.mark.parametrize(
    ("cases", "form"),
    [
        (["hbm/read/size=1GiB"], "hbm/read/size=1GiB"),
        (["a/b/x=1/y=2", "a/b/x=3/y=2"], "a/b/x=*/y=2"),
        (["a/b/x=1/y=2", "a/b/x=3"], "a/b/*"),
    ],
)
def test_cases_in_one_form(cases: list[str], form: str) -> None:
    assert common_form(cases) == form


@pytest.mark.slow
def test_both_formats_have_it(
    tmp_path: Path, with_tiers: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    path = make_file(tmp_path / "a.csv", [replace(row) for row in with_tiers])
    for name in ("r.md", "r.html"):
        text = make_report([path], tmp_path / name)[0].read_text(encoding="utf-8")
        assert "Derived figures" in text
        assert "2500 GB/s, 520 ns" in text
