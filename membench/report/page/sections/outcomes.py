"""The section with failed and skipped cases, grouped by reason."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import listed, tr, tr_n
from membench.core.terms import Status
from membench.report.page.document import Bullets, Code, Paragraph, Section
from membench.report.page.runs import Run

_WORDS = {
    Status.FAILED: (tr("Failed"), tr("No case failed.")),
    Status.SKIPPED: (tr("Skipped"), tr("No case was skipped.")),
}


def section(runs: Sequence[Run]) -> Section:
    parts = tuple(_part(runs, status) for status in (Status.FAILED, Status.SKIPPED))
    return Section("outcomes", tr("Skipped and failed"), (), parts)


def _part(runs: Sequence[Run], status: Status) -> Section:
    """The cases with ``status``, grouped by run and reason; skipped cases are folded."""
    by_reason: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        for row in run.rows:
            if row.status is status:
                by_reason.setdefault((run.label, row.reason), {})[row.case] = None
    title, none = _WORDS[status]
    if not by_reason:
        return Section(str(status), title, (Paragraph((none,)),))
    reasons: list[Section] = []
    for (label, reason), cases in by_reason.items():
        head: str = tr_n("{count} case", "{count} cases", len(cases))
        if len(runs) > 1:
            head = listed((label, head))
        reasons.append(
            Section(
                f"{status}-{len(reasons)}",
                tr("{input}: {reason}", input=head, reason=reason),
                (Bullets(tuple((Code(case),) for case in cases)),),
                folded=status is not Status.FAILED,
            )
        )
    return Section(str(status), title, (), tuple(reasons))
