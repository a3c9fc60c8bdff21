"""Values that an axis accepts from a user, and the outcome of a case with such values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from membench.core.axes import AUTO, Axis, Value
from membench.core.case import Bench
from membench.core.errors import Skip, UsageError
from membench.core.snapshot import Machine
from membench.core.units import KIB
from membench.core.work import Timed

NUMBERS = sorted({*range(41), *(2**k + d for k in range(3, 14) for d in (-1, 0, 1, 2**k // 2))})
MOST = 20 * KIB
SIZES = sorted({*NUMBERS, *(2**k + d for k in range(4, 25) for d in (-16, 4, 16, 2**k // 2, 0))})


@dataclass(frozen=True)
class Trial:
    """The values with which a test tries a bench.

    Attributes:
        base: values of axes while another axis is tried; by default the first value of the quick
            profile, or the largest accepted number or size up to `most`.
        most: largest number or size per axis; by default `MOST`.
        only: the words of an axis that are tried; by default all words of the profiles.
    """

    base: Mapping[str, Value] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    only: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def accepted(self, axis: Axis, machine: Machine) -> list[Value]:
        """The numbers and sizes that ``axis`` accepts from a user, in ascending order."""
        found: dict[Value, None] = {}
        most = self.most.get(axis.name, MOST)
        for text in (*map(str, NUMBERS), *(f"{size}B" for size in SIZES)):
            with suppress(UsageError):
                value = axis.parse(text, machine)
                if int(axis.argument(value)) <= most:
                    found[value] = None
        return sorted(found, key=lambda value: int(axis.argument(value)))

    def choices(self, axis: Axis, machine: Machine) -> list[Value]:
        """All values of ``axis`` to try: numbers, sizes and words."""
        words = [value for value in _known(axis, machine) if _is_word(axis, value)]
        return [*self.accepted(axis, machine), *self.only.get(axis.name, words)]

    def usual(self, bench: Bench, machine: Machine) -> dict[str, Value]:
        """One small value for each axis of ``bench``."""
        return {axis.name: self._usual(axis, machine) for axis in bench.axes}

    def _usual(self, axis: Axis, machine: Machine) -> Value:
        if axis.name in self.base:
            return self.base[axis.name]
        first, choices = axis.values("quick", machine)[0], self.choices(axis, machine)
        return first if first in choices else choices[-1]

    def singles(self, bench: Bench, machine: Machine) -> list[tuple[str, Value]]:
        """For each axis of ``bench`` with numbers or sizes: its name and one of a few values.

        The values are the smallest one, and three values that no profile has.
        """
        found: list[tuple[str, Value]] = []
        for axis in bench.axes:
            values = self.accepted(axis, machine)
            new = [value for value in values if value not in _known(axis, machine)]
            few = (*values[:1], *new[:1], *new[len(new) // 2 :][:1], *new[-1:])
            found += [(axis.name, value) for value in dict.fromkeys(few)]
        return found


def one_by_one(
    benches: Mapping[str, Bench], trial: Callable[[str], Trial], machine: Machine
) -> list[tuple[str, str, Value]]:
    """Triples (name of a bench, name of an axis, value to try) from `Trial.singles`."""
    return [
        (name, key, value)
        for name, bench in benches.items()
        for key, value in trial(name).singles(bench, machine)
    ]


def _known(axis: Axis, machine: Machine) -> tuple[Value, ...]:
    """The values of both profiles."""
    return tuple(dict.fromkeys((*axis.values("quick", machine), *axis.values("full", machine))))


def _is_word(axis: Axis, value: Value) -> bool:
    return value != AUTO and not isinstance(axis.argument(value), int)


def outcome(
    bench: Bench,
    backend: Any,
    params: Mapping[str, Value],
    machine: Machine,
    wait: Callable[[], None] = lambda: None,
) -> str | None:
    """Run and verify the case with ``params``. The result is the reason of a skip, or None.

    ``wait`` waits for the device.
    """
    assert bench.case(params, machine).seconds > 0
    try:
        work: Any = bench.build(backend, params)
        with closing(work):
            if isinstance(work, Timed):
                work.run(2)
                wait()
                work.verify(2)
            else:
                work.observe(0.01)
                if work.verify is not None:
                    work.verify()
    except Skip as skipped:
        return str(skipped)
    return None
