"""Print a check on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from membench.analysis.check.lines import TierLine
from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.rule import CheckVerdict
from membench.report.screens.check.words import (
    SourceNumbers,
    answer,
    cells,
    legend,
    precondition_lines,
    source_lines,
    straggler_lines,
)
from membench.report.screens.console import say

_STYLE = {
    CheckVerdict.GOOD: "green",
    CheckVerdict.LOOK: "yellow",
    CheckVerdict.NOT_JUDGED: "dim",
    CheckVerdict.FAULT: "red bold",
    CheckVerdict.FAIL: "red bold",
}


def print_check(console: Console, name: str, check: MachineCheck, failures: Sequence[str]) -> None:
    say(console, f"{name}: {answer(check, failures)}", "bold")
    held = ", ".join(check.references) or "nothing: there are no expected values for this machine"
    say(console, f"compared with {held}", "dim")
    console.print()
    for line in (*precondition_lines(check), *straggler_lines(check)):
        say(console, line)
    sources = SourceNumbers()
    console.print()
    print_tiers(console, check.lines, sources)
    for text in legend(check):
        say(console, text, "dim")
    console.print()
    for line in source_lines(sources):
        say(console, line, "dim")


def print_tiers(console: Console, lines: Sequence[TierLine], sources: SourceNumbers) -> None:
    """Print one row per line of the check, with the remark, if any, below the row."""
    rows = [cells(line, sources) for line in lines]
    columns = [
        [getattr(row, name) for row in rows] for name in ("name", "measured", "expected", "share")
    ]
    widths = [max((len(text) for text in column), default=0) for column in columns]
    heads = ("what", "measured", "expected", "share")
    widths = [max(width, len(head)) for width, head in zip(widths, heads, strict=True)]
    console.print(Text(_joined("tier", heads, widths, "verdict"), "dim"), soft_wrap=True)
    for line, row in zip(lines, rows, strict=True):
        numbers = (row.name, row.measured, row.expected, row.share)
        text = Text(_joined(row.tier, numbers, widths, ""))
        text.append(row.verdict, _STYLE[line.verdict])
        text.append(f" [{row.source.replace(' ', '] [')}]" if row.source else "", "dim")
        console.print(text, soft_wrap=True)
        if row.remark:
            console.print(Padding(Text(row.remark, "dim"), (0, 0, 0, 6)))


def _joined(tier: str, numbers: Sequence[str], widths: Sequence[int], verdict: str) -> str:
    name, *others = numbers
    first, *rest = widths
    right = (text.rjust(width) for text, width in zip(others, rest, strict=True))
    return "  ".join((f"{tier:<4}", name.ljust(first), *right, verdict))
