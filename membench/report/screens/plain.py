"""Lines of tables and lists for a pipe, without Rich, which takes as long to load as click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

GAP = 2
"""Blanks between two columns."""

LISTED = 6
"""Maximum number of skipped cases per reason that are named; the file has all of them."""


def widths(rows: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """Width of each column of ``rows``, in characters."""
    return tuple(max(map(len, column)) for column in zip(*rows, strict=True))


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line per row: the first and the last column to the left, the others to the right."""
    wide = widths(rows)
    inner = range(1, len(wide) - 1)
    for row in rows:
        yield (" " * GAP).join(
            cell.rjust(wide[place]) if place in inner else cell.ljust(wide[place])
            for place, cell in enumerate(row)
        )


def named(cases: Sequence[str], *, whole: bool) -> Sequence[str]:
    """``cases``, one per line; many become the number per family, unless ``whole``."""
    return cases if whole or len(cases) <= LISTED else [families(cases)]


def families(cases: Iterable[str]) -> str:
    """Many cases as the number per family: ``hbm 14, link 9``."""
    counts = Counter(case.partition("/")[0] for case in cases)
    return ", ".join(f"{family} {count}" for family, count in counts.items())
