"""Recommends how to move KV blocks on the machine, in one line per direction."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from membench.analysis.derive.links import policies
from membench.results.schema import Row


def print_policies(console: Console, rows: Sequence[Row]) -> None:
    """Print how an engine should move KV blocks on this machine, for each measured direction."""
    for found in policies(rows):
        line = Text.assemble(
            ("kv_policy ", "dim"),
            (found.line, "bold"),
            f"   (loses {found.loss:.1%} at worst; docs/kv-blocks.md explains it)",
        )
        console.print(line, soft_wrap=True)
