"""The axes (parameters) of a bench, and the sweep that combines their values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.units import format_size, parse_size

if TYPE_CHECKING:
    from membench.core.snapshot import Machine

Value = int | str
Values = Value | tuple[Value, ...] | Callable[["Machine"], tuple[Value, ...]]
"""One value, several values, a range such as ``"4KiB..1GiB *4"``, or a function of the machine."""

OMITTED = ""
"""Value of an axis that a case does not have; the case id leaves the axis out."""

AUTO = "auto"
"""Axis value for the size that membench chooses; see `membench.core.sizes.working_set`."""

_RANGE = re.compile(r"(\S+?)\.\.(\S+) \*(\d+)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEXT = re.compile(r"[a-z0-9][a-z0-9._-]*")


def expand(values: Values, machine: Machine) -> tuple[Value, ...]:
    """The values as a tuple; a range ``"4KiB..64KiB *4"`` becomes 4KiB, 16KiB, 64KiB.

    Raises:
        ValueError: a range has a factor below 2, or begins below 1 byte.
    """
    if callable(values):
        values = values(machine)
    if isinstance(values, tuple):
        return values
    if isinstance(values, str) and (match := _RANGE.fullmatch(values)):
        first, last, factor = parse_size(match[1]), parse_size(match[2]), int(match[3])
        if factor < 2 or first < 1:
            raise ValueError(
                f"the range '{values}' must begin above 0 and have a factor of 2 or more"
            )
        steps = itertools.takewhile(
            lambda size: size <= last, (first * factor**n for n in itertools.count())
        )
        return tuple(format_size(size) for size in steps)
    return (values,)


@record
class Axis:
    """One parameter of a bench.

    Attributes:
        name: the parameter's name in the bench function and in the case id.
        quick: the values in the quick profile. The first is the default in every profile.
        full: the values in the full profile.
        least: the smallest number or size (in bytes) that a user may ask for. A smaller value in a
            profile lowers this limit.
        most: the largest number or size (in bytes) that a user may ask for; None for no limit.
        closed: whether a user may ask only for the numbers of the profiles, for example because
            kernels exist only for these numbers.
        step: divisor of every number or size (in bytes) that a user may ask for.
        power: whether a user may ask only for powers of two.
    """

    name: str
    quick: Values
    full: Values
    least: int = 1
    most: int | None = None
    closed: bool = False
    step: int = 1
    power: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"'{self.name}' is not a valid axis name")

    def values(self, profile: str, machine: Machine) -> tuple[Value, ...]:
        """The distinct values in ``profile``; the default value comes first.

        Raises:
            ValueError: a value is not allowed in a case id.
        """
        quick = expand(self.quick, machine)
        chosen = quick if profile == "quick" else expand(self.full, machine)
        values = tuple(dict.fromkeys((*quick[:1], *chosen)))
        for value in values:
            if value != OMITTED and not _TEXT.fullmatch(self.text(value).lower()):
                raise ValueError(f"axis {self.name}: '{value}' is not allowed in a case id")
        return values

    def parse(self, text: str, machine: Machine) -> Value:
        """Parse a value that a user asks for, inside or outside the profiles.

        A size is normalised: ``1024MiB`` becomes ``1GiB``.

        Raises:
            UsageError: this axis cannot have the value.
        """
        known = (*expand(self.quick, machine), *expand(self.full, machine))
        for value in known:
            if text == str(value):
                return value
        numbers = [value for value in known if isinstance(value, int)]
        if numbers and not self.closed and text.isdecimal() and text.isascii():
            return self._permitted(int(text), str, numbers)
        sizes = [size for value in known if isinstance(size := self.argument(value), int)]
        if AUTO in known or len(sizes) > len(numbers):
            if text == AUTO and self.name == "size":
                return AUTO
            return format_size(self._permitted(parse_size(text), format_size, sizes))
        shown = ", ".join(dict.fromkeys(str(value) for value in known if value != OMITTED))
        raise UsageError(f"{self.name} cannot be '{text}'", f"{self.name} can be {shown}")

    def _permitted(self, value: int, show: Callable[[int], str], known: Sequence[int]) -> int:
        """Return ``value`` if the axis can have it. ``known`` are the values of the profiles.

        Raises:
            UsageError: the axis cannot have the value.
        """
        least = min([max(self.least, self.step), *known])
        if value % self.step:
            hint = f"must be a multiple of {show(self.step)}"
        elif value < least or (self.most is not None and value > self.most):
            more = " or more" if self.most is None else f" to {show(self.most)}"
            hint = f"can be {show(least)}{more}"
        elif self.power and value & (value - 1):
            hint = "must be a power of two"
        else:
            return value
        raise UsageError(f"{self.name} cannot be {show(value)}", f"{self.name} {hint}")

    @staticmethod
    def text(value: Value) -> str:
        """``value`` as text for a case id."""
        return str(value)

    @staticmethod
    def argument(value: Value) -> Value:
        """``value`` as an argument of the bench function: a size becomes an integer, in bytes."""
        return _of_text(value) if isinstance(value, str) else value


@lru_cache(maxsize=1 << 12)  # thousands of combinations of a grid share a few values
def _of_text(text: str) -> Value:
    if text[:1].isdigit():
        try:
            return parse_size(text)
        except UsageError:
            return text
    return text


def sweep(
    axes: Iterable[Axis], grids: Iterable[frozenset[str]], profile: str, machine: Machine
) -> Iterator[Mapping[str, Value]]:
    """Combine the values of ``axes``: sweep one axis at a time, but cross the axes of a grid.

    Yields each combination once, as ``{axis name: value}`` in the order of the axes. The first
    combination has the default of every axis.
    """
    axes, grids = tuple(axes), tuple(grids)
    values = {axis.name: axis.values(profile, machine) for axis in axes}
    defaults = {name: several[0] for name, several in values.items()}
    crossed = [name for name in values if any(name in grid for grid in grids)]
    seen: set[tuple[Value, ...]] = set()

    def new(names: Sequence[str]) -> Iterator[dict[str, Value]]:
        for some in itertools.product(*(values[name] for name in names)):
            combination = defaults | dict(zip(names, some, strict=True))
            key = tuple(combination.values())
            if key not in seen:
                seen.add(key)
                yield combination

    found = [one for grid in grids for one in new([name for name in crossed if name in grid])]
    if len(grids) > 1:
        place = {name: {value: at for at, value in enumerate(values[name])} for name in crossed}
        found.sort(key=lambda one: [place[name][one[name]] for name in crossed])
    yield from found
    for name in values:
        if name not in crossed:
            yield from new([name])
