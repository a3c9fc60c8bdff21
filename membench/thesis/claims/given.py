"""Reads assumptions given as text: ``NAME=VALUE [UNIT] [as KIND]``.

- ``system.link=50`` keeps the unit of the built-in assumption and scales the range with the value.
- ``system.link=40..60 GB/s`` gives the range. The value is the middle of the range.
- ``system.link=50 as measured elsewhere`` also gives the kind of evidence.

A unit is required for a name without a built-in value (an unpublished record or a missing
measurement).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from membench.core.errors import UsageError
from membench.core.near import did_you_mean
from membench.core.text import one_line
from membench.results.schema import Row
from membench.thesis.claims.assumptions import (
    SUBSTITUTE,
    UNITS,
    Assumption,
    AssumptionError,
    Assumptions,
    EntryKind,
    assumptions,
    checked,
    units_of,
)
from membench.thesis.claims.evidence import find, machines
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import Ledger, ledger

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_FORM = re.compile(
    rf"(?P<name>[^=\s]+)\s*=\s*(?P<low>{_NUMBER})(?:\.\.(?P<high>{_NUMBER}))?"
    rf"(?:\s+(?P<unit>(?!as\s)\S+(?:\s+USD)?))?(?:\s+as\s+(?P<kind>[a-z ]+?))?\s*"
)
_SOURCE = "given on the command line"
_HINT = "write NAME=VALUE, such as system.link=50 or 'system.link=40..60 GB/s'"


def waited_for(told: Ledger, entries: Assumptions) -> dict[str, str]:
    """Name -> unit that the models use, for names that a user may add to the assumptions.

    - each unpublished record that ``entries`` lacks
    - ``measurement.<input>`` for each input that is not a ratio between two machines
    """
    records = {
        name: UNITS[one.unit][0] for name, one in told.awaited.items() if name not in entries
    }
    measurements = {
        f"{SUBSTITUTE}{name}": need.dimension
        for name, need in told.inputs.items()
        if need.machines == 1
    }
    return {**records, **measurements}


def assumed(
    override: Path | None = None, assume: Sequence[str] = (), today: date | None = None
) -> Assumptions:
    """The built-in assumptions, changed by the file ``override`` and the texts ``assume``.

    Args:
        today: the date of the entries from ``assume``; None for the present day.

    Raises:
        AssumptionError: the file or an entry of the file is invalid.
        UsageError: a text in ``assume`` is invalid.
    """
    told = ledger()
    entries = assumptions(override, declared=waited_for(told, assumptions()))
    if not assume:
        return entries
    return given(assume, entries, waited_for(told, entries), today or datetime.now(UTC).date())


def idle(entries: Assumptions, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """(warning, hint) for each assumption ``measurement.<input>`` without an effect.

    The assumption has no effect if the input was measured on every machine.
    """
    of_machines = tuple(machines(rows).values())
    inputs = ledger().inputs
    for name in entries:
        if not name.startswith(SUBSTITUTE) or not of_machines:
            continue
        need = inputs[name.removeprefix(SUBSTITUTE)]
        found = [find(need, own).rows for own in of_machines]
        if all(found):
            yield (
                f"the assumption {name} has no effect, because {found[0][0].case} is measured",
                "remove the assumption: an assumption replaces only a missing measurement",
            )


def given(
    texts: Iterable[str], base: Assumptions, further: Mapping[str, str], today: date
) -> Assumptions:
    """``base`` with the entries in ``texts`` replaced or added.

    Args:
        further: name -> unit that the models use, for further names that ``texts`` may define.
        today: the date of the new entries.

    Raises:
        UsageError: a text is invalid.
    """
    found = dict(base)
    for text in texts:
        try:
            entry = _entry(text, found, further, today)
        except AssumptionError as error:
            raise UsageError(str(error), error.hint) from None
        found[entry.name] = entry
    return found


def _entry(text: str, base: Assumptions, further: Mapping[str, str], today: date) -> Assumption:
    shown = one_line(text)
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise AssumptionError(f"--assume '{shown}' is not NAME=VALUE", _HINT)
    name, unit, kind = match["name"], match["unit"], match["kind"]
    before = base.get(name)
    if before is None and name not in further:
        known = sorted(base.keys() | further.keys())
        raise UsageError(
            f"--assume '{shown}': unknown assumption '{one_line(name)}'",
            did_you_mean(name, known, "docs/thesis.md names the files that list the assumptions"),
        )
    if unit is None and before is None:
        units = units_of(further[name])
        raise AssumptionError(
            f"--assume '{shown}' has no unit, but '{name}' needs one, because membench has no "
            "value for it",
            f"give a unit ({units}), such as {name}='{match['low']} {units.partition(' or ')[0]}'",
        )
    unit = unit or (before.unit if before else "")
    if unit not in UNITS:
        raise AssumptionError(
            f"--assume '{shown}': unit '{one_line(unit)}' is not known",
            f"known units: {', '.join(UNITS)}",
        )
    wanted = UNITS[before.unit][0] if before else further[name]
    if UNITS[unit][0] != wanted:
        usual = before.unit if before else units_of(wanted)
        raise AssumptionError(
            f"--assume '{shown}': a value in {unit} cannot replace a value in {usual}",
            f"give the value in {usual}",
        )
    if kind is not None and kind not in set(EvidenceKind):
        raise AssumptionError(
            f"--assume '{shown}': '{one_line(kind)}' is not a kind of evidence",
            f"the kinds are {', '.join(EvidenceKind)}",
        )
    value, low, high = _range(match, before, unit)
    evidence = EvidenceKind(kind) if kind else before.evidence if before else None
    entry = Assumption(
        name=name,
        value=value,
        low=low,
        high=high,
        unit=unit,
        source=_SOURCE if before is None else f"{_SOURCE}; before: {before.source}",
        date=today,
        kind=before.kind if before else EntryKind.RECORD,
        evidence=evidence,
        own=True,
    )
    return checked(entry, f"--assume '{shown}'")


def _range(
    match: re.Match[str], before: Assumption | None, unit: str
) -> tuple[float, float, float]:
    """(value, low, high) in ``unit``, from the text.

    If the text has no range, the range of ``before`` is scaled with the value; the range of a year
    is shifted. If the text has no range and ``before`` is None, the range is only the value.
    """
    low = float(match["low"])
    if match["high"] is not None:
        high = float(match["high"])
        return (low + high) / 2, low, high
    if before is None:
        return low, low, low
    if before.unit == "year":
        step = low - before.value
        return low, before.low + step, before.high + step
    factor = low / before.value
    most = 1.0 if unit == "share" else float("inf")
    # min and max, because rounding could move an end of the range past the value
    return low, min(low, before.low * factor), max(low, min(most, before.high * factor))


def text_of(entry: Assumption, value: float, kind: EvidenceKind | None = None) -> str:
    """The `--assume` text that sets ``entry`` to ``value`` (in the unit of ``entry``).

    If ``kind`` is None, the text does not state the kind of evidence.
    """
    unit = "" if entry.unit in ("1", "share") else f" {entry.unit}"
    stated = "" if kind is None else f" as {kind}"
    return f"{entry.name}={value:.6g}{unit}{stated}"
