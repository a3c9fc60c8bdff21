"""Print the copy methods that an inference engine should use for KV blocks on a machine."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from membench.analysis.derive.links import policies
from membench.results.schema import Row


def print_policies(console: Console, rows: Sequence[Row]) -> None:
    for found in policies(rows):
        line = Text.assemble(
            ("kv_policy ", "dim"),
            (found.line, "bold"),
            f"   (at most {found.loss:.1%} slower than the best methods; see docs/kv-blocks.md)",
        )
        console.print(line, soft_wrap=True)
