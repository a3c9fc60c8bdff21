"""The part of a row that comparing needs, and a reader that keeps up with the csv module.

`record.table.read_rows` checks every cell of a file and makes `Row` objects; a
fleet's thousand files would take it a minute.  Here a row is a flat tuple.
Cells that repeat from row to row and file to file are checked once, numbers a
column at a time, and the columns that comparing never looks at are not read.

Whatever is not plainly in order goes to `read_rows`, which alone decides what
may stand in a results file and says what is wrong with it.  So both readers
take the same files and refuse the same files, except for cells that this one
does not read (`SKIPPED`) or reads when they are used: of a label with several
runs nobody looks at the rounds of each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from membench.errors import SchemaError
from membench.record.cells import DETAIL, SAMPLES, VALUES
from membench.record.schema import COLUMNS, SCHEMA, Row, check, from_cells, is_cell, is_median
from membench.record.table import MAX_CELLS, parse_rows, read_text
from membench.record.text import one_line
from membench.terms import Better, BytesConvention, Metric, Stat, Status, Tier


class Common(NamedTuple):
    """What many rows share: one object for all of them, as far as memory allows.

    A field is the column of the same name.
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


class Measurement(NamedTuple):
    """One (case, metric, stat) of one run; a field is the column of the same name.

    The fields that end in ``_cell`` are the cells themselves: `detail`,
    `round_values` and `samples` read them when they are asked for.
    """

    common: Common
    run_id: str
    machine: str
    value: float | None
    spread: float | None
    detail_cell: str
    rounds_cell: str
    samples_cell: str

    @property
    def tier(self) -> Tier:
        """Of `common`."""
        return self.common.tier

    @property
    def case(self) -> str:
        """Of `common`."""
        return self.common.case

    @property
    def case_version(self) -> int:
        """Of `common`."""
        return self.common.case_version

    @property
    def metric(self) -> Metric:
        """Of `common`."""
        return self.common.metric

    @property
    def stat(self) -> Stat:
        """Of `common`."""
        return self.common.stat

    @property
    def status(self) -> Status:
        """Of `common`."""
        return self.common.status

    @property
    def unit(self) -> str:
        """Of `common`."""
        return self.common.unit

    @property
    def better(self) -> Better:
        """Of `common`."""
        return self.common.better

    @property
    def rounds(self) -> int:
        """Of `common`."""
        return self.common.rounds

    @property
    def bytes_convention(self) -> BytesConvention | None:
        """Of `common`."""
        return self.common.bytes_convention

    @property
    def peak(self) -> float | None:
        """Of `common`."""
        return self.common.peak

    @property
    def backend(self) -> str:
        """Of `common`."""
        return self.common.backend

    @property
    def device(self) -> str:
        """Of `common`."""
        return self.common.device

    @property
    def driver(self) -> str:
        """Of `common`."""
        return self.common.driver

    @property
    def cuda(self) -> str:
        """Of `common`."""
        return self.common.cuda

    @property
    def membench(self) -> str:
        """Of `common`."""
        return self.common.membench

    @property
    def kernel(self) -> str:
        """Of `common`."""
        return self.common.kernel

    @property
    def flags(self) -> tuple[str, ...]:
        """Of `common`."""
        return self.common.flags

    @property
    def reason(self) -> str:
        """Of `common`."""
        return self.common.reason

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
_SHARED: tuple[str, ...] = Common._fields
_make = Measurement._make


def distinct(rows: Iterable[Measurement]) -> tuple[Common, ...]:
    """What ``rows`` share, each object once: a few where there are thousands of rows."""
    return tuple({id(row.common): row.common for row in rows}.values())


SKIPPED = (*(name for name in COLUMNS if name not in ("schema", *_SHARED, *_SINGLE)), "samples")
"""Columns that are not read; `samples` only when it is asked for."""

