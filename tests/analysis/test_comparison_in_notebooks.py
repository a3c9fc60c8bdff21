"""The notebook display of results: short lines and tables, with all text escaped."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import membench
from membench.core.notebook import html_table

REFERENCES = Path(__file__).parents[2] / "results" / "reference"
REFERENCE = next(REFERENCES.glob("epyc-zen4-2cpu-vm/*.csv"))


def cells(table: str, tag: str) -> list[str]:
    return [
        unescape(text) for text in re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", table, re.DOTALL)
    ]


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2)), st.text())
def test_every_text_is_a_cell_and_none_is_markup(rows: list[list[str]], caption: str) -> None:
    table = html_table(caption, ["a", "b<"], rows, numbers=[1])
    assert cells(table, "td") == [text for row in rows for text in row]
    assert cells(table, "th") == ["a", "b<"]
    assert cells(table, "caption") == [caption]


def test_a_comparison_shows_each_label_beside_the_reference() -> None:
    several = membench.compare(
        f"<i>old={REFERENCE}", f"new={REFERENCE}", f"third={REFERENCE}", select="ddr/copy/*"
    )
    assert re.fullmatch(r"<Comparison with <i>old; new: \d+ \w+; third: \d+ \w+>", repr(several)), (
        several
    )
    table = several._repr_html_()
    assert "<i>" not in table
    head = ["case", "metric", "<i>old", "new", "ratio", "verdict", "third", "ratio", "verdict"]
    assert cells(table, "th") == head
    body = cells(table, "td")
    assert len(body) == len(head) * len(several.matched) > 0
    first = several.matched[0]
    assert body[0] == first.row.case
    assert body[4] == body[7] == "1.00"
    assert {body[2], body[3], body[6]} == {body[2]}
    assert body[2].endswith(" GB/s")


def test_shares_of_peak_are_per_cent_and_a_label_without_a_number_says_why() -> None:
    shares = membench.compare(
        f"a={REFERENCE}", f"b={REFERENCE}", select=["ddr/*", "host/chase/*"], normalize=True
    )
    assert not shares.matched  # the peak of this virtual machine is unknown
    assert cells(shares._repr_html_(), "td") == []
    with pytest.raises(membench.MembenchError, match="no case matches 'd'"):
        membench.compare(f"a={REFERENCE}", f"b={REFERENCE}", select=["d"])
