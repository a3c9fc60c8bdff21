"""Lay out tables and lists as lines of plain text.

This module does not need Rich, which takes long to load, so output to a pipe can avoid Rich.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

GAP = 2
"""Number of blanks between two columns."""

LISTED = 6
"""Maximum number of names in a list; a longer list has only counts."""


def widths(rows: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """Width of each column of ``rows``, in characters."""
    return tuple(max(map(len, column)) for column in zip(*rows, strict=True))


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """One line per row; all columns except the first and the last are aligned right."""
    wide = widths(rows)
    inner = range(1, len(wide) - 1)
    for row in rows:
        yield (" " * GAP).join(
            cell.rjust(wide[place]) if place in inner else cell.ljust(wide[place])
            for place, cell in enumerate(row)
        )


def named(cases: Sequence[str], *, whole: bool) -> Sequence[str]:
    """One line per case; without ``whole``, more than `LISTED` cases become one line of counts."""
    return cases if whole or len(cases) <= LISTED else [families(cases)]


def families(cases: Iterable[str]) -> str:
    """The number of cases per prefix of the case id, such as ``hbm 14, link 9``."""
    counts = Counter(case.partition("/")[0] for case in cases)
    return ", ".join(f"{family} {count}" for family, count in counts.items())
