"""Collect the facts about the machine and the software that produced results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from membench.core.record import record
from membench.core.text import ascii_line
from membench.core.units import about_size, format_size
from membench.results.compact.row import Measurement, commons_of

COLUMNS = ("machine", "device", "backend", "driver", "cuda", "membench")
"""The columns of a results file that describe the origin of a row."""
PACKAGE = "package "
"""Prefix of the names of facts about installed software."""
AS_STARTED = "as started"
"""The setting of a side of a paired run on which nothing was changed."""
_LARGEST_MEMORY = 1 << 60


@record
class Fact:
    """A property of the machine or of its software, with the value of each label.

    A value is empty if unknown.
    """

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether two labels have known values that differ."""
        return len({value for value in self.values if value}) > 1

    @property
    def same(self) -> bool:
        """Whether the values of all labels are known and equal."""
        return len(set(self.values)) == 1 and bool(self.values[0])


def sidecar_facts(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Map names of facts to values: the known facts in ``sidecar``, a result of `read_plain`."""
    machine = _part(sidecar, "machine")
    cpu, memory = _part(machine, "cpu"), _part(machine, "memory")
    total = memory.get("total")
    known = isinstance(total, int) and 0 < total < _LARGEST_MEMORY
    facts = {
        "profile": _part(sidecar, "plan").get("profile"),
        "setting": paired_setting(sidecar),
        "cpu": cpu.get("model"),
        "governor": cpu.get("governor"),
        "hypervisor": cpu.get("hypervisor"),
        "memory": about_size(total) if known and total else None,
        "thp": memory.get("thp"),
        "multi-size thp": _sizes(memory.get("small_thp")),
        "memory policy": memory.get("policy"),
        "system": machine.get("system"),
        "kernel": machine.get("kernel"),
        "python": machine.get("python"),
        **{f"{PACKAGE}{name}": value for name, value in _part(machine, "packages").items()},
    }
    return {
        ascii_line(name): ascii_line(value)
        for name, value in facts.items()
        if isinstance(value, str) and ascii_line(value)
    }


def _sizes(value: object) -> str:
    """Format byte counts as ``64KiB 128KiB``, or as ``none``; empty if ``value`` is no list."""
    if not isinstance(value, list | tuple):
        return ""
    known = [size for size in value if isinstance(size, int) and 0 < size < _LARGEST_MEMORY]
    return " ".join(map(format_size, known)) or "none"


def compare_facts(
    rows: Sequence[Sequence[Measurement]], sidecars: Sequence[Sequence[Mapping[str, str]]]
) -> list[Fact]:
    """Collect the facts of each label from its rows and from the sidecars of its files."""
    columns = [[_joined(values) for values in _columns(side)] for side in rows]
    facts = [
        Fact(name, tuple(side[place] for side in columns)) for place, name in enumerate(COLUMNS)
    ]
    names = dict.fromkeys(name for side in sidecars for one in side for name in one)
    facts += [
        Fact(name, tuple(_joined(one.get(name, "") for one in side) for side in sidecars))
        for name in names
    ]
    return [fact for fact in facts if any(fact.values)]


def _columns(rows: Sequence[Measurement]) -> Iterator[Iterable[str]]:
    commons = commons_of(rows)
    for name in COLUMNS:
        yield map(attrgetter(name), rows if name == "machine" else commons)


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, set(values))))


def paired_setting(sidecar: Mapping[str, Any]) -> str | None:
    """The setting of the side (A or B) of a paired run that ``sidecar`` describes.

    `AS_STARTED` if nothing was changed on this side; None if the run is not a paired run.
    """
    pair = _part(_part(sidecar, "plan"), "pair")
    side = pair.get("side")
    if side not in ("a", "b"):
        return None
    versus = str(pair.get("versus") or "") if side == "b" else ""
    setup = str(pair.get(f"setup_{side}") or "")
    return " after ".join(filter(None, (versus or AS_STARTED, setup)))


def _part(machine: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = machine.get(name)
    return part if isinstance(part, Mapping) else {}
