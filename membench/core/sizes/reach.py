"""The last-level caches that a set of CPUs can reach, and whether they behave as reported.

Only caches in reach of a case's CPUs can serve it: one core complex of an EPYC 9654 reaches 32 MiB,
all twelve reach 384 MiB. Hypervisors and containers report caches that are absent, too large, or
shared with other guests. A staircase (the latency of a pointer chase over growing rings) shows how
they behave.
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
"""A latency that is smaller than memory's by this factor is a cache's, not noise."""

BEYOND = 1.5
"""A ring of this many times a cache's size leaves it: at least a third of the loads miss."""

Staircase = Sequence[tuple[int, float]]
"""(bytes of a ring, ns of one dependent load through it), ascending by size."""


@record
class Reach:
    """The last-level caches that a set of CPUs can reach.

    Attributes:
        bytes: sum of all last-level caches, None if their sizes are unknown.
        confirmed: a staircase was measured and agrees with the reported caches.
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

    Two contradictions are known. If latency is flat from a quarter of the cache's size on, no cache
    of that size serves this CPU. If a ring of four times its size takes at most half of memory's
    latency, a larger cache serves it.
    """
    stairs = machine.cpu.staircase
    if not stairs:
        return ""
    seen, reported = flat_from(stairs), of_the_chase(machine)
    if reported is None:
        return f"no cache is reported, and the chase leaves its caches before {_size(seen)}"
    if _is_beyond(stairs, reported) and CACHE_MULTIPLE * seen <= reported:
        return f"{_size(reported)} are reported, and the chase leaves them before {_size(seen)}"
    beyond = [latency for size, latency in stairs if size >= CACHE_MULTIPLE * reported]
    if beyond and CONTRAST * min(beyond) <= stairs[-1][1]:
        return f"{_size(reported)} are reported, and the chase is cached up to {_size(seen // 2)}"
    return ""


def flat_from(stairs: Staircase) -> int:
    """The smallest ring from which on the latency equals that of the largest one, within `FLAT`.

    A ring that took longer than a larger one was disturbed and is treated like the larger one.
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
    """Bytes of the reported last-level cache of the CPU on which the staircase is measured."""
    cache = machine.cpu.last_levels.get(placement(machine)[0])
    return cache.size if cache is not None else None


def _is_beyond(stairs: Staircase, reported: int | None) -> bool:
    return reported is not None and stairs[-1][0] >= BEYOND * reported


def _size(size: int) -> str:
    return f"{size / MIB:.4g} MiB"
