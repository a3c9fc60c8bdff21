"""The last-level caches that a set of CPUs can reach, and whether they behave as reported.

Only caches that a case's CPUs can reach can serve it: one core complex of an EPYC 9654 reaches 32
MiB, all twelve reach 384 MiB. Hypervisors and containers may report caches that are absent, too
large, or shared with other guests. A staircase (the latency of a pointer chase over growing rings)
shows how they behave.
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
"""A latency this many times smaller than memory latency shows a cache, not noise."""

BEYOND = 1.5
"""A ring this many times as large as a cache does not fit: at least a third of the loads miss."""

Staircase = Sequence[tuple[int, float]]
"""Pairs (bytes of a ring, ns per dependent load in this ring), ascending by size."""


@record
class Reach:
    """The last-level caches that a set of CPUs can reach.

    Attributes:
        bytes: total size of these caches, None if unknown.
        confirmed: whether a staircase was measured and agrees with the reported caches.
    """

    bytes: int | None
    confirmed: bool = False


def reachable(machine: Machine, cpus: Iterable[int]) -> Reach:
    """The last-level caches that ``cpus`` can reach, each counted once.

    If the machine's staircase contradicts the reported caches, the staircase decides.
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
    """How the staircase contradicts the reported caches, in words; empty if it agrees.

    Two contradictions are checked. If latency is flat from a quarter of the reported size on, no
    cache of that size serves this CPU. If a ring of four times the reported size takes at most half
    of memory latency, a larger cache serves this CPU.
    """
    stairs = machine.cpu.staircase
    if not stairs:
        return ""
    seen, reported = flat_from(stairs), of_the_chase(machine)
    if reported is None:
        return f"no cache is reported, but the pointer chase leaves a cache before {_size(seen)}"
    if _is_beyond(stairs, reported) and CACHE_MULTIPLE * seen <= reported:
        return (
            f"{_size(reported)} are reported, but the pointer chase leaves the caches before "
            f"{_size(seen)}"
        )
    beyond = [latency for size, latency in stairs if size >= CACHE_MULTIPLE * reported]
    if beyond and CONTRAST * min(beyond) <= stairs[-1][1]:
        return (
            f"{_size(reported)} are reported, but the pointer chase stays in caches up to "
            f"{_size(seen // 2)}"
        )
    return ""


def flat_from(stairs: Staircase) -> int:
    """Bytes of the smallest ring from which on latency stays that of the largest, within `FLAT`.

    If a ring took longer than a larger one, it was disturbed and gets the latency of the larger
    one.
    """
    size, top = stairs[-1]
    least = top
    for ring, latency in reversed(stairs):
        least = min(least, latency)
        if least < top / FLAT:
            break
        size = ring
    return size


def of_the_chase(machine: Machine) -> int | None:
    """Reported size in bytes of the last-level cache of the CPU that measures the staircase."""
    cache = machine.cpu.last_levels.get(placement(machine)[0])
    return cache.size if cache is not None else None


def _is_beyond(stairs: Staircase, reported: int | None) -> bool:
    return reported is not None and stairs[-1][0] >= BEYOND * reported


def _size(size: int) -> str:
    return f"{size / MIB:.4g} MiB"
