"""Plans: cases that can run here, reasons for skipped cases, and refused options."""

from __future__ import annotations

from dataclasses import replace

import pytest

from membench.benches import registry
from membench.core.case import Case, Needs
from membench.core.errors import NothingMatched, UsageError
from membench.core.snapshot import Filesystem, GpuIdentity, Gpus, Machine, Node
from membench.core.terms import BETTER, UNIT, CacheState, Metric, Stat, Status, Tier
from membench.core.units import GIB, MIB
from membench.machine import snapshot
from membench.measure.availability import Site, why_not
from membench.measure.flags import flagged
from membench.measure.options import RunOptions
from membench.measure.plan import estimate, gpus_of, make_plan, planned
from membench.results.rows import rows
from membench.results.schema import Row, check


@pytest.fixture(scope="module")
def machine() -> Machine:
    """This machine as bare metal, with 2 usable CPUs and 8 GiB of usable memory."""
    here = snapshot()
    return replace(
        here,
        cpu=replace(here.cpu, usable=2, hypervisor=""),
        memory=replace(
            here.memory,
            available=8 * GIB,
            cgroup_limit=None,
            nodes=(Node(node=0, cpus=(0, 1), memory=8 * GIB, distances=(10,)),),
        ),
        gpus=Gpus(),
    )


def case(*needs: Needs, memory: int = 0, disk: int = 0) -> Case:
    return Case(
        id="ddr/thing",
        bench="ddr/thing",
        params=(),
        version=1,
        tier=Tier.DDR,
        yields=((Metric.BANDWIDTH, Stat.MEDIAN),),
        needs=frozenset(needs),
        seconds=1.0,
        memory=memory,
        disk=disk,
    )


def test_a_case_without_needs_runs(machine: Machine) -> None:
    assert why_not(case(), "cpu", Site(machine)) == ""


@pytest.mark.parametrize(
    ("need", "usable", "reason"),
    [
        (Needs.TWO_CPUS, 1, "needs 2 CPUs, but membench may use only 1"),
        (Needs.TWO_NUMA_NODES, 2, "needs 2 NUMA nodes, but this machine has 1"),
    ],
)
def test_what_the_machine_lacks_is_the_reason(
    machine: Machine, need: Needs, usable: int, reason: str
) -> None:
    small = replace(machine, cpu=replace(machine.cpu, usable=usable))
    assert why_not(case(need), "cpu", Site(small)) == reason


def test_a_case_may_hold_half_of_the_usable_memory(machine: Machine) -> None:
    assert why_not(case(memory=4 * GIB), "cpu", Site(machine)) == ""
    assert why_not(case(memory=5 * GIB), "cpu", Site(machine)) == (
        "needs 5.00 GiB of memory, but membench may use only 4.00 GiB"
    )


