"""Write a check as Markdown, for an issue or a job summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from membench.analysis.check.machine import MachineCheck
from membench.report.page.markdown_text import escaped
from membench.report.screens.check.words import (
    SourceNumbers,
    answer,
    cells,
    legend,
    precondition_lines,
    source_lines,
    straggler_lines,
)

_HEAD = ("tier", "what", "measured", "expected", "share", "verdict", "source")


def to_markdown(name: str, check: MachineCheck, failures: Sequence[str]) -> str:
    """ASCII Markdown: the result in one line, the preconditions, a table, and the sources."""
    return "\n".join(_lines(name, check, failures)) + "\n"


def _lines(name: str, check: MachineCheck, failures: Sequence[str]) -> Iterator[str]:
    yield f"## membench check: {escaped(name)}"
    yield ""
    yield f"**{escaped(answer(check, failures))}**"
    yield ""
    yield from (
        f"- {escaped(line)}" for line in (*precondition_lines(check), *straggler_lines(check))
    )
    yield ""
    yield f"| {' | '.join(_HEAD)} |"
    yield f"| {' | '.join(['---'] * len(_HEAD))} |"
    sources = SourceNumbers()
    for line in check.lines:
        row = cells(line, sources)
        verdict = f"{row.verdict} ({row.remark})" if row.remark else row.verdict
        parts = (row.tier, row.name, row.measured, row.expected, row.share, verdict, row.source)
        yield f"| {' | '.join(map(escaped, parts))} |"
    yield ""
    yield from (f"{escaped(text)}  " for text in legend(check))
    yield from (f"{escaped(text)}  " for text in source_lines(sources))
