"""The Markdown report: the same content as HTML, small, with all data escaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.terms import Metric, Status, Tier
from membench.report.page import markdown
from membench.report.page.compose import compose, measured
from membench.report.page.document import Code, Column, Document, Line, Paragraph, Section, Table
from membench.report.page.markdown_text import code, escaped, fence
from membench.report.page.runs import read_runs
from membench.report.page.sections import figures
from membench.report.page.write import make_report
from membench.results.schema import Row
from membench.thesis.claims.verdicts import verdicts


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    everything: tuple[Row, ...],
    make_file: Callable[..., Path],
) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("markdown")
    return make_report([make_file(folder / "a.csv", everything)], folder / "out" / "my report.md")


def test_every_case_and_every_plot_is_there(
    written: tuple[Path, ...], everything: tuple[Row, ...]
) -> None:
    text = written[0].read_text(encoding="utf-8")
    for row in everything:
        assert f"`{row.case}`" in text
        assert row.reason in text
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(linked) == 16
    assert {name.replace("%20", " ") for name in linked} == {path.name for path in written[1:]}


def test_pictures_stand_on_their_own(written: tuple[Path, ...]) -> None:
    for path in written[1:]:
        text = path.read_text(encoding="utf-8")
        root = ET.fromstring(text.encode())
        assert float(root.attrib["width"]) > 0
        assert "prefers-color-scheme:dark" in text
        names = set(re.findall(r"var\((--[a-z0-9-]+)", text))
        assert names <= set(re.findall(r"(--[a-z0-9-]+):", text))


def test_its_headings_are_those_of_the_page(written: tuple[Path, ...]) -> None:
    text = written[0].read_text(encoding="utf-8")
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Headline",
        "What the results of this machine say about the thesis",
        "Plots",
        "Results",
        "Environment",
        "Advice",
        "Derived figures",
        "Thesis: demand for HBM, DDR and SSD",
        "Supply and demand",
        "Skipped and failed",
        "Flags",
        "How to reproduce",
    ]


def test_the_thesis_is_defined_where_it_is_first_named(written: tuple[Path, ...]) -> None:
    text = written[0].read_text(encoding="utf-8")
    _, told = text.split("## What the results of this machine say about the thesis\n", 1)
    assert told.lstrip().startswith(
        "The thesis under test is that inference moves the demand for memory from HBM to DDR and "
    )
    head = next(line for line in told.splitlines() if line.startswith("| tier"))
    assert "propositions about the machine" in head
    assert "reason" not in head


def test_every_table_has_as_many_cells_in_each_row(written: tuple[Path, ...]) -> None:
    text = written[0].read_text(encoding="utf-8")
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1


@pytest.mark.slow
def test_it_fits_a_step_summary_whatever_the_size_of_the_run(
    tmp_path: Path, make_result: Callable[..., Row], make_file: Callable[..., Path]
) -> None:
    rows = [
        make_result(Tier.DDR, f"ddr/read/size={size}MiB/pages=thp", Metric.BANDWIDTH, 1.0 + size)
        for size in range(1, 3001)
    ]
    file = make_file(tmp_path / "a.csv", rows)
    sources, runs = read_runs([file])
    first = measured(sources, runs, figures.section(runs))
    judged = verdicts([row for run in runs for row in run.rows])
    document = compose(first, judged, judged.entries)
    slugs: dict[str, str] = defaultdict(lambda: "x.svg")
    whole = markdown.render(document, slugs)
    assert len(whole.encode()) <= markdown.LIMIT
    assert "ddr/read/size=3000MiB" in whole
    short = markdown.render(document, slugs, limit=150_000)
    assert len(short.encode()) <= 150_000
    assert re.search(r"[12]\d{3} more rows: see the results file\.", short)


@pytest.mark.slow
def test_hostile_text_stays_text(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    hostile = "<img src=x onerror=alert(1)> [a](javascript:b) ![c](http://d.example) `e` | f"
    rows = [
        replace(row, device=hostile, reason=hostile if row.status is not Status.OK else "")
        for row in everything
    ]
    file = make_file(tmp_path / "a.csv", rows, sidecar=False)
    text = make_report([file], tmp_path / "r.md")[0].read_text(encoding="utf-8")
    assert "onerror" in text
    assert not re.search(r"(?<!\\)<img", text)
    assert not re.search(r"(?<!\\)\[a(?<!\\)\]", text)
    assert "http://" not in text


@given(st.text())
def test_escaped_text_opens_nothing(text: str) -> None:
    done = escaped(text)
    assert "\n" not in done
    bare = re.sub(r"\\[\\`*_\[\]<>|~$#]", "", done)
    assert not re.search(r"[`*_\[\]<>|~$]", bare)
    assert "://" not in done.replace("&#58;//", "") or not re.search(r"(?i)\bhttps?://", done)


@given(st.text(alphabet="`a|\n", max_size=12))
def test_code_cannot_be_left_from_within(text: str) -> None:
    ticks = fence(text, 1)
    assert ticks not in text
    done = code(text)
    assert "\n" not in done
    if text.strip():
        assert done.startswith(ticks)
        assert done.endswith(ticks)


def test_the_bars_of_code_are_escaped_only_in_a_table() -> None:
    bars: Line = (Code("a | b"),)
    blocks = (Paragraph(bars), Table("t", (Column("c"),), ((bars,),)))
    document = Document("d", bars, "g", (), (Section("s", "s", blocks),))
    lines = markdown.render(document, {}).splitlines()
    assert lines.count("`a | b`") == 2
    assert lines.count("| `a \\| b` |") == 1


def test_what_cannot_be_is_never_the_headline(
    make_result: Callable[..., Row], make_file: Callable[..., Path], tmp_path: Path
) -> None:
    real = make_result(Tier.DDR, "ddr/copy/size=1GiB", Metric.BANDWIDTH, 30.0)
    beyond = make_result(
        Tier.DDR, "ddr/copy/size=1MiB", Metric.BANDWIDTH, 900.0, flags=("above-peak",)
    )
    file = make_file(tmp_path / "a.csv", (real, beyond))
    text = make_report([file], tmp_path / "r.md")[0].read_text(encoding="utf-8")
    headline = text.partition("## Headline")[2].partition("\n## ")[0]
    assert "ddr/copy/size=1GiB" in headline
    assert "ddr/copy/size=1MiB" not in headline
    assert "ddr/copy/size=1MiB" in text  # the row remains, with its flag
