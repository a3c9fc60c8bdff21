"""The part of a row that comparing needs, and a reader that keeps up with the csv module.

`record.table.read_rows` checks every cell of a file and makes `Row` objects; a
fleet's thousand files would take it a minute.  Here a row is a flat tuple.
Cells that repeat from row to row and file to file are checked once, numbers a
column at a time, and the columns that comparing never looks at are not read.

Whatever is not plainly in order goes to `read_rows`, which alone decides what
may stand in a results file and says what is wrong with it.  So both readers
take the same files and refuse the same files, except for cells that this one
does not read: `SKIPPED`.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from membench.errors import SchemaError
from membench.record.cells import DETAIL, SAMPLES, VALUES
from membench.record.schema import COLUMNS, SCHEMA, Row, check, from_cells, is_cell, is_median
from membench.record.table import MAX_CELLS, parse_rows, read_text
from membench.record.text import one_line
from membench.terms import Better, BytesConvention, Metric, Stat, Status, Tier


class Measurement(NamedTuple):
    """One (case, metric, stat) of one run; a field is the column of the same name.

    The fields that end in ``_cell`` are the cells themselves: `detail`,
    `round_values` and `samples` read them when they are asked for.
    """

    tier: Tier
    case: str
    case_version: int
    metric: Metric
    stat: Stat
    status: Status
    unit: str
    better: Better
    rounds: int
    bytes_convention: BytesConvention | None
    peak: float | None
    backend: str
    device: str
    driver: str
    cuda: str
    membench: str
    kernel: str
    flags: tuple[str, ...]
    reason: str
    run_id: str
    machine: str
    value: float | None
    spread: float | None
    detail_cell: str
    rounds_cell: str
    samples_cell: str

    @property
    def key(self) -> tuple[str, str, Metric, Stat]:
        """What there is one row of: run, case, metric and statistic."""
        return (self.run_id, self.case, self.metric, self.stat)

    @property
    def detail(self) -> Mapping[str, str]:
        """How the number was made."""
        return _detail(self.detail_cell) or {}

    @property
    def round_values(self) -> tuple[float, ...]:
        """One number per round.

        Raises:
            SchemaError: they are not above 0, or `value` is not their median.
        """
        values = tuple(map(float, self.rounds_cell.split(";"))) if self.rounds_cell else ()
        if values and not VALUES.valid(values):
            raise SchemaError(f"{self.case}: column 'round_values': not {VALUES.what}")
        if values and self.value is not None and not is_median(self.value, values):
            raise SchemaError(f"{self.case}: column 'value': is not the median of the round values")
        return values

    @property
    def samples(self) -> tuple[tuple[float, ...], ...]:
        """The kept samples by round.

        Raises:
            SchemaError: the cell does not hold samples.
        """
        try:
            samples: tuple[tuple[float, ...], ...] = SAMPLES.from_cell(self.samples_cell)
        except ValueError as error:
            raise SchemaError(f"{self.case}: column 'samples': {error}") from None
        if not SAMPLES.valid(samples):
            raise SchemaError(f"{self.case}: column 'samples': not {SAMPLES.what}")
        return samples


_SINGLE = ("run_id", "machine", "value", "spread", "detail", "round_values", "samples")
_SHARED: tuple[str, ...] = Measurement._fields[: -len(_SINGLE)]
_STATUS, _ROUNDS = _SHARED.index("status"), _SHARED.index("rounds")
_KEY = itemgetter(*map(Measurement._fields.index, ("run_id", "case", "metric", "stat")))
_make = Measurement._make
SKIPPED = (*(name for name in COLUMNS if name not in ("schema", *_SHARED, *_SINGLE)), "samples")
"""Columns that are not read; `samples` only when it is asked for."""

# Exponents of two digits: more may be infinite or 0, which is the strict reader's to tell.
_NUMBER = r"[0-9]++(?:\.[0-9]++)?+(?:e[+-]?[0-9]{1,2})?+"
_NUMBERS = re.compile(rf"(?:(?:{_NUMBER})?+\n)*+")
_LISTS = re.compile(rf"(?:(?:{_NUMBER}(?:;{_NUMBER})*+)?+\n)*+")


def read_measurements(path: Path) -> list[Measurement]:
    """The rows of ``path`` in order, a repeated one once.

    Raises:
        SchemaError: as `record.table.read_rows` does, but for the columns `SKIPPED`.
    """
    try:
        text = read_text(path)
        found = _plain(text)
        return found if found is not None else [of_row(row) for row in parse_rows(text)]
    except SchemaError as error:
        raise SchemaError(one_line(f"{path}: {error}"), error.hint) from None


def of_row(row: Row) -> Measurement:
    """What ``row`` says, as a measurement."""
    cells = (DETAIL.to_cell(row.detail), VALUES.to_cell(row.round_values))
    samples = SAMPLES.to_cell(row.samples) if row.rounds == 1 else ""
    shared = tuple(getattr(row, name) for name in _SHARED)
    return Measurement._make(
        (*shared, row.run_id, row.machine, row.value, row.spread, *cells, samples)
    )


def _plain(text: str) -> list[Measurement] | None:
    """The rows of ``text`` if all is plainly in order, or None."""
    records = _records(text)
    if records is None:
        return None
    header, *body = records
    if not set(COLUMNS) <= set(header) or len(set(header)) != len(header):
        return None
    place = {name: header.index(name) for name in COLUMNS}

    def column(name: str) -> list[str]:
        return list(map(itemgetter(place[name]), body))

    values, lists, spreads = column("value"), column("round_values"), column("spread")
    details = column("detail")
    in_order = (
        set(column("schema")) <= {SCHEMA}
        and all(is_cell("run_id", cell) for cell in set(column("run_id")))
        and all(is_cell("machine", cell) for cell in set(column("machine")))
        and all(_detail(cell) is not None for cell in set(details))
        and _NUMBERS.fullmatch(_joined(values))
        and _NUMBERS.fullmatch(_joined(spreads))
        and _LISTS.fullmatch(_joined(lists))
    )
    if not in_order:
        return None
    found: list[Measurement] = []
    shared = map(_checked, map(itemgetter(*(place[name] for name in _SHARED)), body))
    single = (column("run_id"), column("machine"), values, spreads, details, lists)
    for common, (run_id, machine, value, spread, detail, rounds), samples in zip(
        shared, zip(*single, strict=True), column("samples"), strict=True
    ):
        if common is None:
            return None
        if not _agree(common[_STATUS], common[_ROUNDS], value, rounds, spread):
            return None
        number = float(value) if value else None
        if number is not None and not 0 < number < math.inf:
            return None
        wide = float(spread) if spread else None
        kept = samples if common[_ROUNDS] == 1 else ""
        found.append(_make((*common, run_id, machine, number, wide, detail, rounds, kept)))
    return found if len(set(map(_KEY, found))) == len(found) else None


def _agree(status: Status, rounds: int, value: str, round_values: str, spread: str) -> bool:
    """These may stand in one row, by the rules of the schema."""
    count = round_values.count(";") + 1 if round_values else 0
    return (
        (value != "") == (status is Status.OK)
        and (count == rounds or not count)
        and (count > 1 or not spread)
    )


def _records(text: str) -> list[list[str]] | None:
    """The cells of each line of ``text``, or None where a line may not be a record."""
    if "\r" in text or "\n\n" in text:
        return None
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    width = lines[0].count(",") + 1
    if width > MAX_CELLS:
        return None
    if '"' in text:
        records = [_cells(line) if '"' in line else line.split(",", width) for line in lines]
    else:
        records = [line.split(",", width) for line in lines]
    return records if set(map(len, records)) == {len(records[0])} else None


def _cells(line: str) -> list[str]:
    """The cells of a ``line`` with quotes; none where it may be more or less than a record.

    One quoted cell between two others needs no parser; the csv module reads the rest.
    """
    before, _, rest = line.partition(',"')
    inside, _, after = rest.partition('",')
    commas = before.count(",") + after.count(",")
    if '"' not in before + inside + after and after and commas <= MAX_CELLS:
        return [*before.split(","), inside, *after.split(",")]
    if line.count(",") > MAX_CELLS:
        return []
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:  # it goes on in the next line, or is no CSV
        return []


def _joined(cells: Sequence[str]) -> str:
    return "\n".join(cells) + "\n" if cells else ""


@lru_cache(maxsize=1 << 14)
def _checked(cells: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The values of the columns `_SHARED` if they may stand together, or None."""
    by_name = dict(zip(_SHARED, cells, strict=True))
    value = "1" if by_name["status"] == Status.OK else ""
    try:
        row = from_cells(
            {**by_name, "schema": SCHEMA, "run_id": "r", "machine": "m", "value": value}
        )
        check(row)
    except SchemaError:
        return None
    return tuple(getattr(row, name) for name in _SHARED)


@lru_cache(maxsize=1 << 14)
def _detail(cell: str) -> Mapping[str, str] | None:
    """What stands in a `detail` cell, or None where that is no such cell."""
    try:
        return MappingProxyType(DETAIL.from_cell(cell))
    except ValueError:
        return None
