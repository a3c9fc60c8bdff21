"""Defines the columns of a results file, the valid values, and rules between columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, field, fields
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from membench.core.errors import SchemaError, UsageError
from membench.core.record import record
from membench.core.terms import (
    BETTER,
    UNIT,
    Better,
    BytesConvention,
    CacheState,
    Metric,
    PeakBasis,
    Stat,
    Status,
    Tier,
)
from membench.core.text import ascii_line
from membench.core.units import parse_size
from membench.results import cells
from membench.results.cells import CellKind

SCHEMA = "membench.results/1"

_STAMP = cells.code(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "a time in UTC such as 2026-01-31T08:04:12Z"
)

_KINDS: Mapping[str, CellKind] = MappingProxyType(
    {
        "schema": cells.code(r"[a-z.]+/\d+", SCHEMA),
        "run_id": cells.code(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a run id: letters, digits and . _ -"),
        "machine": cells.code(r"[a-z0-9][a-z0-9._-]*", "a slug of a-z 0-9 . _ -"),
        "tier": cells.word(Tier),
        "case": cells.code(r"[a-z0-9][A-Za-z0-9._=/+:@-]*", "a case id"),
        "case_version": cells.WHOLE,
        "metric": cells.word(Metric),
        "stat": cells.word(Stat),
        "status": cells.word(Status),
        "value": cells.POSITIVE,
        "unit": cells.code(r"\S+", "a unit"),
        "better": cells.word(Better),
        "rounds": cells.COUNT,
        "n": cells.COUNT,
        "round_values": cells.VALUES,
        "spread": cells.NUMBER,
        "min": cells.SAMPLE,
        "max": cells.SAMPLE,
        "samples": cells.SAMPLES,
        "size_bytes": cells.WHOLE,
        "bytes_moved": cells.WHOLE,
        "bytes_convention": cells.word(BytesConvention),
        "iters": cells.WHOLE,
        "timer": cells.TEXT,
        "cache_state": cells.word(CacheState),
        "verified": cells.BOOLEAN,
        "converged": cells.BOOLEAN,
        "stop_reason": cells.TEXT,
        "peak": cells.POSITIVE,
        "peak_basis": cells.word(PeakBasis),
        "sm_mhz": cells.POSITIVE,
        "backend": cells.code(
            r"cuda|cpu|storage|cited|import:[a-z0-9._-]+",
            "cuda, cpu, storage, import:<tool> or cited",
        ),
        "device": cells.TEXT,
        "driver": cells.TEXT,
        "cuda": cells.TEXT,
        "membench": cells.HASH,
        "kernel": cells.HASH,
        "detail": cells.DETAIL,
        "flags": cells.FLAG_CODES,
        "started": _STAMP,
        "reason": cells.TEXT,
    }
)

COLUMNS: tuple[str, ...] = tuple(_KINDS)
"""The header of ``membench.results/1``, in order."""


@record(kw_only=True)
class Row:
    """The row of one case, metric and statistic in one run; each field is the column of that name.

    An empty cell means that a value is absent: ``None``, ``""``, ``()``, ``{}`` or the count 0.

    Attributes:
        value: median of ``round_values``, in ``unit``; None unless `ok`.
        rounds: number of rounds with a value.
        n: number of samples taken, stored or not.
        round_values: one value per round, in ``unit``.
        spread: 1.4826 * MAD / median of ``round_values``, a fraction; None for a single round.
        min, max: minimum and maximum of all samples, in ``unit``.
        samples: stored samples of each round; at most 7 significant digits in a file.
        size_bytes: bytes of the working set.
        bytes_moved: bytes that one sample moves, counted by ``bytes_convention``.
        iters: iterations of one sample.
        peak: limit of the hardware, in ``unit``; `peak_basis` is the origin of the limit.
        started: ISO 8601, UTC, with Z.
    """

    schema: str = SCHEMA
    run_id: str
    machine: str
    tier: Tier
    case: str
    case_version: int
    metric: Metric
    stat: Stat
    status: Status
    value: float | None = None
    unit: str
    better: Better
    rounds: int = 0
    n: int = 0
    round_values: tuple[float, ...] = ()
    spread: float | None = None
    min: float | None = None
    max: float | None = None
    samples: tuple[tuple[float, ...], ...] = ()
    size_bytes: int | None = None
    bytes_moved: int | None = None
    bytes_convention: BytesConvention | None = None
    iters: int | None = None
    timer: str = ""
    cache_state: CacheState | None = None
    verified: bool | None = None
    converged: bool | None = None
    stop_reason: str = ""
    peak: float | None = None
    peak_basis: PeakBasis | None = None
    sm_mhz: float | None = None
    backend: str = ""
    device: str = ""
    driver: str = ""
    cuda: str = ""
    membench: str = ""
    kernel: str = ""
    detail: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    started: str = ""
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, Metric, Stat]:
        """(run, case, metric, statistic), which is unique in a file."""
        return (self.run_id, self.case, self.metric, self.stat)

    @property
    def array_bytes(self) -> int | None:
        return array_bytes(self.case, self.detail, self.size_bytes)

    @property
    def cited(self) -> bool:
        """Whether the row is a published figure instead of a measurement."""
        return self.backend == "cited"

    @property
    def imported(self) -> bool:
        """Whether a tool other than membench measured the row."""
        return self.backend.startswith("import:")


_SAMPLES_CELL = "_samples"
"""Key in the `vars` of a row for the text of its samples, until the samples are used."""


class _SamplesOnDemand:
    """The samples of a row from a file, parsed on first access, because most readers need none.

    The class is not a data descriptor. So samples that were given to the constructor, or parsed
    before, take precedence.
    """

    def __get__(self, row: Row | None, _owner: type[Row]) -> tuple[tuple[float, ...], ...]:
        cell = None if row is None else vars(row).get(_SAMPLES_CELL)
        if cell is None:
            return ()
        samples: tuple[tuple[float, ...], ...] = _KINDS["samples"].read(cell)
        vars(row)["samples"] = samples
        del vars(row)[_SAMPLES_CELL]
        return samples


Row.samples = _SamplesOnDemand()  # type: ignore[assignment]


def are_usual_samples(row: Row) -> bool:
    """Whether each sample is 0 or from 1e-15 to 1e15, by a fast check that parses no number.

    If the result is False, the caller must check the samples.
    """
    cell = "" if "samples" in vars(row) else vars(row).get(_SAMPLES_CELL, "")
    # `are_plain_samples` permits at most 15 digits before and after the point.
    return bool(cell) and "e" not in cell and "E" not in cell


def _rounds_of_samples(row: Row) -> int:
    cell = None if "samples" in vars(row) else vars(row).get(_SAMPLES_CELL)
    return len(row.samples) if cell is None else cells.rounds_of_samples(cell)


def array_bytes(case: str, detail: Mapping[str, str], size_bytes: int | None) -> int | None:
    """Bytes of each array of ``case``; None if the case id has no valid size.

    For ``size=auto``, the result is `array` in ``detail``, or else ``size_bytes``.
    """
    sizes = [part[5:] for part in case.split("/") if part.startswith("size=")]
    if not sizes:
        return None
    if sizes[0] == "auto":
        text = detail.get("array", "")
        return int(text) if is_whole(text) else size_bytes
    try:
        return parse_size(sizes[0])
    except UsageError:
        return None


def is_whole(text: str) -> bool:
    """Whether ``text`` is a decimal integer of at most 18 digits."""
    return text.isdecimal() and text.isascii() and len(text) < 19


REQUIRED: tuple[str, ...] = (
    "schema",
    *(
        column.name
        for column in fields(Row)
        if column.default is MISSING and column.default_factory is MISSING
    ),
)
"""Columns that must not be empty in any row."""


def is_median(value: float, values: Sequence[float]) -> bool:
    """Whether ``value`` is the median of ``values``, up to rounding."""
    ordered = sorted(values)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    return math.isclose(value, (low + high) / 2, rel_tol=1e-9)


@record
class _Rule:
    column: str
    holds: Callable[[Any], bool]
    message: str


_SHARED_RULES = (
    _Rule("schema", lambda row: row.schema == SCHEMA, f"the value is not {SCHEMA}"),
    _Rule(
        "unit", lambda row: row.unit == UNIT[row.metric], "the value is not the unit of the metric"
    ),
    _Rule(
        "better",
        lambda row: row.better is BETTER[row.metric],
        "the value is not the direction of the metric",
    ),
)
"""Rules between the columns `_SHARED`, whose values most rows of a run share."""
_OWN_RULES = (
    _Rule(
        "value",
        lambda row: (row.value is not None) == (row.status is Status.OK),
        "the value must be set in an ok row, and empty in all other rows",
    ),
    _Rule(
        "reason",
        lambda row: (ascii_line(row.reason) != "") == (row.status is not Status.OK),
        "the value must be set in a skipped or failed row, and empty in all other rows",
    ),
    _Rule(
        "rounds",
        lambda row: not row.round_values or row.rounds == len(row.round_values),
        "the value is not the number of round values",
    ),
    _Rule(
        "value",
        lambda row: (
            row.value is None or not row.round_values or is_median(row.value, row.round_values)
        ),
        "the value is not the median of the round values",
    ),
    _Rule(
        "spread",
        lambda row: row.spread is None or len(row.round_values) > 1,
        "the value must be empty for fewer than two rounds",
    ),
    _Rule(
        "samples",
        lambda row: (
            row.status is not Status.OK
            or not row.round_values
            or _rounds_of_samples(row) in (0, len(row.round_values))
        ),
        "the value does not have as many rounds as the column 'round_values'",
    ),
    _Rule(
        "min",
        lambda row: row.min is None or row.max is None or row.min <= row.max,
        "the value is larger than in the column 'max'",
    ),
)


_OWN = ("case", "value", "n", "round_values", "spread", "min", "max", "samples", "detail", "reason")
"""Columns whose values differ between the rows of a run; other columns are mostly equal."""


class _Column(NamedTuple):
    place: int
    name: str
    kind: CellKind
    absent: Any
    required: bool


def _columns(names: Iterable[str]) -> tuple[_Column, ...]:
    kinds = ((name, _KINDS[name]) for name in names)
    return tuple(
        _Column(COLUMNS.index(name), name, kind, kind.absent, name in REQUIRED)
        for name, kind in kinds
    )


_OWN_COLUMNS = _columns(_OWN)
_OWN_COLUMNS_BUT_SAMPLES = _columns(name for name in _OWN if name != "samples")

_SHARED = tuple(name for name in _KINDS if name not in _OWN)
_PLACE_OF_SAMPLES = COLUMNS.index("samples")


_OF_RUN = frozenset(
    ("schema", "run_id", "machine", "device", "driver", "cuda", "membench", "kernel", "started")
)
"""Columns that have the same value in all rows of a run."""


class _Group(NamedTuple):
    """Columns that are read, checked and written together; ``pick`` gets the values from a row."""

    columns: tuple[_Column, ...]
    rules: tuple[_Rule, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]


def _group(names: Iterable[str]) -> _Group:
    names = tuple(names)
    rules = tuple(rule for rule in _SHARED_RULES if rule.column in names)
    return _Group(_columns(names), rules, itemgetter(*names))


_GROUPS = (
    _group(name for name in _SHARED if name in _OF_RUN),
    _group(name for name in _SHARED if name not in _OF_RUN),
)


class _Judgement(NamedTuple):
    """The result of checking the values of a row in the columns of one group.

    Attributes:
        name, fault: the first column with an invalid value, and the reason; empty if all are valid.
        broken: the broken rules, if no value is invalid.
        cells: a cell for each column of the file, filled only for the columns of the group. The
            list is empty if a value is invalid.
    """

    name: str
    fault: str
    broken: tuple[_Rule, ...]
    cells: list[str]


_Judged = tuple[_Judgement, _Judgement]
_pick_of_run, _pick_others = (group.pick for group in _GROUPS)


def _judgements(values: Mapping[str, Any]) -> _Judged | None:
    """One judgement per group of `_GROUPS`; None if a value cannot be hashed, such as a list."""
    of_run, others = _pick_of_run(values), _pick_others(values)
    try:
        return (
            _judged(0, of_run, tuple(map(type, of_run))),
            _judged(1, others, tuple(map(type, others))),
        )
    except TypeError:
        return None


@lru_cache(maxsize=512)
def _judged(place: int, values: tuple[Any, ...], _types: tuple[type, ...]) -> _Judgement:
    columns, rules, _ = _GROUPS[place]
    named = {column.name: value for column, value in zip(columns, values, strict=True)}
    name, fault = _first_fault(named, columns)
    if fault:
        return _Judgement(name, fault, (), [])
    cells = [""] * len(COLUMNS)
    for column in columns:
        cells[column.place] = column.kind.to_cell(named[column.name])
    like = SimpleNamespace(**named)
    return _Judgement("", "", tuple(rule for rule in rules if not rule.holds(like)), cells)


def _first_fault(values: Mapping[str, Any], columns: Sequence[_Column]) -> tuple[str, str]:
    """(first of ``columns`` with an invalid value, reason); both are empty if all are valid."""
    for _, name, kind, absent, required in columns:
        value = values[name]
        if value is None or value == absent:
            if required:
                return name, "the value is missing"
        elif not kind.valid(value):
            return name, f"{value!r:.40} is not {kind.what}"
    return "", ""


def to_cells(row: Row) -> list[str]:
    """Format ``row`` as cells in the order of `COLUMNS`."""
    return _cells(row, _judgements(vars(row)))


def checked_cells(row: Row) -> list[str]:
    """Check ``row`` with `check`, and format ``row`` with `to_cells`.

    Raises:
        SchemaError: ``row`` is not allowed in a file.
    """
    judged = _judgements(vars(row))
    _check(row, judged)
    return _cells(row, judged)


def _cells(row: Row, judged: _Judged | None) -> list[str]:
    values = vars(row)
    written = None if "samples" in values else cells.written_samples(values.get(_SAMPLES_CELL, ""))
    values = {**values, "samples": () if written else row.samples}
    if judged is None or judged[0].fault or judged[1].fault:
        made = [kind.to_cell(values[name]) for name, kind in _KINDS.items()]
    else:
        made = judged[1].cells.copy()
        for column in _GROUPS[0].columns:
            made[column.place] = judged[0].cells[column.place]
    for place, name, kind, absent, _ in _OWN_COLUMNS:
        value = values[name]
        if not (value is None or value == absent):
            made[place] = kind.write(value)
    if written:
        made[_PLACE_OF_SAMPLES] = written
    return made


def from_cells(cells_by_name: Mapping[str, str]) -> Row:
    """Parse a row from ``cells_by_name`` (column -> cell); unknown columns are ignored.

    Raises:
        SchemaError: a cell is invalid for its column, or a required cell is empty.
    """
    return _from_cells(cells_by_name)[0]


def checked_row(cells_by_name: Mapping[str, str]) -> Row:
    """Parse a row with `from_cells`, and check the row with `check`.

    Raises:
        SchemaError: a cell is invalid, or the values of the row contradict each other.
    """
    row, judged = _from_cells(cells_by_name)
    _check(row, judged)
    return row


def _from_cells(cells_by_name: Mapping[str, str]) -> tuple[Row, _Judged]:
    get = cells_by_name.get
    try:
        picked = [group.pick(cells_by_name) for group in _GROUPS]
    except KeyError:  # a file without an optional column
        picked = [tuple(get(column.name, "") for column in group.columns) for group in _GROUPS]
    of_run, others = map(_read_group, range(len(_GROUPS)), picked)
    fault = of_run.fault or others.fault
    own: dict[str, Any] = {}
    samples = get("samples", "")
    later = bool(samples) and cells.are_plain_samples(samples)
    if not fault:
        columns = _OWN_COLUMNS_BUT_SAMPLES if later else _OWN_COLUMNS
        name, fault, own = _read(columns, [get(column.name, "") for column in columns])
    if fault:  # name the first invalid column in the order of `COLUMNS`
        name, fault, _ = _read(_columns(COLUMNS), [get(name, "") for name in COLUMNS])
        raise _refused(get("case", ""), name, fault)
    row = object.__new__(Row)
    vars(row).update(of_run.values, **others.values, **own)
    if later:
        vars(row)[_SAMPLES_CELL] = samples
    return row, (of_run.judgement, others.judgement)


class _GroupRead(NamedTuple):
    fault: str
    values: dict[str, Any]
    judgement: _Judgement


@lru_cache(maxsize=512)
def _read_group(place: int, found: tuple[str, ...]) -> _GroupRead:
    name, fault, values = _read(_GROUPS[place].columns, found)
    if fault:
        return _GroupRead(fault, {}, _Judgement(name, fault, (), []))
    read = tuple(values.values())
    return _GroupRead("", values, _judged(place, read, tuple(map(type, read))))


def _read(columns: Sequence[_Column], found: Sequence[str]) -> tuple[str, str, dict[str, Any]]:
    """Parse ``found``, the cells of ``columns``, to (invalid column, reason, column -> value).

    If all cells are valid, the invalid column and the reason are empty.
    """
    values: dict[str, Any] = {}
    for (_, name, kind, absent, required), cell in zip(columns, found, strict=True):
        try:
            value = values[name] = kind.from_cell(cell) if cell else absent
        except ValueError as error:
            return name, str(error), {}
        if required and value == absent:
            return name, "the value is missing", {}
    return "", "", values


def check(row: Row) -> None:
    """Raise a `SchemaError` with case and column if ``row`` is not allowed in a file."""
    _check(row, _judgements(vars(row)))


def _check(row: Row, judged: _Judged | None) -> None:
    values = vars(row)
    name = fault = ""
    rules: Sequence[_Rule] = ()
    if judged is None:
        name, fault = _first_fault(values, _columns(_SHARED))
        rules = _SHARED_RULES
    else:
        of_run, others = judged
        if of_run.fault or others.fault:
            faults = [(one.name, one.fault) for one in judged if one.fault]
            name, fault = min(faults, key=lambda one: _SHARED.index(one[0]))
        rules = of_run.broken + others.broken
    if not fault:
        # Samples that are still unparsed text were checked when the file was read.
        own = _OWN_COLUMNS if "samples" in values else _OWN_COLUMNS_BUT_SAMPLES
        name, fault = _first_fault(values, own)
    if fault:
        raise _refused(row.case, name, fault)
    for rule in (*rules, *_OWN_RULES):
        if not rule.holds(row):
            raise _refused(f"{row.case} ({row.metric} {row.stat})", rule.column, rule.message)


def is_cell(column: str, cell: str) -> bool:
    """Whether ``cell`` is valid in ``column``; an empty cell is valid in an optional column."""
    kind = _KINDS[column]
    try:
        value = kind.from_cell(cell)
    except ValueError:
        return False
    return column not in REQUIRED if value == kind.absent else kind.valid(value)


def normal(row: Row) -> Row:
    """The row that a reader would return after ``row`` was written to a file."""
    return from_cells(dict(zip(COLUMNS, to_cells(row), strict=True)))


def _refused(case: str, column: str, message: str) -> SchemaError:
    return SchemaError(f"{case[:200] or 'a row without a case'}: column '{column}': {message}")


READERS: Mapping[str, Callable[[Mapping[str, str]], Row]] = MappingProxyType({SCHEMA: checked_row})
"""Schema -> function that reads and checks a row."""
