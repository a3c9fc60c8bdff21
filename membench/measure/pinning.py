"""Putting a worker beside its GPU: on the CPUs of the memory node that the device sits at."""

from __future__ import annotations

import os

from membench.core.snapshot import Machine


def pin(pid: int, node: int | None, machine: Machine) -> bool:
    """Bind process ``pid`` to the CPUs of ``node``; False where it may use none of them.

    What it allocates afterwards lies on that node too (first touch).  Threads
    that run already keep their CPUs.  Where there is one node with CPUs, or the
    firmware does not say at which one the device sits, there is nothing to do.
    """
    nodes = [one for one in machine.memory.nodes if one.cpus]
    if len(nodes) < 2 or node is None or node < 0:
        return True
    near = {cpu for one in nodes if one.node == node for cpu in one.cpus}
    return _bind(pid, near & set(machine.cpu.affinity))


def unpin(pid: int, machine: Machine) -> None:
    """Give process ``pid`` all CPUs back that membench was started with."""
    if sum(bool(one.cpus) for one in machine.memory.nodes) > 1:
        _bind(pid, set(machine.cpu.affinity))


def _bind(pid: int, cpus: set[int]) -> bool:
    try:
        os.sched_setaffinity(pid, cpus)
    except (OSError, ValueError):  # a control group, or a seccomp filter, may forbid it
        return False
    return True
