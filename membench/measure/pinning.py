"""Pins a worker to the CPUs of its GPU's NUMA node, so that its new memory is on that node."""

from __future__ import annotations

import os

from membench.core.snapshot import Machine


def pin(pid: int, node: int | None, machine: Machine) -> bool:
    """Pin the main thread of process ``pid`` to the CPUs of the NUMA node ``node``.

    Returns False if the process may not use these CPUs, or if pinning is forbidden. If only one
    node has CPUs, or ``node`` is unknown, the function does nothing and returns True.
    """
    nodes = [one for one in machine.memory.nodes if one.cpus]
    if len(nodes) < 2 or node is None or node < 0:
        return True
    near = {cpu for one in nodes if one.node == node for cpu in one.cpus}
    return _bind(pid, near & set(machine.cpu.affinity))


def unpin(pid: int, machine: Machine) -> None:
    """Let process ``pid`` use all CPUs that membench may use."""
    if sum(bool(one.cpus) for one in machine.memory.nodes) > 1:
        _bind(pid, set(machine.cpu.affinity))


def _bind(pid: int, cpus: set[int]) -> bool:
    try:
        os.sched_setaffinity(pid, cpus)
    except (OSError, ValueError):  # a control group or a seccomp filter may forbid pinning
        return False
    return True
