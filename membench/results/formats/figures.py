"""Functions with which all importers describe the origin of a file and make rows from values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property, lru_cache, partial
from typing import Any

from membench.core.errors import SchemaError, UsageError
from membench.core.record import record
from membench.core.terms import BETTER, UNIT, Metric, Stat, Status, Tier
from membench.core.text import ascii_line
from membench.results.cells import SAMPLES_KEPT, is_positive
from membench.results.formats.reading import Unplaced
from membench.results.schema import Row, check, is_cell, normal

_NOT_IN_CASE = re.compile(r"[^A-Za-z0-9._=+:@-]+")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9._-]+")
_LONGEST_PART = 200


@record
class Origin:
    """The origin of the values in an imported file.

    Attributes:
        tool: name of the tool; `backend` becomes ``import:<tool>``.
        started: time of the run, or of the file if the file contains no time; ISO 8601 with Z.
        given: facts that the user gave because the file lacks them, by name.
    """

    tool: str
    run_id: str
    machine: str
    started: str = ""
    given: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def facts(self) -> Mapping[str, str]:
        """Column -> cell, for run_id, machine and started; empty if one of the cells is invalid."""
        facts = {"run_id": self.run_id, "machine": self.machine, "started": self.started}
        return facts if all(is_cell(name, text) for name, text in facts.items()) else {}

    def tier(self, default: Tier | None = None, *, of: Sequence[Tier] = tuple(Tier)) -> Tier:
        """Return the tier that the user gave, otherwise ``default``.

        Raises:
            UsageError: the user gave no tier and ``default`` is None, or the tier is not in ``of``.
        """
        name = self.given.get("tier", default or "")
        if name not in of:
            raise UsageError(
                f"{self.tool} does not measure the tier '{name}'"
                if name
                else f"a file of {self.tool} does not name the memory tier that was measured",
                f"add {' or '.join(f'--set tier={tier}' for tier in of)}",
            )
        return Tier(name)


def row(
    origin: Origin,
    tier: Tier,
    case: str,
    metric: Metric,
    value: float | None = None,
    *,
    stat: Stat = Stat.MEDIAN,
    samples: Sequence[float] = (),
    reason: str = "",
    failed: bool = False,
    **columns: Any,
) -> Row | Unplaced:
    """Make a row with a single round from ``value`` in the unit of ``metric``.

    If ``value`` is None, the row is `failed` or `skipped` (depending on ``failed``), and has the
    ``reason``. More than `SAMPLES_KEPT` samples are counted, but not stored. ``columns`` are
    further columns of the row. The result is an `Unplaced` if a column has an invalid value.
    """
    kept = tuple(samples) if len(samples) <= SAMPLES_KEPT else ()
    own: dict[str, Any] = {"case": case, "n": len(samples) or (1 if value is not None else 0)}
    if value is None:
        status = Status.FAILED if failed else Status.SKIPPED
        own["reason"] = ascii_line(reason) or "no reason was given"
    else:
        status = Status.OK
        own |= {"value": float(value), "round_values": (float(value),), "rounds": 1}
        columns["flags"] = ("single-round", *columns.get("flags", ()))
    columns["device"] = columns.get("device") or origin.given.get("device", "")
    for name in ("n", "detail"):
        if name in columns:
            own[name] = columns.pop(name)
    facts = origin.facts
    plain = not kept and columns.keys() <= _PLAIN and (value is None or is_positive(value))
    if not (plain and facts and _is_case(case)):
        samples_of_round = {"samples": (kept,)} if kept and value is not None else {}
        return _made(origin, tier, metric, stat, status, {**columns, **own, **samples_of_round})
    detail = tuple(own.pop("detail", {}).items())
    first = _first(origin.tool, tier, metric, stat, status, tuple(columns.items()), detail)
    if isinstance(first, Unplaced):
        return first
    like = object.__new__(Row)  # same as `replace`, but without building and checking the row again
    vars(like).update(vars(first), **facts, **own)
    return like


_is_case = lru_cache(maxsize=8192)(partial(is_cell, "case"))
_PLAIN = frozenset(("bytes_convention", "timer", "device", "driver", "cuda", "flags"))
"""Columns that usually are the same in all rows of an imported file."""


@lru_cache(maxsize=1024)
def _first(
    tool: str,
    tier: Tier,
    metric: Metric,
    stat: Stat,
    status: Status,
    columns: tuple[tuple[str, Any], ...],
    detail: tuple[tuple[str, str], ...],
) -> Row | Unplaced:
    """Make a row with placeholders for case, value and origin, and check the row.

    `row` copies this row without another check, and replaces the placeholders.
    """
    ok = {"value": 1.0, "round_values": (1.0,), "rounds": 1, "n": 1}
    own = ok if status is Status.OK else {"reason": "none"}
    about = {**dict(columns), **own, "detail": dict(detail), "case": "x"}
    return _made(Origin(tool, "x", "x"), tier, metric, stat, status, about)


def _made(
    origin: Origin,
    tier: Tier,
    metric: Metric,
    stat: Stat,
    status: Status,
    columns: Mapping[str, Any],
) -> Row | Unplaced:
    row = Row(
        run_id=origin.run_id,
        machine=origin.machine,
        tier=tier,
        case_version=1,
        metric=metric,
        stat=stat,
        status=status,
        unit=UNIT[metric],
        better=BETTER[metric],
        backend=f"import:{origin.tool}",
        started=origin.started,
        **columns,
    )
    try:
        check(row)
        return normal(row)
    except SchemaError as error:
        return Unplaced(str(error))


@lru_cache(maxsize=8192)
def case_id(*parts: str) -> str:
    """A case id that consists of ``parts``, separated by slashes.

    Characters that are not allowed become ``-``. Each part is cut to 200 characters. Empty parts
    are left out.
    """
    cleaned = (_NOT_IN_CASE.sub("-", ascii_line(part))[:_LONGEST_PART].strip("-") for part in parts)
    text = "/".join(part for part in cleaned if part)
    return text[:1].lower() + text[1:]


def slug(text: str) -> str:
    """Convert ``text`` to a machine name of at most 60 characters.

    Characters that are not allowed become ``-``. Then ``-``, ``.`` and ``_`` at both ends of the
    text are removed, so the name can be empty.
    """
    return _NOT_IN_SLUG.sub("-", ascii_line(text).lower()).strip("-._")[:60]


def part(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object ``content[name]``; an empty dict if there is no such object."""
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def objects(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in the list ``content[name]``; an empty list if there is no such list."""
    found = content.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text_of(value: object) -> str:
    """Return ``value`` as one line of ASCII if it is text; otherwise an empty text."""
    if not isinstance(value, str):
        return ""
    return _short_line(value) if len(value) < _LONGEST_PART else ascii_line(value)


_short_line = lru_cache(maxsize=8192)(ascii_line)  # the same words recur in every file


def number(value: object) -> float | None:
    """Convert ``value``, a number or a text, to a float; None unless it is finite and above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found > 0 else None


def count(value: object) -> int:
    """Return ``value`` as a number of repetitions; 1 if it is no number above 0."""
    return max(1, int(number(value) or 1))
