"""The section that explains the flags in the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.core.messages import tr
from membench.core.terms import FLAGS, Status
from membench.report.page.document import Code, Column, Paragraph, Section, Table
from membench.report.page.runs import Run


def section(runs: Sequence[Run]) -> Section:
    """A table that explains each flag of the `ok` rows and counts the rows with the flag."""
    ok = [row for run in runs for row in run.rows if row.status is Status.OK]
    counts = Counter(flag for row in ok for flag in row.flags)
    if not counts:
        return Section("flags", tr("Flags"), (Paragraph((tr("No row has a flag."),)),))
    columns = [Column(tr("flag")), Column(tr("rows"), numeric=True)]
    columns += [
        Column(title, prose=True) for title in (tr("observation"), tr("consequence"), tr("remedy"))
    ]
    rows = tuple(
        (
            (Code(code),),
            (tr("{part} of {whole}", part=counts[code], whole=len(ok)),),
            (flag.meaning,),
            (flag.weight,),
            (flag.remedy,),
        )
        for code, flag in FLAGS.items()
        if counts[code]
    )
    return Section("flags", tr("Flags"), (Table(tr("Flags of this report"), tuple(columns), rows),))
