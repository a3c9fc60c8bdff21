"""What was skipped and what failed, by reason."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.terms import Status
from membench.report.page.document import Block, Bullets, Code, Paragraph, Section, Strong
from membench.report.page.runs import Run
from membench.report.page.sections.words import counted

_WORDS = {
    Status.FAILED: ("Failed", "No case failed."),
    Status.SKIPPED: ("Skipped", "No case was skipped."),
}


def section(runs: Sequence[Run]) -> Section:
    """Failures first; every case by its id, under the reason that it shares with others."""
    parts = tuple(_part(runs, status) for status in (Status.FAILED, Status.SKIPPED))
    return Section("outcomes", "Skipped and failed", (), parts)


def _part(runs: Sequence[Run], status: Status) -> Section:
    by_reason: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        for row in run.rows:
            if row.status is status:
                by_reason.setdefault((run.label, row.reason), {})[row.case] = None
    blocks: list[Block] = []
    for (label, reason), cases in by_reason.items():
        of = f"{label}, " if len(runs) > 1 else ""
        blocks.append(Paragraph((Strong(f"{of}{counted(len(cases), 'case')}: "), reason)))
        blocks.append(Bullets(tuple((Code(case),) for case in cases)))
    title, none = _WORDS[status]
    return Section(str(status), title, tuple(blocks) or (Paragraph((none,)),))
