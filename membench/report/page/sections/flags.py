"""What the flags in this report mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.core.terms import FLAGS, Status
from membench.report.page.document import Code, Column, Paragraph, Section, Table
from membench.report.page.runs import Run


def section(runs: Sequence[Run]) -> Section:
    """Only the flags that occur, with how many rows carry them."""
    ok = [row for run in runs for row in run.rows if row.status is Status.OK]
    counts = Counter(flag for row in ok for flag in row.flags)
    if not counts:
        return Section("flags", "Flags", (Paragraph(("No row carries a flag.",)),))
    columns = [Column("flag"), Column("rows", numeric=True)]
    columns += [
        Column(title, prose=True) for title in ("what was seen", "how bad it is", "what to do")
    ]
    rows = tuple(
        (
            (Code(code),),
            (f"{counts[code]} of {len(ok)}",),
            (flag.meaning,),
            (flag.weight,),
            (flag.remedy,),
        )
        for code, flag in FLAGS.items()
        if counts[code]
    )
    return Section("flags", "Flags", (Table("Flags of this report", tuple(columns), rows),))