_COMMA, _QUOTE = "\x1f", "\x1e"  # stand for those inside of quotes; no text of ours holds them
_TEXTS = frozenset({"detail", "device", "driver", "cuda", "membench", "kernel", "reason"})
_CHARACTERS = 3  # a cell at least, on average; a file of commas is no table of ours
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
    common = Common._make(getattr(row, name) for name in _SHARED)
    return Measurement(common, row.run_id, row.machine, row.value, row.spread, *cells, samples)


def _plain(text: str) -> list[Measurement] | None:
    """The rows of ``text`` if all is plainly in order, or None."""
    table = _cells(text)
    if table is None:
        return None
    header, cells = table
    if not set(COLUMNS) <= set(header) or len(set(header)) != len(header):
        return None
    stride, quoted = len(header) + 1, '"' in text

    def column(name: str) -> list[str]:
        found = cells[stride + header.index(name) :: stride]
        if quoted and name in _TEXTS:
            return [cell.replace(_COMMA, ",").replace(_QUOTE, '"') for cell in found]
        return found

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
    shared = map(_checked, zip(*map(column, _SHARED), strict=True))
    single = (column("run_id"), column("machine"), values, spreads, details, lists)
    for common, (run_id, machine, value, spread, detail, rounds), samples in zip(
        shared, zip(*single, strict=True), column("samples"), strict=True
    ):
        if common is None or not _agree(common, value, rounds, spread):
            return None
        number = float(value) if value else None
        wide = float(spread) if spread else None
        if (number is not None and not 0 < number < math.inf) or wide == math.inf:
            return None
        kept = samples if common.rounds == 1 else ""
        found.append(_make((common, run_id, machine, number, wide, detail, rounds, kept)))
    runs, commons = column("run_id"), [one.common for one in found]
    keys = {(run, one.case, one.metric, one.stat) for run, one in zip(runs, commons, strict=True)}
    return found if len(keys) == len(found) else None


def _agree(common: Common, value: str, round_values: str, spread: str) -> bool:
    """These may stand in one row, by the rules of the schema."""
    count = round_values.count(";") + 1 if round_values else 0
    return (
        (value != "") == (common.status is Status.OK)
        and (count == common.rounds or not count)
        and (count > 1 or not spread)
    )


def _cells(text: str) -> tuple[list[str], list[str]] | None:
    """The header of ``text``, and all its cells in a row with a newline after those of each line.

    None where a line may be more or less than a record.  A comma and a quote
    inside of quotes come back as `_COMMA` and `_QUOTE`.
    """
    if not text or "\r" in text or _COMMA in text or _QUOTE in text:
        return None
    if text[-1] != "\n":
        text += "\n"
    if '"' in text:
        outside = text.replace('""', _QUOTE).split('"')
        inside = outside[1::2]
        outside = outside[::2]
        whole = (
            len(outside) == len(inside) + 1
            and all(part and part[-1] in ",\n" for part in outside[:-1])
            and all(part and part[0] in ",\n" for part in outside[1:])
            and not any("\n" in part for part in inside)
            and not any(_QUOTE in part for part in outside)
        )
        if not whole:
            return None
        inside.append("")
        pairs = zip(outside, inside, strict=True)
        text = "".join([part for one, two in pairs for part in (one, two.replace(",", _COMMA))])
    header = text[: text.index("\n")].split(",", MAX_CELLS)
    commas = text.count(",")
    if commas != text.count("\n") * (len(header) - 1) or commas > len(text) // _CHARACTERS:
        return None
    cells = text.replace("\n", ",\n,").split(",")
    cells.pop()
    stride = len(header) + 1
    return (header, cells) if set(cells[stride - 1 :: stride]) == {"\n"} else None


def _joined(cells: Sequence[str]) -> str:
    return "\n".join(cells) + "\n" if cells else ""


@lru_cache(maxsize=1 << 14)
def _checked(cells: tuple[str, ...]) -> Common | None:
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
    return Common._make(getattr(row, name) for name in _SHARED)


@lru_cache(maxsize=1 << 14)
def _detail(cell: str) -> Mapping[str, str] | None:
    """What stands in a `detail` cell, or None where that is no such cell."""
    try:
        return MappingProxyType(DETAIL.from_cell(cell))
    except ValueError:
        return None
