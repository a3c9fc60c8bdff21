"""Measure the staircase: the latency of a pointer chase over rings of growing size.

A system may report no cache sizes, or sizes that differ from the caches that the process can use.
When latency stops rising with the size, the ring is larger than all caches.
`membench.core.sizes.reach` evaluates the result.
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
SAMPLE_S = 0.02
"""Minimum seconds of sampling per ring.

The result is the fastest sample, because disturbances only make a chase slower.
"""

LIMIT_S = 2.0
"""Seconds after which the measurement starts no larger ring."""

START_S = 60.0
"""Maximum seconds of the measuring process, including compilation at its first use."""


def measure(machine: Machine) -> tuple[tuple[int, float], ...]:
    """Pairs (bytes of a ring, ns per dependent load in this ring), ascending by size.

    A child process measures the latencies on the first CPU to which threads are pinned. The result
    is empty if the process fails, cannot pin its thread, or takes longer than `START_S`. It is also
    empty if compilation is turned off.
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
    """Measure rings of at most ``top`` bytes, with lines of ``line`` bytes, on CPU ``cpu``.

    Returns pairs like `measure`. The result is empty if the thread cannot be pinned.
    """
    from membench.host.memory.arena import map_pages
    from membench.host.memory.kernels import host_chase
    from membench.host.memory.ring import HostRing, Walk
    from membench.host.memory.thread_pool import ThreadPool

    memory = map_pages(top, "thp")
    team = ThreadPool([cpu])
    team.run([_linking(HostRing.over(memory[:LEAST_RING], line))])  # starts and pins the thread
    if team.unpinned([0]):
        team.close()
        return []  # an unpinned thread would measure several CPUs
    _ = host_chase.link, host_chase.place, host_chase.chase  # compile before the time limit begins
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
    sys.stdout.flush()
    os._exit(0)  # after a compilation, the end of the interpreter takes up to 0.4 s