def test_compiled_kernels_can_be_forbidden(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why_not(case(Needs.JIT), "cpu", Site(machine)) == ""
    monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    assert "MEMBENCH_ENGINE=numpy" in why_not(case(Needs.JIT), "cpu", Site(machine))


DISK = Filesystem(
    path="results",
    mount="/",
    kind="ext4",
    options="rw",
    device="/dev/vda",
    free=4 * GIB,
    direct_io="",
)


@pytest.mark.parametrize(
    ("place", "budget", "reason"),
    [
        (DISK, 2 * GIB, ""),
        (None, 2 * GIB, "the filesystem of the scratch directory is unknown"),
        (
            replace(DISK, direct_io="tmpfs keeps its files in memory"),
            2 * GIB,
            (
                "no disk can be measured in results: tmpfs keeps its files in memory; "
                "choose a directory on a local disk (in a container: on a volume): "
                "--scratch DIR"
            ),
        ),
        (DISK, GIB, ""),  # the scratch file is smaller
        (DISK, 255 * MIB, "needs a file of 256 MiB, but --disk-budget allows only 255 MiB"),
        (replace(DISK, free=2 * GIB), 2 * GIB, ""),
        (
            replace(DISK, free=500 * MIB),
            2 * GIB,
            "needs a file of 256 MiB, but membench may use only 250 MiB in results",
        ),
    ],
)
def test_a_case_with_a_file_needs_a_disk_with_room(
    machine: Machine, place: Filesystem | None, budget: int, reason: str
) -> None:
    site = Site(machine, scratch=place, disk_budget=budget)
    assert why_not(case(disk=3 * GIB // 2), "cpu", site) == reason


GPU = GpuIdentity(index=0, name="A GPU", uuid="0", memory=GIB, compute_capability="90")


def test_the_states_of_a_gpu(machine: Machine) -> None:
    def reason(gpus: Gpus, device: str = "auto") -> str:
        return why_not(case(Needs.GPU), "cuda", Site(replace(machine, gpus=gpus), device))

    assert reason(Gpus()) == "no NVIDIA GPU was found"
    assert reason(Gpus(devices=(GPU,), problem="CuPy is not installed")) == "CuPy is not installed"
    assert reason(Gpus(devices=(GPU,)), device="cpu") == "GPU cases are off: --device cpu"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RunOptions(profile="slow"), "profile cannot be slow"),
        (RunOptions(rounds=0), "rounds cannot be 0"),
        (RunOptions(disk_budget=-1), "disk_budget cannot be -1"),
        (RunOptions(disk_budget=2**63), f"disk_budget cannot be {2**63}"),
    ],
)
def test_the_profile_and_the_numbers_must_be_possible(
    machine: Machine, options: RunOptions, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        make_plan(options, registry(), machine)


def test_a_device_must_exist(machine: Machine) -> None:
    with pytest.raises(UsageError, match="there is no cuda:0"):
        make_plan(RunOptions(device="cuda:0"), registry(), machine)
    for number in ("²", "-1", "", "1" * 5000):
        with pytest.raises(UsageError, match=r"'cuda:.{0,35}' is not a device"):
            make_plan(RunOptions(device=f"cuda:{number}"), registry(), machine)
    with_gpu = replace(machine, gpus=Gpus(devices=(GPU,)))
    assert make_plan(RunOptions(device="cuda:0"), registry(), with_gpu).device == "cuda:0"


def test_a_plan_carries_what_was_asked_for(machine: Machine) -> None:
    plan = make_plan(
        RunOptions(select=("ddr/copy",), rounds=3, seed=11, label="box-1", timeout=9.0),
        registry(),
        machine,
    )
    assert (plan.rounds, plan.seed, plan.machine, plan.timeout) == (3, 11, "box-1", 9.0)
    assert all(one.id.startswith("ddr/copy/") for one in plan.cases)


def test_a_selector_of_the_other_profile_is_told_so(machine: Machine) -> None:
    with pytest.raises(NothingMatched, match="in the quick profile") as caught:
        make_plan(RunOptions(select=("host/mlp",)), registry(), machine)
    assert "--profile full" in caught.value.hint


def test_every_case_of_the_project_is_planned_without_running_it(machine: Machine) -> None:
    for profile in ("quick", "full"):
        for one in registry().cases(profile, machine):
            made = planned(one, registry(), Site(machine))
            assert made.seconds > 0
            assert made.memory > 0 or made.backend == "cuda", made.id


def row(**changes: object) -> Row:
    made = Row(
        run_id="r",
        machine="box",
        tier=Tier.DDR,
        case="ddr/copy",
        case_version=1,
        metric=Metric.BANDWIDTH,
        stat=Stat.MEDIAN,
        status=Status.OK,
        value=1.0,
        unit=UNIT[Metric.BANDWIDTH],
        better=BETTER[Metric.BANDWIDTH],
        rounds=2,
        backend="cpu",
        size_bytes=1024 * MIB,
        stop_reason="count",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_flags_of_the_machine(machine: Machine) -> None:
    bare = machine
    virtual = replace(bare, cpu=replace(bare.cpu, hypervisor="kvm"))
    assert flagged(row(), bare).flags == ()
    assert flagged(row(), virtual).flags == ("vm",)
    assert flagged(row(flags=("noisy",)), virtual).flags == ("noisy", "vm")
    assert flagged(row(size_bytes=1, tier=Tier.CACHE), bare).flags == ()
    assert flagged(row(stop_reason="wall-cap"), bare).flags == ("not-converged",)
    disk = row(tier=Tier.SSD, cache_state=CacheState.COLD, detail={"resident": "0.0%,1.0%"})
    assert flagged(disk, bare).flags == ()
    warm = replace(disk, detail={"resident": "0.0%,1.1%"})
    assert flagged(warm, bare).flags == ("page-cache",)
    assert flagged(replace(warm, cache_state=CacheState.HOT), bare).flags == ()
    failed = row(status=Status.FAILED, value=None, size_bytes=1)
    assert flagged(failed, virtual).flags == ()


ONE_GPU = GpuIdentity(0, "NVIDIA H100", "0123456789ab", 80 * GIB, "9.0")


def with_gpus(machine: Machine, count: int) -> Machine:
    devices = tuple(replace(ONE_GPU, index=n, uuid=f"{n:012x}") for n in range(count))
    return replace(machine, gpus=Gpus("580.65", "13.0", devices))


def gpu_case(machine: Machine, memory: int = GIB) -> Case:
    return replace(case(Needs.GPU), id="hbm/thing/size=1", bench="hbm/read", gpu_memory=memory)


@pytest.mark.parametrize(
    ("device", "count", "gpus"),
    [
        ("auto", 2, (0,)),
        ("cuda:1", 2, (1,)),
        ("all", 2, (0, 1)),
        ("all", 1, (0,)),
        ("all", 0, (0,)),
    ],
)
def test_the_device_decides_on_which_gpus_a_case_runs(
    machine: Machine, device: str, count: int, gpus: tuple[int, ...]
) -> None:
    assert gpus_of(gpu_case(machine), device, with_gpus(machine, count)) == gpus
    assert gpus_of(case(), device, with_gpus(machine, count)) == (None,)


def test_ids_name_the_gpu_only_where_there_are_several(machine: Machine) -> None:
    for count, expected in ((1, ["hbm/read"]), (2, ["hbm/read/gpu=0", "hbm/read/gpu=1"])):
        site = with_gpus(machine, count)
        plan = make_plan(RunOptions(device="all", select=("hbm/read/*vec=16",)), registry(), site)
        assert [one.id.replace("/size=auto/vec=16", "") for one in plan.cases] == expected
        assert [one.gpu for one in plan.cases] == list(range(count))
        assert all(not one.skipped for one in plan.cases)
        assert estimate(plan).gpu_memory == 4 * GIB + 5 * MIB  # the array, the sums, other buffers


def test_a_case_that_a_gpu_cannot_hold_is_skipped_with_the_figures(machine: Machine) -> None:
    site = Site(with_gpus(machine, 1))
    assert why_not(gpu_case(machine, 72 * GIB), "cuda", site, 0) == ""
    assert why_not(gpu_case(machine, 73 * GIB), "cuda", site, 0) == (
        "needs 73.0 GiB of GPU memory, but membench may use only 72.0 GiB"
    )


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_case_can_stand_in_a_results_file_as_skipped(machine: Machine, profile: str) -> None:
    plan = make_plan(RunOptions(profile=profile), registry(), machine)
    skipped = replace(plan, cases=tuple(replace(one, skipped="not here") for one in plan.cases))
    found = rows(skipped, ())
    assert len(found) >= len(plan.cases)
    for row in found:
        check(row)
        assert row.status is Status.SKIPPED
