"""The HTML report: one well-formed page that loads no other file and runs no foreign script."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from page import Page

from membench.core.terms import Status, Tier
from membench.report.page.document import Attachment, Column, Document, Section, Table
from membench.report.page.html import download, render, wrapping
from membench.report.page.write import make_report
from membench.results.schema import Row

HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"


@pytest.fixture(scope="module")
def html(
    tmp_path_factory: pytest.TempPathFactory,
    everything: tuple[Row, ...],
    make_file: Callable[..., Path],
) -> str:
    """The text of an HTML report on rows of every kind."""
    folder = tmp_path_factory.mktemp("html")
    (path,) = make_report([make_file(folder / "a.csv", everything)], folder / "r.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def page(html: str) -> Page:
    return Page(html)


def test_the_sections_stand_in_their_order(page: Page) -> None:
    anchored = [one for tag, one in page.tags if tag in ("section", "div")]
    sections = [attributes.get("id") for attributes in anchored]
    order = ["headline", "machine-and-thesis", "plots", "results", "environment", "advice"]
    order += ["derived", "thesis", "demand", "outcomes", "flags", "method", "reproduce"]
    assert [name for name in sections if name in order] == order
    targets = [attributes["href"] for attributes in page.of("a")]
    assert [target for target in targets if target == f"#{order[0]}"]
    anchors = {attributes.get("id") for _, attributes in page.tags}
    for target in targets:
        assert target
        assert target.startswith("data:text/csv") or target.removeprefix("#") in anchors


def test_it_can_be_read_without_seeing_it(page: Page) -> None:
    assert next(page.of("html"))["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption")
    figures = tags.count("figure")
    assert figures == tags.count("figcaption") == 16
    folds = [one for one in page.of("details") if one.get("class") == "fold"]
    assert tags.count("details") == figures + len(folds)
    strips = [one for one in page.of("div") if one.get("class") == "strip"]
    assert len(strips) > 10
    assert tags.count("svg") == figures + len(strips)
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.of("th"))
    scrolling = [one for one in page.of("div") if one.get("class") == "scroll"]
    assert len(scrolling) == tags.count("table")
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in scrolling)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    languages = {one["lang"] for one in page.of("blockquote")}
    assert languages == {"zh-Hant-TW", "en"}


def test_each_region_has_a_name_of_its_own(page: Page, html: str) -> None:
    """Screen readers list regions by name (WAI-ARIA landmarks; axe's rule landmark-unique)."""
    names = [one["aria-label"] for one in page.of("div") if one.get("role") == "region"]
    heads = re.findall(r'<h\d id="[^"]*-title">(.*?)</h', html)
    assert len(names) > 30
    assert len(heads) > 30
    assert sorted({*names, *heads}) == sorted([*names, *heads])


def test_tables_with_one_caption_are_regions_with_two_names() -> None:
    table = Table("Rates", (Column("case"),), ((("a",),),))
    section = Section("x", "Sections", (table, table, replace(table, caption="Others")))
    made = Page(render(Document("t", ("lead",), "membench", (), (section,))))
    names = [one["aria-label"] for one in made.of("div") if one.get("role") == "region"]
    assert names == ["Rates", "Rates #2", "Others"]


def test_it_asks_for_nothing_from_outside(page: Page, html: str) -> None:
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe", "img", "object"}]
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "srcset", "action", "poster"}:
                assert re.match("#|data:", value or ""), f"<{tag} {name}={value}>"
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    policy = next(one for one in page.of("meta") if "http-equiv" in one)
    assert str(policy["content"]).startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_case_is_there_whatever_became_of_it(page: Page, everything: tuple[Row, ...]) -> None:
    text = "".join(page.text)
    for row in everything:
        assert row.case in text
        assert row.reason in text


def test_it_follows_the_reader_into_the_dark(html: str) -> None:
    light, dark = re.split(r"@media screen and \(prefers-color-scheme: dark\)", html)[:2]
    for name in ("paper", "text", "muted", "link", "plot-ink", "plot-1"):
        assert f"--{name}: #" in light
        assert f"--{name}: #" in dark.partition("* { box-sizing")[0]
    assert "@media print" in html


