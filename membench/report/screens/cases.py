"""Print the cases of a plan: first the cases that can run, then the other cases by reason."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from membench.core.units import about_size, significant
from membench.report.screens.plain import GAP, LISTED, aligned, named
from membench.results.plan import PlannedCase

_HEAD = ("case", "s/round", "memory", "tier")
_CANNOT = "cannot run here"
_MORE = "--all names all these cases"


def print_cases(
    cases: Iterable[PlannedCase], *, everything: bool = False, more: str = _MORE
) -> None:
    """Print one line per case that can run, then the cases that cannot run, grouped by reason.

    The line gives the GPU memory if the case uses no host memory. With ``everything``, all cases
    that cannot run are named. Otherwise more than `LISTED` cases with one reason are only counted,
    and the last line is ``more``, the way to see their names.
    """
    rows: list[tuple[str, ...]] = []
    by_reason: dict[str, list[str]] = {}
    for case in cases:
        if case.skipped:
            by_reason.setdefault(case.skipped, []).append(case.id)
            continue
        memory = case.memory or case.gpu_memory
        cost = (significant(case.seconds, 2), about_size(memory) if memory else "")
        rows.append((case.id, *cost, str(case.tier)))
    if everything or all(len(several) <= LISTED for several in by_reason.values()):
        more = ""
    if sys.stdout.isatty():
        _draw(rows, by_reason, whole=everything, more=more)
    else:
        lines = _lines(rows, by_reason, whole=everything, more=more)
        sys.stdout.writelines(f"{line.rstrip(' ')}\n" for line in lines)


def _lines(
    rows: Sequence[Sequence[str]], by_reason: Mapping[str, list[str]], *, whole: bool, more: str
) -> Iterator[str]:
    if rows:
        yield from aligned([_HEAD, *rows])
    if rows and by_reason:
        yield ""
    for reason, cases in by_reason.items():
        yield f"{len(cases)} {_CANNOT}: {reason}"
        yield from (" " * GAP + line for line in named(cases, whole=whole))
    if more:
        yield more


def _draw(
    rows: Sequence[tuple[str, ...]], by_reason: Mapping[str, list[str]], *, whole: bool, more: str
) -> None:
    from rich.text import Text

    from membench.report.screens.console import console
    from membench.report.screens.run import print_grouped
    from membench.report.screens.text_table import TextTable, print_table

    drawn = console()
    if rows:
        print_table(drawn, TextTable(None, _HEAD, tuple(rows)))
    if rows and by_reason:
        drawn.print()
    print_grouped(drawn, _CANNOT, by_reason, whole=whole)
    if more:
        drawn.print(Text(more, "dim"))
