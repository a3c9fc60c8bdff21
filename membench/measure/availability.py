"""Finds, before a run starts, why a case cannot run on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec

from membench import __version__
from membench.core.case import Case, Needs
from membench.core.record import record
from membench.core.sizes.working_set import GPU_SHARE
from membench.core.snapshot import Filesystem, Machine
from membench.core.text import counted
from membench.core.units import KIB, about_size
from membench.host.storage.file_size import FREE_SHARE, LEAST_CUT, ON_A_LOCAL_DISK, cut
from membench.measure.backends import BACKENDS
from membench.measure.options import DEFAULT_DISK_BUDGET

SMALL_PAGE = 4096
"""Page size in bytes that CPU cases with `pages=4k` or `pages=populate` need."""


@record
class Site:
    """The machine and the options that decide which cases can run.

    Attributes:
        device: the value of ``--device``.
        scratch: the filesystem for the scratch file; None if unknown.
        disk_budget: maximum bytes of the scratch file.
    """

    machine: Machine
    device: str = "auto"
    scratch: Filesystem | None = None
    disk_budget: int = DEFAULT_DISK_BUDGET


def why_not(case: Case, backend: str, site: Site, gpu: int | None = None) -> str:
    """The reason, in one line, why ``case`` cannot run on ``site``; empty if it can run.

    Args:
        gpu: index of the case's GPU in the list of devices; None for the first GPU.
    """
    machine = site.machine
    if Needs.GPU in case.needs and (reason := _no_gpu(case, site, gpu or 0)):
        return reason
    if Needs.TWO_GPUS in case.needs and (shown := len(machine.gpus.devices)) < 2:
        return f"needs 2 GPUs, but membench may use only {shown}"
    if backend not in BACKENDS:
        return f"membench {__version__} has no {backend} backend"
    if Needs.JIT in case.needs and (reason := no_jit()):
        return reason
    if Needs.TWO_CPUS in case.needs and machine.cpu.usable < 2:
        return "needs 2 CPUs, but membench may use only 1"
    threads = dict(case.params).get("threads")
    if isinstance(threads, int) and threads > machine.cpu.usable:
        return f"needs {counted(threads, 'CPU')}, but membench may use only {machine.cpu.usable}"
    if reason := _no_such_pages(case, backend, machine):
        return reason
    if Needs.TWO_NUMA_NODES in case.needs and (shown := len(machine.memory.grantable)) < 2:
        several = len(machine.memory.nodes) > 1
        return "needs 2 NUMA nodes, but " + (
            f"membench may use only {shown}" if several else "this machine has 1"
        )
    if (limit := machine.memory.budget) < case.memory:
        return (
            f"needs {about_size(case.memory)} of memory, "
            f"but membench may use only {about_size(limit)}"
        )
    return _no_disk(case, site) if case.disk else ""


def _no_such_pages(case: Case, backend: str, machine: Machine) -> str:
    small = dict(case.params).get("pages") in ("4k", "populate") and backend == "cpu"
    if not small or machine.memory.page == SMALL_PAGE:
        return ""
    return f"needs pages of 4 KiB, but this kernel has pages of {machine.memory.page // KIB} KiB"


def no_jit() -> str:
    """The reason why this machine cannot compile kernels; empty if it can."""
    if os.environ.get("MEMBENCH_ENGINE") == "numpy":
        return "needs compiled kernels, but MEMBENCH_ENGINE=numpy forbids them"
    if find_spec("numba") is None:
        return "needs compiled kernels, but Numba is not installed"
    return ""


def _no_disk(case: Case, site: Site) -> str:
    place = site.scratch
    if place is None:
        return "the filesystem of the scratch directory is unknown"
    if place.direct_io:
        return f"no disk can be measured in {place.path}: {place.direct_io}; {ON_A_LOCAL_DISK}"
    if file_size(case, site):
        return ""
    least = min(case.disk, LEAST_CUT)
    if least > site.disk_budget:
        return (
            f"needs a file of {about_size(least)}, but --disk-budget allows only "
            f"{about_size(site.disk_budget)}"
        )
    return (
        f"needs a file of {about_size(least)}, but membench may use only "
        f"{about_size(FREE_SHARE * place.free)} in {place.path}"
    )


def file_size(case: Case, site: Site) -> int:
    """Size in bytes of the scratch file for ``case``; 0 if no file is needed or possible.

    The budget or the free space can make the file smaller than the case requests.
    """
    return cut(case.disk, site.disk_budget, site.scratch.free) if site.scratch is not None else 0


def _no_gpu(case: Case, site: Site, gpu: int) -> str:
    machine = site.machine
    if site.device == "cpu":
        return "GPU cases are off: --device cpu"
    if machine.gpus.problem:
        return machine.gpus.problem
    if not machine.gpus.present:
        return "no NVIDIA GPU was found"
    device = machine.gpus.devices[gpu]
    limit = GPU_SHARE * (device.memory or 0)
    if device.integrated:  # an integrated GPU and the host share one memory
        limit = min(limit or machine.memory.budget, machine.memory.budget)
    if 0 < limit < case.gpu_memory:
        return (
            f"needs {about_size(case.gpu_memory)} of GPU memory, but membench may use only "
            f"{about_size(limit)}"
        )
    return ""
