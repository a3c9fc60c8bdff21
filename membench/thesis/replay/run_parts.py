"""Functions that find repeated blocks in the runs of a request, and split and measure runs."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

Run = tuple[int, int]
"""The first and the last id of a run, inclusive."""
Part = tuple[int, int, bool]
"""(first id, last id, whether the same request named these blocks earlier)."""


def overlap(runs: list[Run]) -> bool:
    """Whether a block is in two of ``runs``."""
    ordered = sorted(runs)
    return any(one[1] >= other[0] for one, other in pairwise(ordered))


def first_uses(runs: list[Run]) -> list[Part]:
    seen: list[Run] = []  # disjoint, ascending
    parts: list[Part] = []
    for begin, last in runs:
        first = begin
        place = bisect_right(seen, (first, first)) - 1
        for start, end in seen[max(place, 0) :]:
            if end < first:
                continue
            if start > last:
                break
            if first < start:
                parts.append((first, start - 1, False))
            parts.append((max(first, start), min(last, end), True))
            first = end + 1
        if first <= last:
            parts.append((first, last, False))
        seen = _merged([*seen, (begin, last)])
    return parts


def _merged(runs: list[Run]) -> list[Run]:
    merged: list[Run] = []
    for first, last in sorted(runs):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged


def distinct(runs: list[Run]) -> list[Run]:
    """``runs`` without repeated blocks."""
    if not overlap(runs):
        return runs
    return [(first, last) for first, last, again in first_uses(runs) if not again]


def split(runs: list[Run], blocks: int) -> tuple[list[Run], list[Run]]:
    """(runs of the first ``blocks`` blocks, runs of the remaining blocks)."""
    for place, (first, last) in enumerate(runs):
        if blocks < last - first + 1:
            head = [(first, first + blocks - 1)] if blocks else []
            return [*runs[:place], *head], [(first + blocks, last), *runs[place + 1 :]]
        blocks -= last - first + 1
    return runs, []


def length(runs: list[Run]) -> int:
    """Number of blocks in ``runs``."""
    return sum(last - first + 1 for first, last in runs)
