"""Counts in messages have a singular and a plural form, and never "(s)"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import membench
from membench.core.text import counted


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (12345, "12345 cases")]
)
def test_a_noun_follows_its_number(count: int, text: str) -> None:
    assert counted(count, "case") == text


def test_large_counts_may_be_grouped() -> None:
    assert counted(12345, "request", ",") == "12,345 requests"


def test_no_message_leaves_the_plural_to_the_reader() -> None:
    root = Path(membench.__file__).parent
    own = re.compile(r"[a-z]{2}\(s\)['\" ]|'s' if|'s' \*|'' if \w+ == 1 else 's'")
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if own.search(line) and "{noun}" not in line and "sum over groups" not in line
    ]
    assert found == []
