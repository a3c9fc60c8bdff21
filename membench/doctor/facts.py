"""Read the inputs of all checks once."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from membench.core.cache_dir import cache_problem, cache_remedy
from membench.core.files import no_file_in
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
        problem: why membench cannot create a file in the directory; empty if membench can.
        disks: the disks under the filesystem; empty if unknown.
    """

    filesystem: Filesystem
    problem: str
    disks: tuple[Disk, ...]


@dataclass(frozen=True)
class Kernels:
    """The compiler of host kernels, and the cache of compiled kernels.

    Attributes:
        numba: whether Numba, the compiler, is installed.
        engine: value of MEMBENCH_ENGINE; ``numpy`` forbids compiled kernels, empty is the default.
        cache_problem: why membench cannot cache compiled kernels; empty if membench can.
        cache_remedy: how to solve ``cache_problem``.
    """

    numba: bool
    engine: str = ""
    cache_problem: str = ""
    cache_remedy: str = ""


@dataclass(frozen=True)
class Facts:
    """The inputs of all checks.

    Attributes:
        noise: load by other programs, observed for a fraction of a second, and the swap in use.
        gpus: the present states of the visible GPUs.
        gpu_problem: why ``gpus`` lacks the state of a GPU; empty if no state is missing.
    """

    machine: Machine
    settings: Settings
    scratch: ScratchDirectory
    noise: Noise
    kernels: Kernels
    gpus: tuple[GpuState, ...] = ()
    gpu_problem: str = ""


def gather(scratch: Path) -> Facts:
    """Read the inputs of all checks from this machine, which takes a second or two.

    The function writes only to the cache of compiled kernels. If the directory ``scratch`` does not
    exist, its nearest existing parent is examined.
    """
    noise = watch()  # first, before this process adds load
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
            cache_problem=cache_problem(os.environ),
            cache_remedy=cache_remedy(os.environ),
        ),
        gpus=gpus,
        gpu_problem=gpu_problem,
    )


def read_gpu_states(machine: Machine) -> tuple[tuple[GpuState, ...], str]:
    """The states of the visible GPUs of ``machine``, and a problem (empty if there is none).

    If NVML does not answer for a GPU, the states of this GPU and of all later GPUs are missing.
    """
    found: list[GpuState] = []
    try:
        if machine.gpus.devices:
            with closing(GpuReader.open()) as reader:
                found.extend(reader.read(gpu.uuid) for gpu in machine.gpus.devices)
    except NoAnswer as error:
        return tuple(found), str(error)
    return tuple(found), ""
