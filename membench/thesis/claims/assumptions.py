"""Reads the assumptions: values that membench does not measure, with a range and a source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import MembenchError, SchemaError
from membench.core.files import shown
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.text import one_line
from membench.core.untrusted import MAX_TOML, parse_toml, read_bytes
from membench.thesis.claims.kinds import EvidenceKind

SHIPPED = ("assumptions.toml", "records.toml")
SUBSTITUTE = "measurement."
"""Prefix of the name of an assumption that replaces a missing measurement."""


class AssumptionError(MembenchError):
    """An assumption is invalid."""


UNITS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        **{unit: (unit, 1.0) for unit in ("1", "share", "tokens", "s", "year", "years", "1/s")},
        "GB": ("B", 1e9),
        "TB": ("B", 1e12),
        "GB/s": ("B/s", 1e9),
        "TB/s": ("B/s", 1e12),
        "GFLOP/s": ("FLOP/s", 1e9),
        "TFLOP/s": ("FLOP/s", 1e12),
        "PFLOP/s": ("FLOP/s", 1e15),
        "1e6": ("1", 1e6),
        "1e9": ("1", 1e9),
        "1e12": ("1", 1e12),
        "1/day": ("1/day", 1.0),
        "USD/GB": ("USD/GB", 1.0),
        "USD/h": ("USD/h", 1.0),
        "1e6 USD": ("USD", 1e6),
        "1e9 USD": ("USD", 1e9),
    }
)
"""Unit of an assumption -> (unit that the models use, conversion factor)."""


class EntryKind(StrEnum):
    """The origin of the value of an assumption."""

    SPEC = "spec"
    PRICE = "price"
    WORKLOAD = "workload"
    DERIVED = "derived"  # computed from other values, or a convention
    RECORD = "record"  # published on a known date


@record(kw_only=True)
class Assumption:
    """An assumed value with a range.

    Attributes:
        name: dotted path of the TOML table, such as ``device.h100.bandwidth``.
        value, low, high: in ``unit``, with 0 < low <= value <= high; all equal if exact.
        date: day of publication, or the day on which the value was read or given.
        evidence: None if ``kind`` implies the kind of evidence.
        own: whether the user gave this value.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    date: date
    kind: EntryKind
    evidence: EvidenceKind | None = None
    own: bool = False

    @property
    def evidence_kind(self) -> EvidenceKind:
        return self.evidence or _EVIDENCE[self.kind]

    @property
    def scale(self) -> float:
        """Factor from ``unit`` to the unit that the models use."""
        return UNITS[self.unit][1]

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "date": self.date.isoformat(),
            "kind": str(self.kind),
            "evidence": str(self.evidence_kind),
        }


Assumptions = Mapping[str, Assumption]


def is_old(entry: Assumption, on: date) -> bool:
    return (on - entry.date).days > OLD_DAYS


OLD_DAYS = 180
"""Age in days above which an assumption is marked as old."""
_EVIDENCE = {
    EntryKind.SPEC: EvidenceKind.VENDOR,
    EntryKind.PRICE: EvidenceKind.ELSEWHERE,
    EntryKind.WORKLOAD: EvidenceKind.ELSEWHERE,
    EntryKind.DERIVED: EvidenceKind.MODEL,
    EntryKind.RECORD: EvidenceKind.ELSEWHERE,
}
_OPTIONAL = ("evidence",)
_KEYS = tuple(one.name for one in fields(Assumption) if one.name not in ("name", "own"))
_NUMBERS = ("value", "low", "high")


def shipped() -> dict[str, Assumption]:
    """The assumptions and dated records that membench contains, by name."""
    found: dict[str, Assumption] = {}
    for name in SHIPPED:
        text = Path(__file__).with_name(name).read_text(encoding="utf-8")
        found |= parse(text, name)
    return found


def assumptions(
    override: Path | None = None, *, declared: Mapping[str, str] = MappingProxyType({})
) -> Assumptions:
    """The built-in assumptions, with entries replaced and added by the file ``override``.

    Args:
        override: None for only the built-in assumptions.
        declared: name -> unit that the models use, for further names that the file may define.

    Raises:
        AssumptionError: the file or one of its entries is invalid.
    """
    base = shipped()
    if override is None:
        return base
    own = {
        name: replace(entry, own=True)
        for name, entry in parse(_read(override), shown(override)).items()
    }
    known = base.keys() | declared.keys()
    for name, entry in own.items():
        if name not in known:
            raise AssumptionError(
                f"{shown(override)}: unknown assumption '{one_line(name)}'",
                did_you_mean(
                    name, sorted(known), "docs/thesis.md names the files that list the assumptions"
                ),
            )
        wanted = UNITS[base[name].unit][0] if name in base else declared[name]
        if UNITS[entry.unit][0] != wanted:
            unit = base[name].unit if name in base else units_of(wanted)
            raise AssumptionError(
                f"{shown(override)}: {name}: a value in {entry.unit} cannot replace "
                f"a value in {unit}",
                f"give the value in {unit}",
            )
    return {**base, **own}


def units_of(dimension: str) -> str:
    """The units that convert to the unit ``dimension``, such as ``GB/s or TB/s``."""
    return " or ".join(unit for unit, (found, _) in UNITS.items() if found == dimension)


