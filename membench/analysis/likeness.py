"""Find the axes that differ between a case and the case of a published figure.

The rules of a figure name the axes that may differ. In the column `detail`, the rules have the form
``size from 256MiB, vec any``, because ``;`` and ``=`` are separators in that column.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from membench.core.axes import AUTO
from membench.core.case_id import split_case
from membench.core.errors import UsageError
from membench.core.messages import Message, tr
from membench.core.record import record
from membench.core.units import parse_size

NOT_THE_CASE = frozenset({"gpu", "src", "dst"})
"""Parameters that name the GPU on which a case ran, and do not belong to the case."""

Rules = Mapping[str, str]


@record
class AxisDifference:
    """An axis with different values in two cases; a value is empty if a case lacks the axis."""

    axis: str
    theirs: str
    ours: str

    def __str__(self) -> str:
        return str(self.told)

    @property
    def told(self) -> Message:
        """The difference as text, such as ``size 256MiB, here auto``."""
        theirs, ours = self.theirs or "-", self.ours or "-"
        return tr("{axis} {theirs}, here {ours}", axis=self.axis, theirs=theirs, ours=ours)


@record
class Likeness:
    """The axes that differ between a case and the case of a published figure.

    Attributes:
        harmless: differences that the figure's rules permit.
        others: differences that the rules do not permit.
    """

    harmless: tuple[AxisDifference, ...] = ()
    others: tuple[AxisDifference, ...] = ()

    @property
    def alike(self) -> bool:
        """Whether the two cases are comparable."""
        return not self.others

    @property
    def but_for_auto(self) -> bool:
        """Whether `others` has only the size, and exactly one of the cases has ``size=auto``."""
        axes = [(one.axis, AUTO in (one.theirs, one.ours)) for one in self.others]
        return axes == [("size", True)]


@lru_cache(maxsize=512)
def read_rules(text: str) -> Rules:
    """Parse ``size from 256MiB, vec any`` into axis -> rule; parts that are no rule are ignored."""
    pairs = (part.strip().partition(" ") for part in text.split(","))
    return MappingProxyType({axis: rule for axis, space, rule in pairs if space})


def likeness(theirs: str, rules: Rules, ours: str, size: int | None) -> Likeness | None:
    """Find the axes in which the case ``ours`` differs from ``theirs``, the case of a figure.

    None if the cases are of different benches.

    Args:
        rules: the figure's rules for axes that may differ, from `read_rules`.
        size: bytes of each array of ``ours``; used if ``ours`` has ``size=auto``.
    """
    bench, figure = split_case(theirs)
    other, case = split_case(ours)
    if bench != other:
        return None
    harmless: list[AxisDifference] = []
    others: list[AxisDifference] = []
    for axis in dict.fromkeys((*figure, *case)):
        found = AxisDifference(axis, figure.get(axis, ""), case.get(axis, ""))
        if axis in NOT_THE_CASE or found.theirs == found.ours:
            continue
        allowed = axis in rules and _fits(rules[axis], found.ours, size)
        (harmless if allowed else others).append(found)
    return Likeness(tuple(harmless), tuple(others))


def _fits(rule: str, value: str, size: int | None) -> bool:
    if rule == "any":
        return True
    words = rule.split(" ")
    number = size if value == AUTO else _number(value)
    match words:
        case ["from", low]:
            return number is not None and number >= (_number(low) or 0)
        case ["to", high]:
            return number is not None and number <= (_number(high) or 0)
        case [low, "to", high]:
            return number is not None and (_number(low) or 0) <= number <= (_number(high) or 0)
        case _:
            return value in words[::2] and set(words[1::2]) <= {"or"}


def _number(text: str) -> int | None:
    if text.isascii() and text.isdecimal():
        return int(text[:18])
    try:
        return parse_size(text)
    except UsageError:
        return None
