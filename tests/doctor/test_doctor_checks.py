"""Each check of doctor: facts that raise a warning, facts that do not, and unreadable facts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from described import machine, staircase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membench.benches import registry
from membench.core.case import Needs
from membench.core.snapshot import GpuFault, GpuIdentity, Gpus, Node
from membench.core.units import GIB, KIB, MIB
from membench.doctor import CHECKS, GPU_CHECKS, Facts, Finding, Severity, examine, worst
from membench.doctor.facts import Kernels
from membench.doctor.memory import NEEDED
from membench.doctor.storage import DISK_BUDGET
from membench.machine.disks.devices import Disk
from membench.machine.gpus.state import GpuState
from membench.machine.noise import Busy, Noise
from membench.machine.settings import Settings
from membench.measure.options import DEFAULT_DISK_BUDGET

With = Callable[..., Facts]

OF_STATE = [f"gpu-{name}" for name in ("peak", "ecc", "mig", "power", "clocks", "throttle")]
OF_STATE += [f"gpu-{name}" for name in ("persistence", "link", "company")]
TURNING = Disk("sda", "Some HDD", True, "mq-deadline", ("none", "mq-deadline"))
VIRTUAL = replace(TURNING, name="vda", model="")
QUEUED = Disk("sdb", "Some SSD", False, "bfq", ("none", "bfq"))
TWO_NODES = (Node(0, (0,), GIB, (10, 20)), Node(1, (1,), GIB, (20, 10)))
ONE_OF_TWO_NODES = (TWO_NODES[0], replace(TWO_NODES[1], allowed=False))
GPU_MEMORY_NODE = (Node(0, (0, 1), GIB, (10, 80)), Node(1, (), 0, (80, 10)))

LOST = GpuFault(1, "it has fallen off the bus", "reboot")
VGPU = GpuFault(0, "it is a vGPU", "compare with its like", shown=True)

BLACKWELL = Gpus("580.1", "13.0", (GpuIdentity(0, "NVIDIA B200", "0" * 12, 180 * GIB, "10.0"),))
REMEDY = {"machine.gpus.remedy": "pip install X"}

RAISED: list[tuple[str, Severity, dict[str, Any], str]] = [
    (
        "gpu",
        Severity.FAIL,
        {"machine.gpus": Gpus("1", "", (), "no CuPy", "pip install X")},
        "no CuPy",
    ),
    ("gpu-software", Severity.FAIL, {"machine.gpus.problem": "no CuPy", **REMEDY}, "no CuPy"),
    (
        "gpu-software",
        Severity.WARN,
        {"machine.gpus": BLACKWELL, "machine.packages": {"nvidia-cuda-nvrtc-cu12": "12.8.93"}},
        "256-bit loads",
    ),
    ("nvml", Severity.WARN, {"gpu_problem": "NVML is gone", "gpus": ()}, "gone"),
    ("gpu-ecc", Severity.WARN, {"gpus.0.ecc_errors": 3}, "0: on, 3 uncorrected errors"),
    ("gpu-ecc", Severity.WARN, {"gpus.0.ecc_errors": 1}, "0: on, 1 uncorrected error"),
    (
        "gpu-mig",
        Severity.WARN,
        {"gpus.0.mig": True},
        "0: on: membench can use only one MIG instance",
    ),
    ("gpu-power", Severity.WARN, {"gpus.0.power_limit": 350.0}, "0: 350 W of 700"),
    ("gpu-clocks", Severity.WARN, {"gpus.0.sm_mhz_set": 1200}, "up to 1980 MHz, set to 1200"),
    ("gpu-throttle", Severity.WARN, {"gpus.0.reasons": 0x41}, "0: heat (hardware)"),
    ("gpu-persistence", Severity.WARN, {"gpus.0.persistence": False}, "0: off"),
    ("gpu-link", Severity.WARN, {"gpus.0.link_width": 8}, "0: x8 of x16, maximum generation 5"),
    ("gpu-company", Severity.WARN, {"gpus.0.processes": (17, 42)}, "process 17, process 42"),
    ("governor", Severity.WARN, {"machine.cpu.governor": "powersave"}, "powersave"),
    ("governor", Severity.WARN, {"machine.cpu.governor": "performance,schedutil"}, "schedutil"),
    ("boost", Severity.WARN, {"settings.boost": False}, "off"),
    (
        *("caches", Severity.WARN, {"machine.cpu.staircase": staircase((1, 12), (32, 110))}),
        "no cache, but a pointer chase over less than 32 MiB is faster than memory",
    ),
    ("clock", Severity.WARN, {"settings.clock": "hpet"}, "tsc is available"),
    (
        "clock",
        Severity.WARN,
        {"settings.clock": "acpi_pm", "settings.clocks": ("acpi_pm",)},
        "slow",
    ),
    ("affinity", Severity.WARN, {"machine.cpu.affinity": (0, 1)}, "2 of 8"),
    ("affinity", Severity.WARN, {"settings.pinning": False}, "cannot pin"),
    ("cpu-quota", Severity.WARN, {"machine.cpu.quota": 2.5}, "2.5 CPUs"),
    ("cpu-quota", Severity.WARN, {"machine.cpu.quota": 1.0}, "the CPU time of 1 CPU,"),
    ("cpu-quota", Severity.FAIL, {"machine.cpu.quota": 0.5}, "0.5 CPUs"),
    ("virtual", Severity.WARN, {"machine.cpu.hypervisor": "kvm"}, "virtual machine (kvm)"),
    ("virtual", Severity.WARN, {"machine.cpu.hypervisor": "yes"}, "unnamed"),
    ("memory", Severity.FAIL, {"machine.memory.available": 2 * GIB - 1}, "needs 2.00 GiB"),
    (
        "memory-limit",
        Severity.FAIL,
        {"machine.memory.cgroup_limit": 3 * GIB, "machine.memory.cgroup_used": 2 * GIB},
        "allows 1.00 GiB more (its limit is 3.00 GiB)",
    ),
    ("memory-limit", Severity.WARN, {"machine.memory.cgroup_limit": 3 * GIB}, "3.00 GiB"),
    ("huge-pages", Severity.WARN, {"machine.memory.thp": "never"}, "never"),
    (
        "huge-pages",
        Severity.WARN,
        {"machine.memory.thp": "never", "machine.memory.small_thp": (65536,)},
        "use pages of 64KiB and get the flag",
    ),
    (
        "memory",
        Severity.FAIL,
        {"machine.memory.available": GIB, "machine.memory.hugetlb_bytes": 8 * GIB},
        "8.00 GiB are reserved for hugetlbfs",
    ),
    (
        "huge-pages",
        Severity.WARN,
        {"machine.memory.thp_allowed": False},
        "disabled for this process",
    ),
    (
        "huge-pages",
        Severity.WARN,
        {"machine.memory.huge_page": 512 * MIB},
        "a huge page has 512 MiB",
    ),
    ("gpu", Severity.FAIL, {"machine.gpus.faults": (LOST,)}, "GPU 1: it has fallen off the bus"),
    (
        *("gpu", Severity.FAIL),
        {"machine.gpus.devices": (), "machine.gpus.faults": (LOST,)},
        "(GPUs: none)",
    ),
    ("gpu", Severity.WARN, {"machine.gpus.faults": (VGPU,)}, "GPU 0: it is a vGPU"),
    (
        "numa",
        Severity.WARN,
        {"machine.memory.nodes": TWO_NODES, "settings.numa_balancing": True},
        "2 memory nodes",
    ),
    ("swap", Severity.WARN, {"noise.swap_total": 8 * GIB, "noise.swap_used": GIB}, "1.00 GiB of 8"),
    ("locked-memory", Severity.WARN, {"settings.locked": 64 * KIB}, "64.0 KiB"),
    ("scratch", Severity.FAIL, {"scratch.problem": "/x is not writable"}, "/x is not"),
    ("direct-io", Severity.FAIL, {"scratch.filesystem.direct_io": "tmpfs keeps"}, "tmpfs"),
    (
        "free-space",
        Severity.WARN,
        {"scratch.filesystem.free": 1000 * MIB},
        "from 1.00 GiB to 500 MiB",
    ),
    ("free-space", Severity.FAIL, {"scratch.filesystem.free": 511 * MIB}, "disk cases need"),
    ("free-space", Severity.FAIL, {"scratch.filesystem.free": 0}, "0 B free"),
    ("disk", Severity.WARN, {"scratch.disks": (QUEUED, TURNING)}, "sda, Some HDD, rotational"),
    ("io-scheduler", Severity.WARN, {"scratch.disks": (TURNING, QUEUED)}, "sdb: bfq"),
    (
        "io-scheduler",
        Severity.WARN,
        {"scratch.disks": (VIRTUAL,), "machine.cpu.hypervisor": "kvm"},
        "vda: mq-deadline",
    ),
    ("aio", Severity.WARN, {"settings.aio_used": 65000}, "65000 of 65536"),
    ("load", Severity.WARN, {"machine.load": (0.8, 0.0, 0.0)}, "0.80 on 8"),
    ("steal", Severity.WARN, {"noise.steal": 0.12}, "12%"),
    ("busy", Severity.WARN, {"noise.busy": (Busy("cc1", 0.15), Busy("cc1", 0.15))}, "cc1 0.3"),
    ("busy", Severity.WARN, {"noise.busy_cpus": 3.0}, "not visible from here"),
    ("numba", Severity.FAIL, {"kernels": Kernels(numba=False)}, "not installed"),
    ("numba", Severity.WARN, {"kernels.engine": "numpy"}, "MEMBENCH_ENGINE"),
    (
        "kernel-cache",
        Severity.WARN,
        {"kernels.cache_problem": "/home/x cannot be written", "kernels.cache_remedy": "chmod"},
        "/home/x",
    ),
]

QUIET: list[tuple[str, dict[str, Any], str]] = [
    ("gpu", {"machine.gpus": Gpus()}, "none"),
    ("gpu", {"machine.gpus": Gpus("580.1", "13.0")}, "no GPU is visible, driver 580.1"),
    (
        "gpu-software",
        {"machine.packages": {"cupy-cuda13x": "14.2.0", "nvidia-cuda-nvrtc": "13.0", "rich": "1"}},
        "driver 580.1; CUDA up to 13.0; cupy-cuda13x 14.2.0; nvidia-cuda-nvrtc 13.0",
    ),
    (
        "gpu-software",
        {"machine.packages": {"nvidia-cuda-nvrtc-cu12": "12.8.93"}},
        "nvidia-cuda-nvrtc-cu12 12.8.93",  # everything that Hopper needs
    ),
    (
        "gpu-software",
        {"machine.gpus": BLACKWELL, "machine.packages": {"nvidia-cuda-nvrtc-cu12": "12.9.86"}},
        "nvidia-cuda-nvrtc-cu12 12.9.86",
    ),
    ("gpu-software", {"machine.gpus": BLACKWELL, "machine.packages": {}}, "driver 580.1"),
    ("gpu-peak", {}, "0: 3352 GB/s (2619 MHz, 5120 bits)"),
    ("gpu-ecc", {"gpus.0.ecc": False}, "0: off"),
    ("gpu-power", {"gpus.0.power_limit": 800.0}, "0: 800 W of 700"),
    ("gpu-clocks", {"gpus.0.sm_mhz_set": 0}, "0: up to 1980 MHz"),
    ("gpu-throttle", {"gpus.0.reasons": 0x1 | 0x2}, "not throttled"),
    ("gpu-link", {"gpus.0.link_generation": 1}, "0: x16 of x16, maximum generation 5"),
    ("gpu-link", {"gpus.0.link_width": 1, "gpus.0.c2c": True}, "0: chip-to-chip"),
    ("gpu-link", {"gpus.0.link_width": 1, "gpus.0.integrated": True}, "the same chip as the CPU"),
    ("huge-pages", {"machine.memory.huge_page": 32 * MIB}, "madvise"),
    ("gpu-company", {}, "0: no other process"),
    ("governor", {"machine.cpu.governor": "", "machine.cpu.hypervisor": "kvm"}, "hypervisor sets"),
    ("clock", {"settings.clock": "kvm-clock"}, "kvm-clock"),
    ("clock", {"settings.clock": "arch_sys_counter"}, "arch_sys_counter"),
    ("cpu-quota", {"machine.cpu.quota": 8.0}, "8 CPUs"),
    ("memory", {"machine.memory.available": NEEDED}, "2.00 GiB of 64.0 GiB"),
    ("memory-limit", {"machine.memory.cgroup_limit": 32 * GIB}, "32.0 GiB"),
    ("huge-pages", {"machine.memory.thp": "always"}, "always"),
    ("numa", {"machine.memory.nodes": TWO_NODES}, "balancing off"),
    (
        "numa",
        {"machine.memory.nodes": GPU_MEMORY_NODE, "settings.numa_balancing": True},
        "1 memory node",
    ),
    (
        *("numa", {"machine.memory.nodes": ONE_OF_TWO_NODES}),
        "this process may use only 1 of 2 nodes",
    ),
    ("swap", {"noise.swap_total": 8 * GIB, "noise.swap_used": 64 * MIB}, "64.0 MiB of 8"),
    ("locked-memory", {"settings.locked": 8 * MIB}, "8.00 MiB"),
    ("free-space", {"scratch.filesystem.free": 2 * GIB}, "2.00 GiB free"),
    ("disk", {"scratch.disks": (VIRTUAL,), "machine.cpu.hypervisor": "kvm"}, "a virtual disk may"),
    ("io-scheduler", {"scratch.disks": (TURNING,)}, "sda: mq-deadline"),
    ("io-scheduler", {"scratch.disks": (replace(QUEUED, schedulers=("bfq",)),)}, "sdb: bfq"),
    ("load", {"machine.load": (0.79, 9.0, 9.0)}, "0.79 on 8"),
    ("steal", {"noise.steal": 0.025}, "2%"),
    ("busy", {"noise.busy": (Busy("cron", 0.1),), "noise.busy_cpus": 0.7}, "0.7 CPUs"),
    ("kernel", {"machine.kernel": "5.14.0-503.el9"}, "membench uses mincore"),
    ("kernel", {"machine.kernel": "6.5.0"}, "6.5.0"),
    ("kernel", {"machine.kernel": "10.0-rc1"}, "10.0-rc1"),
]

UNREADABLE: list[tuple[str, dict[str, Any]]] = [
    *((name, {"gpus": (GpuState("00"),)}) for name in OF_STATE),
    *((name, {"gpus": ()}) for name in OF_STATE),
    ("governor", {"machine.cpu.governor": ""}),
    ("boost", {"settings": Settings()}),
    ("clock", {"settings": Settings()}),
    ("affinity", {"machine.cpu.cores": ()}),
    ("memory", {"machine.memory.total": 0, "machine.memory.available": 0}),
    ("huge-pages", {"machine.memory.thp": ""}),
    ("numa", {"machine.memory.nodes": TWO_NODES, "settings": Settings()}),
    ("swap", {"noise": Noise()}),
    ("scratch", {"scratch.filesystem.kind": ""}),
    ("direct-io", {"scratch.filesystem.kind": "", "scratch.filesystem.direct_io": "unknown"}),
    ("free-space", {"scratch.filesystem.kind": "", "scratch.filesystem.free": 0}),
    ("disk", {"scratch.disks": ()}),
    ("io-scheduler", {"scratch.disks": (Disk("sda"),)}),
    ("aio", {"settings": Settings()}),
    ("load", {"machine.load": ()}),
    ("steal", {"noise": Noise()}),
    ("busy", {"noise": Noise()}),
    ("kernel", {"machine.kernel": "plan9"}),
]


def finding(facts: Facts, check: str) -> Finding:
    (one,) = (one for one in examine(facts) if one.check == check)
    return one


def test_a_healthy_machine_has_nothing_to_complain_of(healthy: Facts) -> None:
    assert {one.level for one in examine(healthy)} == {Severity.OK}
    assert worst(examine(healthy)) is Severity.OK


@pytest.mark.parametrize(("check", "level", "changes", "words"), RAISED)
def test_raised(
    with_: With, check: str, level: Severity, changes: dict[str, Any], words: str
) -> None:
    one = finding(with_(changes), check)
    assert (one.level, words in one.seen) == (level, True), one
    assert one.fix


@pytest.mark.parametrize(("check", "changes", "words"), QUIET)
def test_not_raised(with_: With, check: str, changes: dict[str, Any], words: str) -> None:
    one = finding(with_(changes), check)
    assert (one.level, words in one.seen) == (Severity.OK, True), one


@pytest.mark.parametrize(("check", "changes"), UNREADABLE)
def test_what_cannot_be_read_is_no_reason_to_warn(
    with_: With, check: str, changes: dict[str, Any]
) -> None:
    one = finding(with_(changes), check)
    assert one.level is Severity.OK
    assert "not readable" in one.seen


def test_caches_that_a_chase_confirms_or_cannot(with_: With) -> None:
    box = machine([32], 8)
    unconfirmed = finding(with_({"machine": box}), "caches")
    assert (unconfirmed.level, unconfirmed.seen) == (
        *(Severity.OK, "last level: 32.0 MiB; not checked by a pointer chase"),
    )
    cpu = replace(box.cpu, staircase=staircase((1, 12), (32, 60), (64, 110)))
    confirmed = finding(with_({"machine": replace(box, cpu=cpu)}), "caches")
    assert confirmed.level is Severity.OK
    assert confirmed.seen.endswith("a pointer chase reaches memory latency at 64.0 MiB")
    absurd = machine([260], 2, staircase=staircase((1, 20), (16, 120), top=512))
    wrong = finding(with_({"machine": absurd}), "caches")
    assert wrong.level is Severity.WARN
    assert "size=auto means 256 MiB per array" in wrong.fix


def test_every_check_can_be_raised(healthy: Facts) -> None:
    never = {"gpu-peak", "kernel"}  # checks that only report facts
    checks = {check(healthy).check for check in (*CHECKS, *GPU_CHECKS)}
    assert {check for check, *_ in RAISED} | never == checks


def test_without_a_gpu_nothing_is_said_of_its_state(with_: With) -> None:
    names = [one.check for one in examine(with_({"machine.gpus": Gpus(), "gpus": ()}))]
    assert len(names) == len(CHECKS)
    assert not any(name.startswith("gpu-") for name in names)


def test_every_check_has_a_name_of_its_own_and_says_why_it_exists(healthy: Facts) -> None:
    checks = (*CHECKS, *GPU_CHECKS)
    assert len({check(healthy).check for check in checks}) == len(checks)
    assert all(inspect.getdoc(check) for check in checks)


def test_the_worst_come_first_and_the_rest_keep_their_order(with_: With, healthy: Facts) -> None:
    findings = examine(
        with_({"machine.cpu.governor": "powersave", "machine.cpu.quota": 0.5, "noise.steal": 0.5})
    )
    assert [one.check for one in findings[:3]] == ["cpu-quota", "governor", "steal"]
    assert worst(findings) is Severity.FAIL
    quiet = [check(healthy).check for check in (*CHECKS, *GPU_CHECKS)]
    rest = [one.check for one in findings[3:]]
    assert rest == [check for check in quiet if check in rest]


def test_the_fix_names_what_was_seen(with_: With) -> None:
    slow = finding(with_({"settings.clock": "hpet"}), "clock")
    assert slow.fix.startswith("echo tsc | sudo tee /sys/")
    queued = finding(with_({"scratch.disks": (TURNING, QUEUED)}), "io-scheduler")
    assert queued.fix == "echo none | sudo tee /sys/block/sdb/queue/scheduler"
    pinned = finding(with_({"machine.memory.nodes": TWO_NODES}), "numa")
    assert "numactl --cpunodebind=0 --membind=0" in pinned.fix


def test_many_busy_processes_are_counted_not_listed(with_: With) -> None:
    busy = tuple(Busy(f"job{n}", 1.0 + n / 10) for n in range(5))
    seen = finding(with_({"noise.busy": busy}), "busy").seen
    assert seen == "CPUs used by: job4 1.4, job3 1.3, job2 1.2 and 2 more"


def test_what_a_run_asks_for_is_what_is_checked(healthy: Facts) -> None:
    assert DISK_BUDGET == DEFAULT_DISK_BUDGET
    largest = max(
        case.memory
        for bench in registry().benches.values()
        for case in bench.cases("quick", healthy.machine)
        if Needs.GPU not in case.needs
    )
    assert largest <= NEEDED // 2  # see Memory.budget


_numbers = st.none() | st.integers(0, 1 << 50)
_shares = st.none() | st.floats(0, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    settings_=st.builds(
        Settings,
        boost=st.none() | st.booleans(),
        numa_balancing=st.none() | st.booleans(),
        clock=st.text(max_size=9),
        clocks=st.lists(st.text(max_size=9), max_size=3).map(tuple),
        locked=_numbers,
        aio_used=_numbers,
        aio_limit=_numbers,
    ),
    noise=st.builds(
        Noise,
        steal=_shares,
        busy_cpus=_shares,
        busy=st.lists(st.builds(Busy, st.text(max_size=9), st.floats(0, 999))).map(tuple),
        swap_total=_numbers,
        swap_used=_numbers,
    ),
    disks=st.lists(
        st.builds(
            Disk,
            name=st.text(min_size=1, max_size=9),
            model=st.text(max_size=9),
            rotational=st.none() | st.booleans(),
            scheduler=st.sampled_from(["", "none", "bfq"]),
            schedulers=st.just(("none", "bfq")),
        ),
        max_size=3,
    ).map(tuple),
    kernel=st.text(max_size=12),
    free=st.integers(0, 1 << 50),
)
def test_whatever_is_read_every_check_answers_and_complaints_have_a_fix(
    healthy: Facts,
    settings_: Settings,
    noise: Noise,
    disks: tuple[Disk, ...],
    kernel: str,
    free: int,
) -> None:
    place = replace(healthy.scratch.filesystem, free=free)
    facts = replace(
        healthy,
        machine=replace(healthy.machine, kernel=kernel),
        settings=settings_,
        noise=noise,
        scratch=replace(healthy.scratch, filesystem=place, disks=disks),
    )
    findings = examine(facts)
    assert len(findings) == len(CHECKS) + len(GPU_CHECKS)
    assert all(one.seen for one in findings)
    assert all(one.fix for one in findings if one.level is not Severity.OK)