def test_the_results_travel_with_it(page: Page, results: Path) -> None:
    (link,) = [one for one in page.of("a") if "download" in one]
    head, _, data = str(link["href"]).partition(",")
    assert (link["download"], head) == ("a.csv", "data:text/csv;base64")
    assert base64.b64decode(data) == results.read_bytes()


def test_a_large_file_travels_compressed() -> None:
    data = b"0123456789" * 40000
    file = download(Attachment("a.csv", "text/csv", data, ""))
    assert file["name"] == "a.csv.gz"
    assert gzip.decompress(base64.b64decode(file["href"].partition(",")[2])) == data


def test_how_to_measure_again(page: Page) -> None:
    text = "".join(page.text)
    assert "membench run --select 'ddr/*' -o a.csv" in text
    assert "The seed of the case order was 7" in text


def test_the_thesis_says_what_it_cannot_say(page: Page) -> None:
    text = " ".join("".join(page.text).split())
    assert "A benchmark can show whether this works on a machine" in text
    assert "inconclusive (no data)" in text
    assert "16-bit matrix multiplication (gpu/gemm/bf16*" in text
    assert "A benchmark cannot test prices, market shares and stocks" in text
    assert "HBM \u4ecd\u662f AI" in text
    assert "永豐投顧" in text


def test_hostile_text_stays_text(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    rows = [
        replace(
            row,
            device=HOSTILE,
            driver=HOSTILE,
            detail={"note": "1"},
            reason=HOSTILE if row.status is not Status.OK else "",
        )
        for row in everything
    ]
    file = make_file(tmp_path / "<b>a&amp;.csv", rows)
    (path,) = make_report([file], tmp_path / "r.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "b"}]
    assert HOSTILE in "".join(page.text)


def test_what_is_wrong_with_a_file_is_said_first(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    rows = [row for row in everything if row.tier is Tier.HBM]
    results = make_file(tmp_path / "a.csv", rows)
    results.write_bytes(results.read_bytes().replace(b"Some CPU", b"Some TPU"))
    (path,) = make_report([results], tmp_path / "r.html")
    text = "".join(Page(path.read_text(encoding="utf-8")).text)
    assert "a.csv was changed after its run" in text
    assert text.index("was changed after its run") < text.index("GPU memory (HBM)")


@pytest.mark.slow
def test_a_file_without_any_value_says_so(
    tmp_path: Path, make_absent: Callable[..., Row], make_file: Callable[..., Path]
) -> None:
    rows = [make_absent(Tier.DDR, "ddr/read/size=1GiB", "no memory")]
    (path,) = make_report([make_file(tmp_path / "a.csv", rows)], tmp_path / "r.html")
    text = "".join(Page(path.read_text(encoding="utf-8")).text)
    assert "Nothing was measured." in text
    assert "Data quality: no data." in text
    assert "ddr/read/size=1GiB" in text
    assert "no bandwidth was measured" in text


def test_a_file_without_rows_says_so(tmp_path: Path, make_file: Callable[..., Path]) -> None:
    (path,) = make_report([make_file(tmp_path / "a.csv", [])], tmp_path / "r.html")
    text = "".join(Page(path.read_text(encoding="utf-8")).text)
    assert "There are no rows" in text


@pytest.mark.slow
def test_several_files_stand_side_by_side(
    results: Path, tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    others = [replace(row, run_id="other-1", machine="box-2") for row in everything[1:]]
    other = make_file(tmp_path / "b.csv", others, sidecar=False)
    (path,) = make_report([results, other], tmp_path / "r.html")
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    text = "".join(page.text)
    assert "box-1, box-2" in text
    assert "b.csv has no sidecar" in text
    assert "No sidecar describes this machine." in text
    behind = html.partition('<section id="results"')[2]
    shown = behind.partition('<section id="environment"')[0]
    assert shown.count('<th scope="col" class="n">box-2</th>') == 7
    assert "Verdict on box-2" in text
    assert [one["download"] for one in page.of("a") if "download" in one] == ["a.csv", "b.csv"]


def test_long_ids_break_at_their_slashes_only() -> None:
    assert wrapping("ddr/copy/size=1GiB") == "ddr/<wbr>copy/<wbr>size=1GiB"
    assert wrapping("a<b/c") == "a&lt;b/<wbr>c"
