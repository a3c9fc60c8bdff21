"""All inputs of the checks, read once; the checks themselves read nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from membench.core.cache_dir import cache_base, cache_problem
from membench.core.snapshot import Filesystem, Machine
from membench.host.memory import staircase
from membench.machine import snapshot
from membench.machine.disks.devices import Disk, read_disks
from membench.machine.gpus.state import GpuReader, GpuState, NoAnswer
from membench.machine.noise import Noise, watch
from membench.machine.settings import Settings, read_settings


@dataclass(frozen=True)
class ScratchDirectory:
    """The directory for the scratch file of disk cases.

    Attributes:
        problem: why no file can be created there; empty if one can.
        disks: the disks under its filesystem; empty if unknown.
    """

    filesystem: Filesystem
    problem: str
    disks: tuple[Disk, ...]


@dataclass(frozen=True)
class Kernels:
    """How host kernels are compiled and cached.

    Attributes:
        numba: version of Numba, empty if it is not installed.
        engine: value of MEMBENCH_ENGINE; ``numpy`` forbids compiled kernels.
        cache_problem: why compiled kernels cannot be cached; empty if they can.
    """

    numba: bool
    engine: str = ""
    cache_problem: str = ""


@dataclass(frozen=True)
class Facts:
    """The inputs of all checks.

    Attributes:
        gpus: the present state of the visible GPUs.
        gpu_problem: why a GPU's state cannot be read; empty if all can be read.
    """

    machine: Machine
    settings: Settings
    scratch: ScratchDirectory
    noise: Noise
    kernels: Kernels
    gpus: tuple[GpuState, ...] = ()
    gpu_problem: str = ""


def gather(scratch: Path) -> Facts:
    """Examine this machine, which takes a second or two; write nothing.

    Args:
        scratch: a directory; if it does not exist yet, its nearest existing parent is examined.
    """
    noise = watch()  # first, before this process itself adds load
    machine = snapshot([scratch])
    machine = replace(machine, cpu=replace(machine.cpu, staircase=staircase.measure(machine)))
    (filesystem,) = machine.filesystems
    gpus, gpu_problem = read_gpu_states(machine)
    disks = read_disks(filesystem.device) if filesystem.device else ()
    return Facts(
        machine=machine,
        settings=read_settings(),
        scratch=ScratchDirectory(filesystem, no_file_in(scratch), disks),
        noise=noise,
        kernels=Kernels(
            numba=find_spec("numba") is not None,
            engine=os.environ.get("MEMBENCH_ENGINE", ""),
            cache_problem=no_kernel_cache(os.environ),
        ),
        gpus=gpus,
        gpu_problem=gpu_problem,
    )


def read_gpu_states(machine: Machine) -> tuple[tuple[GpuState, ...], str]:
    """The present states of ``machine``'s visible GPUs, and why a state could not be read."""
    found: list[GpuState] = []
    try:
        if machine.gpus.devices:
            with closing(GpuReader.open()) as reader:
                found.extend(reader.read(gpu.uuid) for gpu in machine.gpus.devices)
    except NoAnswer as error:
        return tuple(found), str(error)
    return tuple(found), ""


def no_file_in(directory: Path) -> str:
    """Why this process cannot create a file in ``directory``; empty if it can."""
    try:
        while not directory.exists() and directory != directory.parent:
            if directory.is_symlink():
                return f"{directory} is a dangling symbolic link"
            directory = directory.parent
        if not directory.is_dir():
            return f"{directory} is not a directory"
    except OSError as error:
        return f"{directory}: {error.strerror}"
    allowed = os.access(directory, os.W_OK | os.X_OK)
    return "" if allowed else f"{directory} is not writable"


def no_kernel_cache(environ: Mapping[str, str]) -> str:
    """Why compiled kernels cannot be cached or must not be loaded; empty if the cache is usable."""
    base = cache_base(environ)
    if base is None:
        return "there is no home directory"
    return no_file_in(base) or cache_problem(environ)
