"""Why a case cannot run here: asked before anything is started, so that `list` can say it too."""

from __future__ import annotations

import os
from importlib.util import find_spec

from membench import __version__
from membench.backends import BACKENDS
from membench.case import Case, Needs
from membench.machine import Machine
from membench.units import about_size

MEMORY_SHARE = 0.5
"""Largest share of the usable memory that one case may hold (the rest keeps the machine alive)."""


def why_not(case: Case, backend: str, machine: Machine, device: str = "auto") -> str:
    """One line that says why ``case`` cannot run on ``machine``, or empty where it can."""
    if Needs.GPU in case.needs and (reason := _no_gpu(machine, device)):
        return reason
    if backend not in BACKENDS:
        return f"membench {__version__} has no {backend} backend"
    if Needs.JIT in case.needs and (reason := no_jit()):
        return reason
    if Needs.TWO_CPUS in case.needs and machine.cpu.usable < 2:
        return "needs 2 CPUs, 1 may be used"
    if Needs.TWO_NUMA_NODES in case.needs and len(machine.memory.nodes) < 2:
        return "needs 2 NUMA nodes, this machine has 1"
    limit = MEMORY_SHARE * machine.memory.usable
    if case.memory > limit:
        return f"needs {about_size(case.memory)} of memory, {about_size(limit)} may be used"
    return ""


def no_jit() -> str:
    """Why kernels cannot be compiled on this machine, or empty where they can."""
    if os.environ.get("MEMBENCH_ENGINE") == "numpy":
        return "needs compiled kernels, and MEMBENCH_ENGINE=numpy forbids them"
    if find_spec("numba") is None:
        return "needs compiled kernels: Numba is not installed"
    return ""


def _no_gpu(machine: Machine, device: str) -> str:
    if device == "cpu":
        return "GPU cases are off: --device cpu"
    if machine.gpus.problem:
        return machine.gpus.problem
    if not machine.gpus.present:
        return "no NVIDIA GPU was found"
    return ""
