"""Print the built-in references for `membench list --references`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.references import Reference


def print_references(console: Console, found: Sequence[Reference]) -> None:
    """Print measured references first, then published values."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("reference", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("cases", justify="right", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for one in sorted(found, key=lambda one: (one.kind != "measured", one.name)):
        table.add_row(Text(one.label), one.kind, str(one.cases), Text(one.title))
    console.print(table)
    console.print()
    console.print("Compare with a reference: membench compare FILE --against ref:NAME")
