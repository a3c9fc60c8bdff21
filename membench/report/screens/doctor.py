"""Print the findings of `membench doctor`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from membench.core.text import counted
from membench.doctor import Finding, Severity

_STYLES = {Severity.FAIL: "bold red", Severity.WARN: "yellow", Severity.OK: "green"}
_LEVEL_WIDTH = max(len(level) for level in Severity)
_FIX = "fix: "


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print each finding, with the fix on the next line, and a summary."""
    names = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        console.print(_lines(finding, names, console.width), soft_wrap=True)
    console.print(_summary(findings))


def _lines(finding: Finding, names: int, width: int) -> Text:
    head = f"{finding.level:<{_LEVEL_WIDTH}}  {finding.check:<{names}}  "
    indent = " " * (_LEVEL_WIDTH + 2)  # less than the observation, because commands are long
    lines = _wrapped(finding.seen, head, " " * len(head), width)
    if finding.fix:
        label = indent + (_FIX if finding.level is not Severity.OK else "")
        lines += _wrapped(finding.fix, label, indent + " " * len(_FIX), width)
    text = Text("\n".join(lines))
    text.stylize(_STYLES[finding.level], 0, len(finding.level))
    return text


def _wrapped(text: str, first: str, others: str, width: int) -> list[str]:
    return textwrap.wrap(
        _printable(text),
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _printable(text: str) -> str:
    """``text`` in printable ASCII, because process and folder names may have any character."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _summary(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.level for finding in findings)
    return (
        f"{counted(sum(counts.values()), 'check')}: {counts[Severity.FAIL]} failed, "
        f"{counted(counts[Severity.WARN], 'warning')}, {counts[Severity.OK]} fine"
    )
