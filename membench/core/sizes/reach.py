"""Find the last-level caches that CPUs can reach, and check whether they behave as reported.

One core complex of an EPYC 9654 reaches 32 MiB. All twelve core complexes together reach 384 MiB.
Hypervisors and containers may report caches that are absent, too large, or shared with other
virtual machines. A staircase shows the real behaviour: the latency of a pointer chase over buffers
(rings) of growing size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from membench.core.record import record
from membench.core.sizes.placement import placement
from membench.core.snapshot import Machine
from membench.core.units import MIB

CACHE_MULTIPLE = 4
"""STREAM's rule: each array has at least four times the last-level caches used in the run
(https://www.cs.virginia.edu/stream/ref.html)."""

FLAT = 1.25
"""Latencies that differ by less than this factor belong to the same step of a staircase."""

CONTRAST = 2.0
"""Smallest ratio of memory latency to a measured latency that proves a cache."""

BEYOND = 1.5
"""Ratio of ring size to cache size at which at least a third of the loads miss the cache."""

Staircase = Sequence[tuple[int, float]]
"""Pairs (size of a ring in bytes, latency of a load in this ring in ns), ascending by size."""


@record
class Reach:
    """The last-level caches that a set of CPUs can reach.

    Attributes:
        bytes: total size of these caches; None if unknown.
        confirmed: whether the measured latencies (`Cpu.staircase`) confirm the reported caches;
            also True if no cache can serve the case.
    """

    bytes: int | None
    confirmed: bool = False


def reachable(machine: Machine, cpus: Iterable[int]) -> Reach:
    """The last-level caches that ``cpus`` can reach; a shared cache counts once.

    If ``cpus`` is empty, no cache can serve the case, and the size is 0. If the machine's staircase
    contradicts the reported caches, the staircase corrects their sizes.
    """
    cpus = tuple(cpus)
    if not cpus:
        return Reach(0, confirmed=True)
    every = [machine.cpu.last_levels.get(cpu) for cpu in cpus]
    found = {(cache.level, cache.cpus): cache.size for cache in every if cache is not None}
    reported = None if None in every else sum(found.values())
    stairs = machine.cpu.staircase
    if not stairs:
        return Reach(reported)
    if not contradiction(machine):
        return Reach(reported, confirmed=_is_beyond(stairs, of_the_chase(machine)))
    seen = flat_from(stairs)
    if reported is not None and seen <= (of_the_chase(machine) or 0):
        return Reach(sum(min(size, seen) for size in found.values()))
    nodes = {core.node for core in machine.cpu.cores if core.cpu in cpus}
    return Reach(max(reported or 0, seen * max(1, len(nodes))))


def contradiction(machine: Machine) -> str:
    """Why the staircase contradicts the reported caches, as a message.

    The message is empty if there is no contradiction or no staircase.

    The possible reasons:

    - No cache is reported.
    - The cache is smaller than reported: all rings from a quarter of the reported size on have
      memory latency.
    - The cache is larger than reported: in a ring of at least four times the reported size, a load
      takes at most half of the memory latency.
    """
    stairs = machine.cpu.staircase
    if not stairs:
        return ""
    seen, reported = flat_from(stairs), of_the_chase(machine)
    if reported is None:
        return (
            "the system reports no cache, but a pointer chase over less than "
            f"{_size(seen)} is faster than memory"
        )
    if _is_beyond(stairs, reported) and CACHE_MULTIPLE * seen <= reported:
        return (
            f"the system reports a cache of {_size(reported)}, but a pointer chase over "
            f"{_size(seen)} is already as slow as memory"
        )
    beyond = [latency for size, latency in stairs if size >= CACHE_MULTIPLE * reported]
    if beyond and CONTRAST * min(beyond) <= stairs[-1][1]:
        return (
            f"the system reports a cache of {_size(reported)}, but a pointer chase over "
            f"{_size(seen // 2)} is still faster than memory"
        )
    return ""


def flat_from(stairs: Staircase) -> int:
    """Size in bytes of the smallest ring with memory latency.

    In this ring and all larger rings, the latency is at least 1 / `FLAT` of the latency in the
    largest ring.
    """
    size, top = stairs[-1]
    least = top
    for ring, latency in reversed(stairs):
        least = min(least, latency)  # a latency above that of a larger ring is a disturbance
        if least < top / FLAT:
            break
        size = ring
    return size


def of_the_chase(machine: Machine) -> int | None:
    """Reported bytes of the last-level cache of the CPU that measures the staircase.

    This CPU is the first of `placement`. The result is None if the size is unknown.
    """
    cache = machine.cpu.last_levels.get(placement(machine)[0])
    return cache.size if cache is not None else None


def _is_beyond(stairs: Staircase, reported: int | None) -> bool:
    return reported is not None and stairs[-1][0] >= BEYOND * reported


def _size(size: int) -> str:
    return f"{size / MIB:.4g} MiB"
