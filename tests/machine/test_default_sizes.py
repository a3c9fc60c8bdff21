"""Default sizes, compared with the caches of real machines.

On the first six machines, the fixed sizes 256 MiB and 1 GiB fit into a cache (stress-ng#335,
PerfSpect#446, the kernel's resctrl selftest, hpc-sandbox-benchmarks#111). The other machines are in
the published test data of hwloc, util-linux, ghw and nri.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from described import machine, staircase

from membench.benches import registry
from membench.core.case import Case
from membench.core.snapshot import Machine
from membench.core.terms import OFF_TIER_FLAGS, Tier
from membench.measure.availability import Site
from membench.measure.plan import planned

QUIET = staircase((1, 12), (64, 110))

SERVERS = {
    "VM that reports 260 MiB": machine([260], 2),
    "2 x Xeon 8480C": machine([105] * 2, 112, sockets=2),
    "EPYC 9654": machine([32] * 12, 96),
    "2 x EPYC 9684X": machine([96] * 24, 192, sockets=2),
    "Grace": machine([114], 72),
    "i9-13900K": machine([36], 24),
    "2 x Xeon 6980P": machine([504] * 2, 256, sockets=2),
}

ZOO = {
    "EPYC 7451": machine([8] * 16, 96, sockets=8, memory=256),
    "2 x EPYC 9654": machine([32] * 24, 384, sockets=2, memory=64),
    "24 x Xeon E5-4640": machine([20] * 24, 384, sockets=24, memory=743),
    "Xeon with persistent memory, SNC-2": machine([38.5] * 2, 112, sockets=2, memory=125),
    "2 x Xeon Gold 6230": machine([27.5] * 2, 80, sockets=2, memory=1486),
    "POWER9": machine([10] * 4, 32, sockets=2, memory=251),
    "GB10": machine([8, 16], 20, memory=119),
    "VM of 16 nodes": machine([16] * 8, 64, sockets=16, memory=3.8),
    "8 x Opteron 865": machine([1] * 16, 16, sockets=8, level=2, memory=64),
    "Milk-V Pioneer, caches without size": machine([], 64, sockets=4, memory=128),
    "VM, a socket a CPU": machine([16, 16], 2, sockets=2, memory=1.9),
    "Xeon E5-2680 v3 without CPU 0": machine([30, 30], 18, memory=125),
}

MACHINES = {**SERVERS, **ZOO}


def host_cases(box: Machine, profile: str) -> list[Case]:
    return [
        case
        for bench in registry().benches.values()
        if bench.name.startswith(("ddr/", "host/"))
        for case in bench.cases(profile, box)
        if case.tier is Tier.DDR
    ]


def trusted(case: Case, box: Machine) -> bool:
    """Whether the case can run on ``box`` and no cache serves its data."""
    plan = planned(case, registry(), Site(box))
    return not plan.skipped and OFF_TIER_FLAGS.isdisjoint(plan.flags)


def array_bytes(cases: list[Case]) -> dict[str, int]:
    """Case id -> size in bytes, for each case with ``size=auto``."""
    sizes = {case.id: dict(case.params)["size"] for case in cases if "size=auto" in case.id}
    return {name: int(size) for name, size in sizes.items()}


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_has_trusted_rows_of_its_memory(name: str, profile: str) -> None:
    box = MACHINES[name]
    cases = host_cases(box, profile)
    bandwidths = [case for case in cases if case.bench.startswith("ddr/")]
    latencies = [case for case in cases if case.bench == "host/chase"]
    assert any(trusted(case, box) for case in bandwidths)
    assert any(trusted(case, box) for case in latencies)


@pytest.mark.parametrize("name", MACHINES)
def test_only_what_a_person_asks_for_is_too_small(name: str) -> None:
    """Only explicit sizes may be too small.

    The sizes of the chase's staircase are small on purpose.
    """
    for case in host_cases(MACHINES[name], "full"):
        if "size=auto" in case.id.split("/"):
            assert "cache-served" not in case.flags, case.id


def test_a_core_complex_is_no_socket() -> None:
    """One thread of an EPYC 9654 reaches 32 MiB of L3, all threads reach 384 MiB."""
    sizes = array_bytes(host_cases(SERVERS["EPYC 9654"], "quick"))
    assert sizes["ddr/read/size=auto/threads=1/pages=thp"] == 256 << 20
    assert sizes["ddr/read/size=auto/threads=all/pages=thp"] == 2 << 30
    assert sizes["host/chase/size=auto/pages=thp"] == 256 << 20


def test_without_a_chase_nobody_confirmed_the_caches() -> None:
    for box in MACHINES.values():
        assert all("cache-unknown" in case.flags for case in host_cases(box, "quick"))
    quiet = SERVERS["EPYC 9654"]
    quiet = replace(quiet, cpu=replace(quiet.cpu, staircase=QUIET))
    cases = [case for case in host_cases(quiet, "quick") if "size=auto" in case.id]
    assert {case.flags for case in cases} == {()}


def test_a_cache_that_does_not_behave_like_one_does_not_make_arrays_large() -> None:
    box = SERVERS["VM that reports 260 MiB"]
    large = host_cases(box, "quick")
    box = replace(box, cpu=replace(box.cpu, staircase=staircase((1, 20), (16, 120), top=512)))
    small = host_cases(box, "quick")
    assert set(array_bytes(large).values()) == {2 << 30}
    assert set(array_bytes(small).values()) == {256 << 20}
    assert {case.flags for case in small if "size=auto" in case.id} == {("cache-unknown",)}


def test_quick_stays_within_its_time() -> None:
    """A machine with larger caches also has more CPUs, so the time grows slowly."""
    for name, box in MACHINES.items():
        largest = max((cache.size for cache in box.cpu.caches), default=0)
        seconds = 5 * sum(case.seconds for case in host_cases(box, "quick"))
        # One thread that reaches several hundred MiB of cache takes up to 180 s.
        assert seconds <= (90 if largest <= 128 << 20 else 180), name


def test_new_pages_come_from_no_cache() -> None:
    faults = [case for case in host_cases(SERVERS["2 x EPYC 9684X"], "full") if "fault" in case.id]
    assert faults
    assert {case.flags for case in faults} == {()}
