"""Finds the results file of an interrupted run from any path that a user knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from membench.measure.paired.sides import SIDES, beside
from membench.results.paths import has_journal


def resumable(path: Path) -> Path:
    """The results file of the interrupted run that ``path`` names.

    ``path`` may be one of these:

    - the results file
    - the journal or the sidecar of the run
    - the argument of ``-o`` of a paired run; the files of its sides have longer names

    If no journal is found, the result is the results file to which ``path`` would belong. If only a
    side of a paired run has such a file, the result is this file.
    """
    named = [path, *_of_own_file(path)]
    sides = [beside(one, side) for one in named for side in SIDES]
    for one in (*named, *sides):
        if has_journal(one):
            return one
    return next((one for one in (named[-1], *sides) if one.exists()), named[-1])


def _of_own_file(path: Path) -> Iterator[Path]:
    """The results files to which the journal or sidecar ``path`` may belong."""
    if path.suffix in (".journal", ".json"):
        # `-o NAME` and `-o NAME.csv` have the same journal.
        bare = path.with_suffix("")
        if bare.is_file():
            yield bare
        yield bare.with_name(f"{bare.name}.csv")
