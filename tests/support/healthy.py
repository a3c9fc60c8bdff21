"""A machine and a GPU without problems, as a start for tests of `membench doctor`."""

from __future__ import annotations

from membench.core.snapshot import Core, Cpu, GpuIdentity, Gpus, Machine, Memory, Node
from membench.core.units import GIB
from membench.machine.gpus.state import GpuState

MACHINE = Machine(
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
    gpus=Gpus("580.1", "13.0", (GpuIdentity(0, "Some GPU", "00", 80 * GIB, "9.0"),)),
    filesystems=(),
    system="Some Linux",
    kernel="6.8.0-45-generic",
    libc="glibc 2.36",
    python="3.11.7",
    load=(0.1, 0.2, 0.3),
    packages={"numba": "0.61.0"},
)
"""An idle bare-metal server with a GPU."""

GPU_STATE = GpuState(
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
    memory_temperature=52,
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
    c2c=False,
    integrated=False,
)
"""NVML's state of an idle H100. The link is slow because the GPU is idle."""
