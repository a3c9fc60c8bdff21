"""No two modules define a class with the same name."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for path in (ROOT / "membench").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert names["CaseResult"] == 1
    assert [name for name, count in names.items() if count > 1] == []
