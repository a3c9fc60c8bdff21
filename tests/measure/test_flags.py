"""Every flag: values that raise it, the nearest values that do not; a flag drops no result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from healthy import GPU_STATE
from healthy import MACHINE as HEALTHY
from hypothesis import given
from hypothesis import strategies as st

from membench.core.snapshot import Cache, Core, GpuIdentity, Gpus, Machine, Node
from membench.core.terms import FLAGS, INVALID_FLAGS, OFF_TIER_FLAGS, Metric, Stat, Status, Tier
from membench.core.units import GIB, MIB
from membench.machine.cpu_time import CpuTicks
from membench.measure.clocks import LEAST_SHARE, MOST_FALL, clock_fell
from membench.measure.events import Silent
from membench.measure.flags import PEAK_TOLERANCE, results
from membench.measure.pinning import pin, unpin
from membench.measure.rounds import environment as monitor
from membench.measure.rounds.environment import (
    HELD_SHARE,
    EnvironmentMonitor,
    EnvironmentSample,
    link_is_down,
    others,
    slowdowns,
    taken_by_others,
    was_held,
)
from membench.results.case_result import CaseResult, Reading
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row
from membench.results.staircase import leading

NODES = (Node(0, (0, 1), GIB, (10, 20)), Node(1, (2, 3), GIB, (20, 10)))
GPUS = tuple(GpuIdentity(n, "Some GPU", f"{n}{n}", 80 * GIB, "9.0", sm_mhz=2000) for n in range(2))

MACHINE = replace(
    HEALTHY,
    cpu=replace(
        HEALTHY.cpu,
        cores=tuple(Core(cpu, cpu, 0, cpu // 2) for cpu in range(4)),
        affinity=(0, 1, 2, 3),
        usable=4,
        caches=(Cache(3, "unified", 32 * MIB, 64, (0, 1, 2, 3)),),
    ),
    memory=replace(HEALTHY.memory, nodes=NODES),
    gpus=Gpus("580.1", "13.0", GPUS),
)
VIRTUAL = replace(MACHINE, cpu=replace(MACHINE.cpu, hypervisor="kvm"))
BANDWIDTH, LATENCY = Metric.BANDWIDTH, Metric.LATENCY
STEADY = (100.0, 101.0, 100.5)


def planned(metric: Metric, tier: Tier, backend: str) -> Plan:
    case = PlannedCase(
        id="ddr/copy/n=1",
        bench="ddr/copy",
        params={},
        version=1,
        tier=tier,
        yields=((metric, Stat.MEDIAN),),
        seconds=0.1,
        memory=0,
        disk=0,
        backend=backend,
    )
    return Plan(
        run_id="20260101T000000Z-0000",
        machine="box",
        profile="quick",
        rounds=3,
        seed=1,
        timeout=10.0,
        device="auto",
        software="0.1.0",
        argv=(),
        started="2026-01-01T00:00:00Z",
        cases=(case,),
    )


def measured(
    values: Sequence[float] = STEADY,
    *,
    metric: Metric = BANDWIDTH,
    tier: Tier = Tier.DDR,
    machine: Machine = MACHINE,
    rounds: Sequence[dict[str, Any]] = (),
    **facts: Any,
) -> Row:
    """The row of rounds with ``values``.

    ``facts`` apply to all rounds, ``rounds`` to one round each.
    """
    facts = {"size_bytes": GIB, "backend": "cpu", "device": "Some GPU", **facts}
    units = [
        CaseResult(
            round=number,
            case="ddr/copy/n=1",
            status=Status.OK,
            started="2026-01-01T00:00:00Z",
            readings=(Reading(metric, Stat.MEDIAN, value, 2, (value, value)),),
            **{**facts, **(rounds[number - 1] if rounds else {})},
        )
        for number, value in enumerate(values, start=1)
    ]
    (row,) = results(planned(metric, tier, facts["backend"]), units, machine)
    return row


CLOCKS = [{"sm_mhz": 2000.0}, {"sm_mhz": 2000.0}]
RESIDENT = {"tier": Tier.SSD, "cache_state": "cold"}

SEEN: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    # flag: (facts that raise it, nearest facts that do not)
    "noisy": [
        ({"values": (100, 110, 120)}, {"values": (100, 101, 102)}),
        ({"values": (100, 110, 125), "tier": Tier.SSD}, {"values": (100, 105, 110), **RESIDENT}),
    ],
    "throttled": [
        (
            {"rounds": [*CLOCKS, {"sm_mhz": 1890.0}]},
            {"rounds": [*CLOCKS, {"sm_mhz": 1910.0}]},
        ),
        ({"sm_mhz": 1490.0}, {"sm_mhz": 1500.0}),
        ({"sm_mhz": 2000.0, "detail": {"sm_mhz_low": 1890}}, {"detail": {"sm_mhz_low": 1990}}),
    ],
    "above-peak": [
        ({"peak": 99.0, "peak_basis": "queried"}, {"peak": 99.6, "peak_basis": "queried"}),
        ({"peak": 99.0, "peak_basis": "spec"}, {"peak": 50.0, "peak_basis": "measured"}),
        (
            {"peak": 102.0, "peak_basis": "spec", "metric": LATENCY},
            {"peak": 101.0, "peak_basis": "spec", "metric": LATENCY},
        ),
    ],
    "single-round": [({"values": (100.0,)}, {"values": (100.0, 101.0)})],
    "not-converged": [
        ({"stop_reason": "wall-cap"}, {"stop_reason": "count"}),
        ({"converged": False}, {"converged": True}),
    ],
    "page-cache": [
        (
            {"rounds": [{"detail": {"resident": x}} for x in ("0%", "2%", "0%")], **RESIDENT},
            {"rounds": [{"detail": {"resident": x}} for x in ("0%", "1%", "0%")], **RESIDENT},
        ),
        (
            {"detail": {"resident": "50%"}, **RESIDENT},
            {"detail": {"resident": "50%"}, "tier": Tier.SSD, "cache_state": "hot"},
        ),
        (
            {"detail": {"dirtied": "98%"}, "tier": Tier.SSD},
            {"detail": {"file": "nocow"}, "tier": Tier.SSD},
        ),
    ],
    "sync-submit": [
        (
            {"rounds": [{"detail": {"submission": "blocked"}}, {}, {}]},
            {"detail": {"submit": "0.99"}},
        ),
    ],
    "few-huge-pages": [
        ({"detail": {"huge": "89%"}}, {"detail": {"huge": "90%"}}),
        (
            {"rounds": [{"detail": {"huge": x}} for x in ("100%", "0%", "100%")]},
            {"detail": {"huge": "100%"}},
        ),
    ],
    "vm": [({"machine": VIRTUAL}, {"machine": MACHINE})],
}
"""Flags that depend only on case results."""

AROUND = (
    *("unpinned-numa", "busy-cpu", "busy-gpu", "link-downtrained", "encrypted-link"),
    "cgroup-limited",
)
"""Flags that depend on observations around a case. `throttled` can also depend on case results."""

KNOWN_BEFORE = ("cache-served", "cache-unknown")
"""Flags that the plan already contains: tests/measure/test_sizes.py."""

OF_A_CURVE = ("transition",)
"""Flags that need all rows of a curve: tests/results/test_chase_tiers.py."""

PAIRS = [(code, *pair) for code, pairs in SEEN.items() for pair in pairs]


@pytest.mark.parametrize(("code", "raised", "quiet"), PAIRS)
def test_raised_by_this_and_not_by_that(
    code: str, raised: dict[str, Any], quiet: dict[str, Any]
) -> None:
    assert code in measured(**raised).flags
    assert code not in measured(**quiet).flags


def test_every_flag_of_the_list_is_raised_somewhere() -> None:
    elsewhere = {
        "best-of",  # results of other tools: tests/results/formats
        "short-run",  # results of other tools
        "unpinned",  # set by a worker: tests/backends/test_thread_pool.py
        "other-memory",  # set by host/numa: tests/machine/test_machine_zoo.py
    }
    assert {*SEEN, *AROUND, *KNOWN_BEFORE, *OF_A_CURVE, *elsewhere} == set(FLAGS)
    assert set(FLAGS) >= OFF_TIER_FLAGS > INVALID_FLAGS


@pytest.mark.parametrize("code", FLAGS)
def test_a_flagged_row_keeps_its_value_and_every_sample(code: str) -> None:
    plain = measured()
    row = measured(flags=(code,))
    assert row.flags == (code,)
    assert (row.status, row.value, row.samples, row.n) == (
        Status.OK,
        plain.value,
        ((100, 100), (101, 101), (100.5, 100.5)),
        6,
    )
    assert (leading([row]) == [row]) == (code not in OFF_TIER_FLAGS)


def test_flags_stand_in_the_order_of_the_list() -> None:
    row = measured((100.0,), machine=VIRTUAL, stop_reason="wall-cap", size_bytes=MIB)
    assert list(row.flags) == [code for code in FLAGS if code in row.flags]
    assert len(row.flags) == 3


def test_a_healthy_row_has_no_flag() -> None:
    assert measured(sm_mhz=2000.0, peak=120.0, peak_basis="spec").flags == ()


@given(st.floats(0.01, 1e6), st.floats(0.5, 2.0))
def test_above_peak_begins_at_the_tolerance(peak: float, share: float) -> None:
    row = measured((peak * share,) * 2, peak=peak, peak_basis="queried")
    beyond = share > 1 + PEAK_TOLERANCE
    if abs(share - 1 - PEAK_TOLERANCE) > 1e-9:
        assert ("above-peak" in row.flags) == beyond


@given(st.lists(st.floats(1, 1e4), max_size=5), st.floats(0, 1e4))
def test_a_clock_that_only_rises_does_no_harm(clocks: list[float], highest: float) -> None:
    if clocks and max(clocks) < LEAST_SHARE * highest:
        assert clock_fell(clocks, highest)
    if clocks and min(clocks) >= highest and min(clocks) >= (1 - MOST_FALL) * max(clocks):
        assert not clock_fell(clocks, highest)
    assert not clock_fell([], highest)


STATE = replace(GPU_STATE, held_ns=1000, link_generation=5, node=1)


@pytest.mark.parametrize(
    ("changes", "down"),
    [
        ({}, False),
        ({"link_width": 8}, True),
        ({"link_width": 8, "performance": 8}, True),  # the width does not shrink to save power
        ({"link_generation": 4}, True),
        ({"link_generation": 1, "performance": 2}, True),
        ({"link_generation": 1, "performance": 8}, False),  # the GPU is idle
        ({"link_generation": 1, "performance": None}, False),
        ({"link_width": None, "link_generation": None}, False),
        ({"link_width_max": None, "link_generation_max": None}, False),
    ],
)
def test_a_link_below_its_best(changes: dict[str, Any], down: bool) -> None:
    assert link_is_down(replace(STATE, **changes)) == down


@pytest.mark.parametrize(
    ("processes", "is_open", "number"),
    [
        ((), False, 0),
        (None, True, 0),
        ((7,), True, 0),
        ((7,), False, 0),  # our own process is listed before `is_open` is set
        ((7, 9), True, 1),
        ((9,), False, 1),
        ((4711,), True, 0),  # our own process, under its pid on the host
        ((4711, 4712), True, 1),
    ],
)
def test_who_else_computes(processes: tuple[int, ...] | None, is_open: bool, number: int) -> None:
    assert others(replace(STATE, processes=processes), 7, is_open=is_open) == number


def test_a_clock_that_was_held_down() -> None:
    later = replace(STATE, held_ns=1000 + int(HELD_SHARE * 1e9))
    assert not was_held(STATE, later, 1.0)
    assert was_held(STATE, later, 0.9)
    assert not was_held(replace(STATE, held_ns=None), later, 0.9)
    assert slowdowns(STATE, STATE, held=False) == ()
    assert slowdowns(STATE, STATE, held=True) == ("power, heat or board limit",)
    hot = replace(STATE, reasons=0x40)
    assert slowdowns(hot, STATE, held=False) == slowdowns(STATE, hot, held=True) != ()


@pytest.fixture
def affinities(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[int]]:
    """Pid -> CPUs of all processes. As with a cpuset, the fake kernel refuses CPU 9."""
    bound: dict[int, set[int]] = {}

    def bind(pid: int, cpus: set[int]) -> None:
        if not cpus or 9 in cpus:
            raise OSError(22, "Invalid argument")
        bound[pid] = set(cpus)

    monkeypatch.setattr("os.sched_setaffinity", bind)
    return bound


def with_nodes(*nodes: Node, affinity: tuple[int, ...] = (0, 1, 2, 3)) -> Machine:
    return replace(
        MACHINE,
        cpu=replace(MACHINE.cpu, affinity=affinity),
        memory=replace(MACHINE.memory, nodes=nodes),
    )


@pytest.mark.parametrize(
    ("machine", "node", "pinned", "cpus"),
    [
        (MACHINE, 1, True, {2, 3}),
        (with_nodes(*NODES, affinity=(0, 3)), 1, True, {3}),
        (with_nodes(*NODES, affinity=(0, 1)), 1, False, None),
        (MACHINE, 7, False, None),
        (with_nodes(NODES[0], replace(NODES[1], cpus=(9,)), affinity=(0, 9)), 1, False, None),
        (with_nodes(NODES[0]), 1, True, None),  # only one node
        # The second node is the GPU's own memory.
        (with_nodes(NODES[0], replace(NODES[1], cpus=())), 1, True, None),
        (MACHINE, None, True, None),
        (MACHINE, -1, True, None),
    ],
)
def test_a_worker_is_put_beside_its_gpu(
    affinities: dict[int, set[int]],
    machine: Machine,
    node: int | None,
    pinned: bool,
    cpus: set[int] | None,
) -> None:
    assert pin(42, node, machine) == pinned
    assert affinities.get(42) == cpus
    unpin(42, machine)
    if sum(bool(one.cpus) for one in machine.memory.nodes) > 1:
        if 9 not in machine.cpu.affinity:
            assert affinities[42] == set(machine.cpu.affinity)
    else:
        assert affinities == {}


NO_TICKS = CpuTicks()
UNIT = CaseResult(round=1, case="ddr/copy/n=1", status=Status.OK, started="2026-01-01T00:00:00Z")


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CaseResult]:
    """A function that returns a case result between two observations of the machine."""

    def look(
        *,
        pinned: bool = True,
        pauses: int = 0,
        unit: CaseResult = UNIT,
        tier: Tier = Tier.HBM,
        ticks: CpuTicks = NO_TICKS,
        **now: Any,
    ) -> CaseResult:
        case = planned(BANDWIDTH, tier, "cpu").cases[0]
        eyes = EnvironmentMonitor(MACHINE, Silent())
        before = EnvironmentSample(0.0, 3, {"00": STATE}, pinned=pinned)
        monkeypatch.setattr(monitor, "throttled_count", lambda _: 3 + pauses)
        monkeypatch.setattr(monitor, "cpu_ticks", lambda _: ticks)
        monkeypatch.setattr(eyes, "_gpus", lambda _: {"00": replace(STATE, **now)})
        return eyes.after(before, case, 7, unit)

    return look


@pytest.mark.parametrize(
    ("code", "raised", "quiet"),
    [
        ("cgroup-limited", {"pauses": 1}, {"pauses": 0}),
        ("unpinned-numa", {"pinned": False}, {"pinned": True}),
        ("busy-cpu", {"ticks": CpuTicks(200, steal=10)}, {"ticks": CpuTicks(200, steal=9)}),
        ("busy-cpu", {"ticks": CpuTicks(200, 0, 200, 20)}, {"ticks": CpuTicks(39, 9, 39, 0)}),
        ("busy-gpu", {"processes": (7, 9)}, {"processes": (7,)}),
        ("throttled", {"reasons": 0x4}, {"reasons": 0x1}),
        ("link-downtrained", {"link_width": 8, "tier": Tier.LINK}, {"link_width": 8}),
        ("encrypted-link", {"confidential": True, "tier": Tier.LINK}, {"confidential": True}),
    ],
)
def test_what_is_seen_around_a_case_flags_it(
    around: Callable[..., CaseResult], code: str, raised: dict[str, Any], quiet: dict[str, Any]
) -> None:
    assert around(**raised).flags == (code,)
    assert around(**quiet).flags == ()
    failed = replace(UNIT, status=Status.FAILED, reason="x")
    assert around(**raised, unit=failed) == failed  # the flags apply only to rows with a value


def test_what_others_had_stands_in_the_detail(
    around: Callable[..., CaseResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "online_cpus", lambda _: range(4))
    unit = around(ticks=CpuTicks(400, steal=40, processes=300, own=100))
    assert unit.flags == ("busy-cpu",)
    assert unit.detail == {"steal": 0.1, "others": 2.0}


def test_the_kernels_threads_of_a_disk_are_nobody_elses(
    around: Callable[..., CaseResult],
) -> None:
    case = planned(BANDWIDTH, Tier.SSD, "storage").cases[0]
    busy = CpuTicks(400, processes=400)
    assert taken_by_others(busy, case, 4) == {}
    assert taken_by_others(busy, replace(case, backend="cpu"), 4) == {"others": 4.0}
    assert taken_by_others(CpuTicks(400, steal=20), case, 4) == {"steal": 0.05}


def test_who_had_the_cpus_is_kept_for_each_round(
    around: Callable[..., CaseResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "online_cpus", lambda _: range(2))
    counts = iter([CpuTicks(), CpuTicks(100, 1, 90, 60), CpuTicks(300, 3, 200, 80), CpuTicks(400)])
    monkeypatch.setattr(monitor, "cpu_ticks", lambda _: next(counts))
    eyes = EnvironmentMonitor(MACHINE, Silent())
    assert eyes.cpu_time() == {}
    case = planned(BANDWIDTH, Tier.DDR, "cpu").cases[0]
    for _ in range(2):  # activity between two cases belongs to no case
        eyes.after(eyes.before(case, 7), case, 7, UNIT)
    assert eyes.cpu_time() == {"steal": 0.005, "others": 0.3}
    assert eyes.cpu_time() == {}


def test_the_reason_of_a_slow_clock_stands_in_the_detail(around: Callable[..., CaseResult]) -> None:
    unit = around(reasons=0x44, unit=replace(UNIT, flags=("vm",), detail={"vec": 16}))
    assert unit.flags == ("vm", "throttled")
    assert unit.detail == {"vec": 16, "slowdown": "power cap, heat (hardware)"}


def test_small_pages_that_were_asked_for_are_no_lack_of_huge_ones() -> None:
    plan = planned(BANDWIDTH, Tier.DDR, "cpu")
    case = replace(plan.cases[0], id="ddr/copy/pages=4k/size=1GiB")
    unit = replace(UNIT, case=case.id, detail={"huge": "0%"}, size_bytes=GIB, backend="cpu")
    (row,) = results(replace(plan, cases=(case,)), [unit], MACHINE)
    assert "few-huge-pages" not in row.flags
