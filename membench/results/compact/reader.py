"""A fast reader of results files, for comparisons.

This reader checks the cells column by column, and does not read columns that comparisons never use.
If a check fails, `parse_rows` reads the file and raises the errors. So both readers accept the same
files, with two exceptions: this reader does not check the columns `SKIPPED`, and
`Measurement.round_values` checks the round values only on access.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import repeat
from pathlib import Path
from sys import intern
from typing import NamedTuple

from membench.core.errors import SchemaError
from membench.core.terms import Better, Status
from membench.results.compact.row import Common, Measurement, of_row, read_detail
from membench.results.records import at_once
from membench.results.schema import COLUMNS, SCHEMA, checked_row, is_cell
from membench.results.table import about, parse_rows, read_text

_ALONE = (
    *("schema", "run_id", "machine", "value", "spread", "min", "max", "round_values", "samples"),
    "detail",
)
_SHARED: tuple[str, ...] = Common._fields
_READ = (*_ALONE, *_SHARED)
SKIPPED = (*(name for name in COLUMNS if name not in _READ), "samples", "min", "max")
"""Columns that this reader does not check completely.

The column `samples` is parsed on access. Of `min` and `max`, only the better value is read. The
other columns are not read.
"""

# Exponents have at most two digits: a number with a longer exponent may be infinite or 0, and only
# `parse_rows` decides whether such a number is valid.
_NUMBER = r"[0-9]++(?:\.[0-9]++)?+(?:e[+-]?[0-9]{1,2})?+"
_NUMBERS = re.compile(rf"(?:(?:{_NUMBER})?+\n)*+")
_LISTS = re.compile(rf"(?:(?:{_NUMBER}(?:;{_NUMBER})*+)?+\n)*+")
_FILES_KEPT, _ROWS_KEPT = 32, 2000  # limits of the cache of earlier files

_measurement = partial(tuple.__new__, Measurement)  # `Measurement._make` without a Python call


def read_measurements(path: Path, *, pipe: bool = True) -> list[Measurement]:
    """Read the rows of the results file ``path`` in order, without repetitions of a row.

    ``pipe`` is as in `membench.results.table.read_rows`.

    Raises:
        SchemaError: as in `read_rows`, except for the round values and for the columns `SKIPPED`.
    """
    try:
        text = read_text(path, pipe=pipe)
        found = _plain(text)
        return found if found is not None else [of_row(row) for row in parse_rows(text)]
    except SchemaError as error:
        raise about(path, error) from None


def _plain(text: str) -> list[Measurement] | None:
    """Parse the rows of ``text``; None if only `parse_rows` can decide whether they are valid."""
    columns = _columns(text)
    if columns is None:
        return None
    schemas, runs, machines, values, spreads, lows, highs, lists, samples, details = columns[
        : len(_ALONE)
    ]
    if not schemas:
        return []
    runs, machines, details = map(_interned, (runs, machines, details))
    in_order = (
        set(schemas) == {SCHEMA}
        and all(is_cell("run_id", cell) for cell in set(runs))
        and all(is_cell("machine", cell) for cell in set(machines))
        and all(read_detail(cell) is not None for cell in set(details))
        and _NUMBERS.fullmatch(_joined([*values, *spreads]))
        and _LISTS.fullmatch(_joined(lists))
    )
    shared = _shared(columns[len(_ALONE) :]) if in_order else None
    if shared is None:
        return None
    numbers, wide = _floats(values), _floats(spreads)
    bests = highs
    for place in shared.lower:
        bests[place] = lows[place]
    if not _NUMBERS.fullmatch(_joined(bests)):
        return None
    if not _agree(shared, numbers, wide, lists) or _repeated(shared, runs):
        return None
    commons, kept = shared.commons, [""] * len(runs)
    if not shared.usual:
        kept = [cell if one.rounds == 1 else "" for one, cell in zip(commons, samples, strict=True)]
    best = _floats(bests)
    rows = zip(commons, runs, machines, numbers, wide, best, details, lists, kept, strict=True)
    return list(map(_measurement, rows))


def _interned(cells: list[str]) -> list[str]:
    """``cells`` with one shared object for equal texts, to save memory."""
    first = intern(cells[0])
    return [first] * len(cells) if cells.count(first) == len(cells) else list(map(intern, cells))


def _agree(
    shared: _CommonColumns,
    values: Sequence[float | None],
    spreads: Sequence[float | None],
    lists: Sequence[str],
) -> bool:
    """Whether the values and the number of round values of each row are allowed in a file.

    ``lists`` are the cells `round_values`. None stands for an empty cell. The function does not
    check that `value` is the median of the round values.
    """
    if 0.0 in values or math.inf in values or math.inf in spreads:
        return False
    semicolons = list(map(str.count, lists, repeat(";")))
    if shared.usual and semicolons == shared.semicolons and None not in values:
        return True
    counts = [count + 1 if cell else 0 for cell, count in zip(lists, semicolons, strict=True)]
    rows = zip(shared.commons, values, spreads, counts, strict=True)
    return all(
        (value is not None) == (common.status is Status.OK)
        and count in (0, common.rounds)
        and (spread is None or count > 1)
        for common, value, spread, count in rows
    )


def _floats(cells: Sequence[str]) -> Sequence[float | None]:
    if "" not in cells:
        return list(map(float, cells))
    return [float(cell) if cell else None for cell in cells]


def _joined(cells: Sequence[str]) -> str:
    return "\n".join(cells) + "\n"


class _CommonColumns(NamedTuple):
    """The columns of `Common` in a file.

    Attributes:
        columns: the cells, a list for each field of `Common`.
        semicolons: for each row, the number of semicolons in a complete cell `round_values`.
        usual: whether every row is `ok` and has several rounds.
        lower: indices of the rows for which a lower value is better.
        unique: whether no two rows have the same case, metric and statistic.
    """

    columns: list[list[str]]
    commons: list[Common]
    semicolons: list[int]
    usual: bool
    lower: list[int]
    unique: bool


_files: dict[tuple[str, ...], _CommonColumns] = {}  # key: number of rows, cells of the first row


def _shared(columns: list[list[str]]) -> _CommonColumns | None:
    """Parse ``columns``; None if a row is not allowed in a file.

    Files of similar machines differ in few of these cells. So if an earlier file had the same first
    row and as many rows, only the rows that differ from the earlier file are parsed.
    """
    first = (str(len(columns[0])), *(column[0] for column in columns))
    before = _files.get(first)
    if before is not None and before.columns == columns:
        return before
    found = _commons(columns, before)
    commons = [one for one in found if one is not None]
    if len(commons) < len(found):
        return None
    semicolons = [one.rounds - 1 for one in commons]
    usual = min(semicolons) > 0 and all(one.status is Status.OK for one in commons)
    lower = [place for place, one in enumerate(commons) if one.better is Better.LOWER]
    keys = zip(*(columns[_SHARED.index(name)] for name in ("case", "metric", "stat")), strict=True)
    unique = len(set(keys)) == len(commons)
    shared = _CommonColumns(columns, commons, semicolons, usual, lower, unique)
    if len(commons) <= _ROWS_KEPT:
        if before is None and len(_files) >= _FILES_KEPT:
            del _files[next(iter(_files))]
        _files[first] = shared
    return shared


def _commons(columns: list[list[str]], before: _CommonColumns | None) -> list[Common | None]:
    if before is None:
        return list(map(_checked, zip(*columns, strict=True)))
    pairs = [pair for pair in zip(columns, before.columns, strict=True) if pair[0] != pair[1]]
    changed = {
        place
        for now, then in pairs
        for place, (one, other) in enumerate(zip(now, then, strict=True))
        if one != other
    }
    rows = zip(*([column[place] for place in changed] for column in columns), strict=True)
    commons: list[Common | None] = [*before.commons]
    for place, cells in zip(changed, rows, strict=True):
        commons[place] = _checked(cells)
    return commons


@lru_cache(maxsize=1 << 14)
def _checked(cells: tuple[str, ...]) -> Common | None:
    """Parse the fields of `Common`; None if a value is invalid or breaks a rule of the schema."""
    by_name = dict(zip(_SHARED, cells, strict=True))
    value = "1" if by_name["status"] == Status.OK else ""
    try:
        row = checked_row(
            {**by_name, "schema": SCHEMA, "run_id": "r", "machine": "m", "value": value}
        )
    except SchemaError:
        return None
    return Common._make(getattr(row, name) for name in _SHARED)


def _repeated(shared: _CommonColumns, runs: Sequence[str]) -> bool:
    if shared.unique:
        return False
    keys = zip(runs, shared.commons, strict=True)
    distinct = {(run, one.case, one.metric, one.stat) for run, one in keys}
    return len(distinct) < len(runs)


def _columns(text: str) -> list[list[str]] | None:
    """One list of cells per column of `_READ`; None if only `parse_rows` can read ``text``."""
    cells = at_once(text)
    places = None if cells is None else _places(cells.header)
    if cells is None or places is None:
        return None
    return list(map(cells.column, places))


@lru_cache(maxsize=64)
def _places(header: tuple[str, ...]) -> tuple[int, ...] | None:
    """The positions of the columns `_READ`; None if a column is missing or occurs twice."""
    if not set(COLUMNS) <= set(header) or len(set(header)) != len(header):
        return None
    return tuple(map(header.index, _READ))
