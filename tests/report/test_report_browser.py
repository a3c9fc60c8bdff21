"""The report in a browser: light, dark, on a phone, printed, and with hostile data."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from page import Page
from PIL import Image

from membench.core.terms import Status
from membench.report.page.write import make_report
from membench.results.schema import Row

pytestmark = pytest.mark.slow

AA = 4.5
"""Minimum contrast of normal text in WCAG 2.2 (1.4.3)."""

HOSTILE = (
    '</title></style></svg><script>document.title="ran";new Image().src="http://127.0.0.1:9/a"'
    '</script><img src="http://127.0.0.1:9/b" onerror="document.title=1"><svg onload="alert(1)">'
    '<link rel=stylesheet href="http://127.0.0.1:9/c"><iframe src="http://127.0.0.1:9/d">'
)

CONTRAST = """
(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || ["STYLE", "style", "title", "desc"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    if (!colour.startsWith("rgb")) continue;
    const [a, b] = [luminance(colour), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.textContent.slice(0, 60)];
  }
  return worst;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory,
    with_gpu: tuple[Row, ...],
    make_file: Callable[..., Path],
) -> Path:
    """A report with every plot. All free text of its results is hostile."""
    folder = tmp_path_factory.mktemp("browser")

    def hostile(row: Row) -> Row:
        return replace(
            row,
            device=f"{row.device} {HOSTILE}",
            detail={**row.detail, "note": HOSTILE},
            reason=HOSTILE if row.status is not Status.OK else "",
        )

    results = make_file(folder / "a.csv", [hostile(row) for row in with_gpu])
    (page, *_) = make_report([results], folder / "r.html")
    return page


def test_no_script_runs_and_no_request_leaves(browser: Browser, report: Path) -> None:
    assert HOSTILE[:30] not in report.read_text(encoding="utf-8")
    browser.requested.clear()
    browser.open(report)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.look(1200, 1200)
    assert browser.requested == [report.as_uri()]
    assert browser.opened == []
    assert str(browser.evaluate("document.title")).endswith("membench report")
    assert browser.evaluate("document.scripts.length + document.images.length") == 0
    assert browser.evaluate("document.querySelectorAll('iframe, link, object').length") == 0
    # The browser shows the hostile text as text.
    assert "document.title=" in browser.evaluate("document.body.textContent")


TREE = """
[...document.querySelectorAll("*")].map((one) => {
  let depth = 0;
  for (let above = one.parentElement; above; above = above.parentElement) depth += 1;
  return [depth, one.localName.toLowerCase()];
})
"""


def test_the_tree_is_the_one_that_was_written(browser: Browser, report: Path) -> None:
    """A browser changes invalid HTML, such as a block in a paragraph or a link in a link."""
    browser.open(report)
    tree = [tuple(place) for place in browser.evaluate(TREE)]
    assert tree == Page(report.read_text(encoding="utf-8")).places


def _pixels(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_paper(browser: Browser, report: Path, scheme: str) -> None:
    browser.open(report)
    pixels = _pixels(browser.look(1200, 900, scheme))
    brightness = float(pixels.mean())
    assert brightness > 200 if scheme == "light" else brightness < 60
    assert pixels.std() > 10  # the plot is not blank
    ratio, text = browser.evaluate(CONTRAST)
    assert ratio >= AA, f"{ratio:.2f}: {text}"


def test_a_phone_scrolls_down_only(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.look(390, 844)
    assert browser.evaluate("document.documentElement.scrollWidth") == 390
    wide = "[...document.querySelectorAll('figure svg, .strip svg, p, h1, h2, h3, .cards li')]"
    beyond = "filter((one) => one.getBoundingClientRect().right > 391).map((one) => one.outerHTML)"
    assert browser.evaluate(f"{wide}.{beyond}") == []
    small = "Math.min(...[...document.querySelectorAll('figure svg text')].map("
    assert browser.evaluate(f"{small}(one) => one.getBoundingClientRect().height))") >= 8


def test_it_prints(browser: Browser, report: Path) -> None:
    browser.open(report)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 5 < pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") < 120


def test_the_keyboard_reaches_tables_and_data(browser: Browser, report: Path) -> None:
    browser.open(report)
    reachable = "[...document.querySelectorAll('a[href], summary, .scroll')]"
    assert browser.evaluate(f"{reachable}.every((one) => one.tabIndex === 0)") is True
    assert browser.evaluate("document.querySelectorAll('figure details table').length") >= 15
