"""The statistics of a fleet: the spread of each case, and the slow machines.

In this module, a case with several metrics or statistics counts as several cases, one per `Key`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from membench.analysis.fleet.reading import Key, Values
from membench.analysis.fleet.statistics import (
    CHANCE,
    FAR_MACHINES,
    FAR_Z,
    MACHINES_NEEDED,
    SLOW_Z,
    chance_of,
    fleet_spread,
    robust_z,
    share_beyond,
    slowness,
)
from membench.analysis.thresholds import Thresholds
from membench.core.record import record
from membench.core.terms import Better
from membench.results.fleet_ledger import Host, HostState

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@record
class CaseSpread:
    """The values of one case in the whole fleet.

    Attributes:
        machines: number of machines with a value.
        judged: whether there are enough machines to find outliers.
        spread: robust standard deviation of the values, as a fraction (see `fleet_spread`).
        low, high: 1 % and 99 % quantiles of the values.
        threshold: fraction by which a machine must be slower than the median to count as slow.
        slow: number of slow machines.
    """

    key: Key
    machines: int
    judged: bool
    median: float
    spread: float
    low: float
    high: float
    threshold: float
    slow: int


@record
class SlowCell:
    """A case in which a machine is slow.

    Attributes:
        value, median: the value of the machine and the median of the fleet, in the unit of the key.
        times: factor (above 1) by which the machine is slower than the median.
        z: robust z-score of the machine.
    """

    key: Key
    value: float
    median: float
    times: float
    z: float


@record
class MachineLine:
    """The results of one machine of a fleet.

    Attributes:
        slow: the cases in which the machine is slow, the slowest first.
        judged: number of cases in which the machine was judged.
        chance: see `chance_of`.
        straggler: whether ``chance`` is below `CHANCE`, or a score exceeds `FAR_Z` in a fleet of at
            least `FAR_MACHINES` machines.
    """

    name: str
    slow: tuple[SlowCell, ...]
    judged: int
    chance: float
    straggler: bool


@record
class FleetSummary:
    """The statistics of a fleet.

    Attributes:
        apart: for each of ``values``, the log of the factor by which the machine is slower than the
            median of the case, shape (N,).
        z: the z-score of each of ``values``, shape (N,); NaN if the case was not judged.
        slow: machines that are slow in a case: stragglers first, then by ascending ``chance``.
        lacking: for each incomplete machine, the number of cases that most machines have and this
            machine lacks.
    """

    values: Values
    apart: Floats
    z: Floats
    cases: tuple[CaseSpread, ...]
    slow: tuple[MachineLine, ...]
    lacking: dict[str, int]

    @cached_property
    def stragglers(self) -> tuple[MachineLine, ...]:
        return tuple(line for line in self.slow if line.straggler)

    def absent(self, state: HostState) -> tuple[Host, ...]:
        """The hosts that the ledger of the fleet run lists in ``state``; empty without a ledger."""
        ledger = self.values.ledger
        return ledger.of_state(state) if ledger is not None else ()

    @property
    def failed(self) -> int:
        """Number of failed or unfinished hosts, machines with failed rows, and invalid files."""
        states = (HostState.FAILED, HostState.RUNNING, HostState.WAITING)
        hosts = sum(len(self.absent(state)) for state in states)
        return hosts + len(self.values.failed) + len(self.values.unread)

    @property
    def missing(self) -> int:
        """Number of hosts that never connected, plus the number of machines that lack cases."""
        return len(self.absent(HostState.MISSING)) + len(self.lacking)


def summarise(values: Values, thresholds: Thresholds) -> FleetSummary:
    apart, z = np.full(len(values.value), np.nan), np.full(len(values.value), np.nan)
    cases: list[CaseSpread] = []
    cells: dict[int, list[SlowCell]] = {}
    shares: dict[int, list[float]] = {}
    for number, places in _by_case(values):
        case = _case(values, number, places, thresholds, apart, z)
        cases.append(case)
        if not case.judged:
            continue
        share = share_beyond(case.machines)
        for machine in values.machine[places].tolist():
            shares.setdefault(machine, []).append(share)
        for place in places[_slow(apart[places], z[places], case.threshold)].tolist():
            cells.setdefault(int(values.machine[place]), []).append(
                SlowCell(
                    case.key,
                    float(values.value[place]),
                    case.median,
                    float(np.exp(apart[place])),
                    float(z[place]),
                )
            )
    machines = [_machine(values, number, found, shares[number]) for number, found in cells.items()]
    machines.sort(key=lambda line: (not line.straggler, line.chance, -len(line.slow), line.name))
    return FleetSummary(values, apart, z, tuple(cases), tuple(machines), _lacking(values))


def _by_case(values: Values) -> Iterator[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(values.key, kind="stable")
    starts = np.searchsorted(values.key[order], np.arange(len(values.keys) + 1))
    for number in range(len(values.keys)):
        places = order[starts[number] : starts[number + 1]]
        if len(places):
            yield number, places


def _case(
    values: Values,
    number: int,
    places: NDArray[np.int64],
    thresholds: Thresholds,
    apart: Floats,
    z: Floats,
) -> CaseSpread:
    key = values.keys[number]
    numbers = values.value[places]
    apart[places] = slowness(numbers, higher_is_better=key.better is Better.HIGHER)
    judged = len(places) >= MACHINES_NEEDED
    if judged:
        z[places] = robust_z(apart[places])
    threshold = thresholds.of(key.tier, key.metric)
    low, high = np.quantile(numbers, [0.01, 0.99])
    return CaseSpread(
        key=key,
        machines=len(places),
        judged=judged,
        median=float(np.median(numbers)),
        spread=fleet_spread(apart[places]),
        low=float(low),
        high=float(high),
        threshold=threshold,
        slow=int(np.count_nonzero(_slow(apart[places], z[places], threshold))),
    )


def _slow(apart: Floats, z: Floats, threshold: float) -> NDArray[np.bool_]:
    slow: NDArray[np.bool_] = (z > SLOW_Z) & (apart > np.log1p(threshold))
    return slow


def _machine(
    values: Values, number: int, found: list[SlowCell], shares: list[float]
) -> MachineLine:
    fleet = len(values.machines)
    chance = chance_of(len(found), shares, fleet)
    far = fleet >= FAR_MACHINES and any(cell.z > FAR_Z for cell in found)
    slow = tuple(sorted(found, key=lambda cell: (-cell.times, cell.key)))
    name = values.machines[number]
    return MachineLine(name, slow, len(shares), chance, chance < CHANCE or far)


def _lacking(values: Values) -> dict[str, int]:
    fleet = len(values.machines)
    common = np.bincount(values.key, minlength=len(values.keys)) > fleet / 2
    has = np.bincount(values.machine[common[values.key]], minlength=fleet)
    lacks = int(common.sum()) - has
    return {values.machines[place]: int(lacks[place]) for place in np.flatnonzero(lacks)}
