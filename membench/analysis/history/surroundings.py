"""Find facts about a machine that changed at the same time as its measured values.

Many facts differ from run to run, such as free memory and load. So a fact counts only if it changed
exactly once in the runs around the change of the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from membench.core.record import record
from membench.core.text import ascii_line
from membench.core.units import about_size
from membench.results.compact.row import Common

RUNS_LOOKED_AT = 10
"""Number of runs before and after a change whose snapshots are compared."""
SLACK = 1
"""Number of runs by which noise may shift the detected position of a change."""
_LONGEST = 120  # characters of a value
_MOST_FACTS = 50_000  # per snapshot
_DEEPEST = 12
# Facts that may differ in every run, or that depend on other facts.
_VOLATILE = frozenset(
    {
        *("available", "cgroup_used", "cases", "direct_io", "free", "hugetlb_free", "load"),
        *("run_id", "seed", "staircase", "started", "argv", "former", "path", "scratch"),
        *("generation", "width", "machine"),
    }
)
_COLUMNS = ("device", "driver", "cuda", "membench")


@record
class SurroundingChange:
    """A fact about the machine that changed.

    Attributes:
        runs_off: runs from the change of the values to the change of the fact; negative if the fact
            changed first.
    """

    name: str
    before: str
    after: str
    runs_off: int


def facts_of(common: Common, sidecar: Mapping[str, Any]) -> dict[str, str]:
    facts = {name: getattr(common, name) for name in _COLUMNS}
    facts["measured source"] = common.kernel
    facts["flags"] = " ".join(flag for flag in common.flags if flag != "noisy") or "none"
    facts["rounds"] = str(common.rounds)
    if "size=auto" in common.case.split("/") and common.size_bytes:
        facts["size=auto"] = about_size(common.size_bytes)
    machine, plan = sidecar.get("machine"), sidecar.get("plan")
    for part in (machine, plan):
        for count, (name, value) in enumerate(_leaves(part, ())):
            if count >= _MOST_FACTS:
                break
            facts.setdefault(name, value)
    shown = {name: ascii_line(value)[:_LONGEST] for name, value in facts.items()}
    return {name: value for name, value in shown.items() if value}


def _leaves(value: Any, name: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield name and text of each fact in nested data; the name is the path, joined by dots.

    A list of plain values is one fact.
    """
    if len(name) > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _VOLATILE:
                yield from _leaves(inner, (*name, str(key)))
    elif isinstance(value, list):
        if any(isinstance(inner, Mapping | list) for inner in value):
            for place, inner in enumerate(value):
                yield from _leaves(inner, (*name, str(place)))
        else:
            yield ascii_line(".".join(name)), " ".join(map(_text, value)) or "none"
    elif name:
        yield ascii_line(".".join(name)), _text(value)


def _text(value: object) -> str:
    if value is None or value == "":
        return "none"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def switched(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]
) -> list[SurroundingChange]:
    """Find the facts that changed exactly once, at most `SLACK` runs from the start of ``after``.

    Both arguments are in the order of time. Facts that changed nearest to this start come first.
    """
    found = []
    names = dict.fromkeys(name for facts in (*before, *after) for name in facts)
    boundary = len(before)
    runs = [*before, *after]
    for name in names:
        known = [(place, facts[name]) for place, facts in enumerate(runs) if name in facts]
        switches = [(place, old, new) for (_, old), (place, new) in pairwise(known) if old != new]
        if len(switches) == 1:
            place, old, new = switches[0]
            if abs(place - boundary) <= SLACK:
                found.append(SurroundingChange(name, old, new, place - boundary))
    return sorted(found, key=lambda one: abs(one.runs_off))
