"""A machine with which nothing is wrong, and a way to change one fact of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from membench.doctor.facts import Facts, Kernels, Scratch
from membench.machine import Core, Cpu, Filesystem, Gpu, Gpus, Machine, Memory, Node
from membench.machine.disks import Disk
from membench.machine.gpu_state import GpuState
from membench.machine.noise import Noise
from membench.machine.settings import Settings
from membench.units import GIB

With = Callable[..., Facts]

DISK = Disk("nvme0n1", "Some SSD", False, "none", ("none", "mq-deadline"), "write back", 1023)

GPU = GpuState(
    uuid="00",
    name="Some GPU",
    sm_mhz=1980,
    sm_mhz_max=1980,
    sm_mhz_set=1980,
    memory_mhz=2619,
    memory_mhz_max=2619,
    performance=0,
    reasons=0,
    held_ns=0,
    temperature=41,
    power=70.0,
    power_limit=700.0,
    power_default=700.0,
    ecc=True,
    ecc_errors=0,
    mig=False,
    persistence=True,
    link_generation=1,
    link_generation_max=5,
    link_width=16,
    link_width_max=16,
    processes=(),
    bus_bits=5120,
    node=0,
)


@pytest.fixture
def healthy() -> Facts:
    """A quiet server of bare metal with a GPU."""
    machine = Machine(
        slug="some-box-012345",
        cpu=Cpu(
            model="Some CPU",
            architecture="x86_64",
            cores=tuple(Core(cpu, cpu, 0, 0) for cpu in range(8)),
            affinity=tuple(range(8)),
            quota=None,
            usable=8,
            caches=(),
            governor="performance",
            hypervisor="",
        ),
        memory=Memory(
            total=64 * GIB,
            available=60 * GIB,
            cgroup_limit=None,
            cgroup_used=None,
            page=4096,
            huge_page=2 << 20,
            thp="madvise",
            hugetlb_total=0,
            hugetlb_free=0,
            nodes=(Node(0, tuple(range(8)), 64 * GIB, (10,)),),
        ),
        gpus=Gpus("580.1", "13.0", (Gpu(0, "Some GPU", "00", 80 * GIB, "9.0"),)),
        filesystems=(),
        system="Some Linux",
        kernel="6.8.0-45-generic",
        libc="glibc 2.36",
        python="3.11.7",
        load=(0.1, 0.2, 0.3),
        packages={"numba": "0.61.0"},
    )
    place = Filesystem("results", "/", "ext4", "rw", "/dev/nvme0n1p2", 100 * GIB, "")
    return Facts(
        machine=machine,
        settings=Settings(True, False, "tsc", ("tsc", "hpet"), None, 0, 65536),
        scratch=Scratch(place, "", (DISK,)),
        noise=Noise(0.0, 0.1, (), 0, 0),
        kernels=Kernels(numba=True),
        gpus=(GPU,),
    )


def changed(thing: Any, path: str, value: Any) -> Any:
    """``thing`` with the field at the dotted ``path`` replaced; a number is an index."""
    name, _, rest = path.partition(".")
    if name.isdigit():
        items = list(thing)
        items[int(name)] = changed(items[int(name)], rest, value)
        return tuple(items)
    return replace(thing, **{name: changed(getattr(thing, name), rest, value) if rest else value})


@pytest.fixture
def with_(healthy: Facts) -> With:
    """The healthy machine with other facts: ``with_({"machine.cpu.quota": 2.0})``."""

    def build(changes: dict[str, Any]) -> Facts:
        facts = healthy
        for path, value in changes.items():
            facts = changed(facts, path, value)
        return facts

    return build
