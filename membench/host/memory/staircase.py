"""The staircase: the latency of a chase over growing rings, measured before the plan is made.

A system may report no caches, or caches of another size than the process gets. One CPU follows
pointers through rings that double in size from `LEAST_RING`, each linked by this CPU alone. From
the size on after which latency no longer rises, no cache serves the CPU; see
`membench.core.sizes.reach`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from membench.core.sizes.placement import placement
from membench.core.sizes.working_set import top_ring
from membench.core.snapshot import Machine
from membench.core.units import MIB
from membench.host.compiled.interpreter import command, environment

if TYPE_CHECKING:
    from membench.host.memory.ring import HostRing
    from membench.host.memory.thread_pool import Job

LEAST_RING = MIB
LOADS = 4096
SAMPLES = 7
SAMPLE_S = 0.04
"""Least seconds of sampling; the fastest sample counts, as disturbances only slow a chase down."""

LIMIT_S = 2.0
"""Seconds after which no larger ring is started."""

START_S = 60.0
"""Seconds for the process to start; the first one on a machine also compiles its kernels."""


def measure(machine: Machine) -> tuple[tuple[int, float], ...]:
    """(bytes of a ring, ns of one dependent load through it), ascending by size.

    Measured in a process of its own, on the first CPU that threads are pinned to. Empty if no
    kernel can be compiled or the process fails.
    """
    if os.environ.get("MEMBENCH_ENGINE") == "numpy":
        return ()
    top = top_ring(machine)
    while top > LEAST_RING and top > machine.memory.budget:
        top //= 2
    lines = [cache.line for cache in machine.cpu.caches if cache.line]
    arguments = (placement(machine)[0], top, max(lines, default=64))
    try:
        done = subprocess.run(
            command(__name__, *map(str, arguments)),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=START_S,
            check=True,
        )
        return tuple((int(size), float(latency)) for size, latency in json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return ()


def chase(cpu: int, top: int, line: int) -> list[tuple[int, float]]:
    """The staircase on this CPU up to a ring of ``top`` bytes, with lines of ``line`` bytes."""
    from membench.host.memory import chase_kernels as host_chase
    from membench.host.memory.arena import map_pages
    from membench.host.memory.ring import HostRing, Walk
    from membench.host.memory.thread_pool import ThreadPool

    memory = map_pages(top, "thp")
    team = ThreadPool([cpu])
    team.run([_linking(HostRing.over(memory[:LEAST_RING], line))])  # starts the thread
    if team.unpinned([0]):
        team.close()
        return []  # it would be of whatever CPUs the thread has met
    for kernel in (host_chase.link, host_chase.place, host_chase.chase):
        _ = kernel.entry  # compiled before the clock runs
    stairs: list[tuple[int, float]] = []
    size, end = LEAST_RING, time.monotonic() + LIMIT_S
    while size <= top and time.monotonic() < end:
        ring = HostRing.over(memory[:size], line)
        team.run([_linking(ring)])
        walk = Walk(ring)
        spans: list[int] = []
        enough = time.monotonic() + SAMPLE_S
        while len(spans) < SAMPLES or time.monotonic() < enough:
            team.run([walk.job(LOADS)])
            spans.append(team.span_ns(1))
        stairs.append((size, round(min(spans) / LOADS, 2)))
        size *= 2
    team.close()
    return stairs


def _linking(ring: HostRing) -> Job:
    return lambda _slot: ring.link()


if __name__ == "__main__":
    json.dump(chase(*map(int, sys.argv[1:])), sys.stdout)