def parse(text: str, where: str) -> dict[str, Assumption]:
    """Parse TOML text: dotted name -> entry. Error messages begin with ``where``.

    Raises:
        AssumptionError: the text is not TOML, or an entry is invalid.
    """
    try:
        document = parse_toml(text.encode())
    except ValueError as error:
        raise AssumptionError(
            f"{where}: the file is not TOML: {one_line(str(error))}",
            "docs/thesis.md shows an entry",
        ) from None
    return {name: _entry(name, table, where) for name, table in _tables(document, "", where)}


_TOML_HINT = "--assumptions takes a TOML file"


def _read(path: Path) -> str:
    try:
        return read_bytes(path, MAX_TOML, pipe=True, text=True).decode("utf-8")
    except SchemaError as error:
        raise AssumptionError(f"{shown(path)}: {error}", error.hint or _TOML_HINT) from None
    except UnicodeDecodeError:
        raise AssumptionError(f"{shown(path)}: the file is not text", _TOML_HINT) from None


def _tables(
    table: Mapping[str, Any], prefix: str, where: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The innermost tables of ``table`` as (dotted name, table)."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if not isinstance(value, dict):
            raise AssumptionError(
                f"{where}: '{one_line(name)}' is not a table with value, low, high, ...",
                "docs/thesis.md shows an entry",
            )
        if not value:
            raise AssumptionError(
                f"{where}: the table '{one_line(name)}' is empty",
                "remove the table, or give the keys of an entry as in docs/thesis.md",
            )
        if any(isinstance(inner, dict) for inner in value.values()):
            yield from _tables(value, f"{name}.", where)
        else:
            yield name, value


def _entry(name: str, table: Mapping[str, Any], where: str) -> Assumption:
    try:
        _check_keys(table)
        value, low, high = _numbers(table)
        _check_words(table, high)
    except _Refused as refused:
        message, hint = refused.args
        raise AssumptionError(f"{where}: {one_line(f'{name}: {message}')}", hint) from None
    return Assumption(
        name=name,
        value=value,
        low=low,
        high=high,
        unit=table["unit"],
        source=table["source"],
        date=table["date"],
        kind=EntryKind(table["kind"]),
        evidence=EvidenceKind(table["evidence"]) if "evidence" in table else None,
    )


def checked(entry: Assumption, where: str) -> Assumption:
    """Check and return an entry that was not read from TOML.

    Raises:
        AssumptionError: the entry is invalid. The message begins with ``where``.
    """
    table = {**vars(entry), "kind": str(entry.kind)}
    try:
        _numbers(table)
        _check_words(table, entry.high)
    except _Refused as refused:
        message, hint = refused.args
        raise AssumptionError(f"{where}: {one_line(str(message))}", hint) from None
    return entry


_KEYS_HINT = f"the keys are {', '.join(_KEYS)}"


class _Refused(Exception):
    def __init__(self, message: str, hint: str = "docs/thesis.md shows an entry") -> None:
        super().__init__(message, hint)


def _check_keys(table: Mapping[str, Any]) -> None:
    for key in table:
        if key not in _KEYS:
            raise _Refused(f"'{key}' is not a key of an entry", _KEYS_HINT)
    for key in _KEYS:
        if key not in _OPTIONAL and table.get(key) in (None, ""):
            origin = key in ("source", "date")
            hint = "give the source and the publication date of the value" if origin else _KEYS_HINT
            raise _Refused(f"'{key}' is missing or empty", hint)


def _numbers(table: Mapping[str, Any]) -> tuple[float, float, float]:
    for key in _NUMBERS:
        if isinstance(table[key], bool) or not isinstance(table[key], int | float):
            raise _Refused(f"'{key}' is not a number")
    value, low, high = (float(table[key]) for key in _NUMBERS)
    if not (0 < low <= value <= high and math.isfinite(high)):
        raise _Refused(
            f"low {low:g}, value {value:g} and high {high:g} are not finite numbers in the order "
            "0 < low <= value <= high",
            "give finite numbers above 0 with low <= value <= high",
        )
    return value, low, high


def _check_words(table: Mapping[str, Any], high: float) -> None:
    if type(table["date"]) is not date:
        raise _Refused("'date' is not a date such as 2026-01-31")
    for key in ("unit", "source", "kind"):
        if not isinstance(table[key], str) or not table[key].strip():
            raise _Refused(f"'{key}' is not text, or is blank")
    if table["unit"] not in UNITS:
        raise _Refused(f"unit '{table['unit']}' is not known", f"known units: {', '.join(UNITS)}")
    if table["kind"] not in set(EntryKind):
        raise _Refused(f"kind '{table['kind']}' is not one of {', '.join(EntryKind)}")
    evidence = table.get("evidence")
    if evidence is not None and not isinstance(evidence, str):
        raise _Refused("'evidence' is not text")
    if evidence is not None and evidence not in set(EvidenceKind):
        raise _Refused(f"evidence '{evidence}' is not one of {', '.join(EvidenceKind)}")
    if table["unit"] == "share" and high > 1:
        raise _Refused(f"a share must not be above 1, but high is {high:g}")
