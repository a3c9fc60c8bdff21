"""The section that shows the command of each run and attaches the results files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.files import shown
from membench.core.messages import tr
from membench.core.text import shell_word
from membench.report.page.document import (
    Attachment,
    Block,
    Code,
    Command,
    Paragraph,
    Section,
    Strong,
)
from membench.report.page.runs import ReportSource, Run


def section(sources: Sequence[ReportSource], runs: Sequence[Run]) -> Section:
    """The command of every run, and the results files as attachments, except pipes."""
    blocks: list[Block] = []
    for run in runs:
        if len(runs) > 1:
            blocks.append(Paragraph((Strong(run.label),)))
        blocks += _commands(run)
    for source in sources:
        if source.data:
            blocks.append(
                Attachment(
                    shown(Path(source.path.name)),
                    "text/csv",
                    source.data,
                    f"SHA-256 {source.sha256}",
                )
            )
    return Section("reproduce", tr("How to reproduce"), tuple(blocks))


def _commands(run: Run) -> list[Block]:
    if run.sidecar is None:
        return [Paragraph((tr("The command is unknown: no sidecar describes this run."),))]
    plan = run.sidecar.plan
    return [
        Command(" ".join(map(shell_word, plan.argv))),
        Paragraph(
            (
                tr(
                    "The seed of the case order was {seed}, and the version of membench was "
                    "{version}.",
                    seed=Code(str(plan.seed)),
                    version=plan.software,
                ),
            )
        ),
    ]
