"""The threads of a pool run on the right CPUs, start together, and wait only for a limited time."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.core.backend import Seating
from membench.core.errors import MembenchError
from membench.core.sizes.placement import placement
from membench.core.snapshot import Core, Machine
from membench.host.compiled import shared_block as host_layout
from membench.host.memory.backend import CpuBackend
from membench.host.memory.kernels import host_chase
from membench.host.memory.thread_pool import ThreadPool, ThreadSlot


@pytest.fixture
def team() -> Iterator[ThreadPool]:
    made = ThreadPool(sorted(os.sched_getaffinity(0)))
    yield made
    made.close()


def machine_of(machine: Machine, cores: list[tuple[int, int, int, int]], usable: int) -> Machine:
    """``machine`` with the given cores: (cpu, core, package, node)."""
    cpus = tuple(core[0] for core in cores)
    cpu = replace(
        machine.cpu, cores=tuple(Core(*core) for core in cores), affinity=cpus, usable=usable
    )
    return replace(machine, cpu=cpu)


def test_whole_cores_come_before_their_siblings_and_one_node_before_the_other(
    machine: Machine,
) -> None:
    cores = [
        (0, 0, 0, 0),
        (1, 1, 0, 0),
        (2, 0, 1, 1),
        (3, 1, 1, 1),
        (4, 0, 0, 0),
        (5, 1, 0, 0),
        (6, 0, 1, 1),
        (7, 1, 1, 1),
    ]
    assert placement(machine_of(machine, cores, 8)) == (0, 1, 2, 3, 4, 5, 6, 7)
    adjacent = [(0, 0, 0, 0), (1, 0, 0, 0), (2, 1, 0, 0), (3, 1, 0, 0)]
    assert placement(machine_of(machine, adjacent, 4)) == (0, 2, 1, 3)
    assert placement(machine_of(machine, adjacent, 2)) == (0, 2)  # the CPU quota allows two CPUs


def test_cpus_that_sysfs_does_not_describe_are_used_last(machine: Machine) -> None:
    cpu = replace(machine.cpu, cores=(Core(5, 0, 0, 0),), affinity=(3, 5), usable=2)
    assert placement(replace(machine, cpu=cpu)) == (5, 3)


def test_every_thread_is_pinned_and_the_others_are_not(team: ThreadPool) -> None:
    before = os.sched_getaffinity(0)

    def where(slot: ThreadSlot) -> tuple[int, set[int], int]:
        return slot.cpu, os.sched_getaffinity(0), os.sched_getaffinity(0).__len__()

    for cpu, mask, count in team.run([where] * len(team.cpus)):
        assert mask == {cpu}
        assert count == 1
    assert os.sched_getaffinity(0) == before
    assert [cpu for cpu, _, _ in team.run([where] * len(team.cpus))] == list(team.cpus)


def test_compiled_code_runs_on_the_pinned_cpu(team: ThreadPool) -> None:
    def scheduled(slot: ThreadSlot) -> int:
        stat = Path(f"/proc/self/task/{threading.get_native_id()}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[36])  # field 39 of stat: the processor

    assert team.run([scheduled] * len(team.cpus)) == list(team.cpus)


def test_threads_stay_and_results_come_in_the_order_of_the_jobs(team: ThreadPool) -> None:
    count = len(team.cpus)

    def identity(slot: ThreadSlot) -> tuple[int, int]:
        time.sleep(0.01 * (count - slot.index))
        return slot.index, threading.get_native_id()

    first, second = (team.run([identity] * count) for _ in range(2))
    assert [index for index, _ in first] == list(range(count))
    assert first == second
    last = count - 1
    assert team.run([identity], [last]) == [(0, first[last][1])]


def test_what_a_job_raises_reaches_the_caller_and_the_team_goes_on(team: ThreadPool) -> None:
    def broken(slot: ThreadSlot) -> None:
        raise RuntimeError(f"slot {slot.index}")

    with pytest.raises(RuntimeError, match="slot 0"):
        team.run([broken])
    assert team.run([lambda slot: slot.parties]) == [1]


def test_stamps_are_inside_the_call(team: ThreadPool) -> None:
    import numpy as np

    pointer = np.zeros(1, np.int64)
    pointer[0] = pointer.ctypes.data
    entry = host_chase.chase
    # The jobs take tens of milliseconds, so a thread that waits for a CPU still overlaps.
    before = time.monotonic_ns()
    team.run(
        [lambda slot: entry(*slot.barrier, pointer.ctypes.data, 32 * 1_000_000)] * len(team.cpus)
    )
    after = time.monotonic_ns()
    for slot in range(len(team.cpus)):
        start, end = (team.field(slot, at) for at in (host_layout.START, host_layout.END))
        assert before < start < end < after
    starts = [team.field(slot, host_layout.START) for slot in range(len(team.cpus))]
    ends = [team.field(slot, host_layout.END) for slot in range(len(team.cpus))]
    assert team.span_ns(len(team.cpus)) == max(ends) - min(starts)
    assert max(starts) < min(ends)  # all jobs ran at the same time


def test_a_launch_without_stamps_has_no_span(team: ThreadPool) -> None:
    team.run([lambda _: None])
    assert team.span_ns(1) == 0


def test_numpy_work_passes_the_barrier_and_is_stamped(team: ThreadPool) -> None:
    count = len(team.cpus)
    arrived: list[int] = []

    def job(slot: ThreadSlot) -> Any:
        arrived.append(slot.index)
        return slot.timed(lambda: len(arrived))

    assert team.run([job] * count) == [count] * count
    assert team.span_ns(count) > 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs 2 CPUs")
def test_a_barrier_that_nobody_else_reaches_gives_up(
    team: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("membench.host.memory.thread_pool.GIVE_UP_NS", 50_000_000)
    with pytest.raises(MembenchError, match="did not start together"):
        team.run([lambda slot: slot.timed(lambda: None), lambda _: None])
    assert team.run([lambda slot: slot.timed(lambda: 1)] * 2) == [1, 1]


def test_a_gate_that_nobody_else_reaches_gives_up(team: ThreadPool) -> None:
    """One thread never arrives at the compiled barrier, which has a short time limit."""
    from numba import njit

    from membench.host.compiled import barrier as host_barrier

    barrier: Any = host_barrier.enter
    fresh: Any = njit(nogil=True)(barrier.py_func)
    fresh.py_func.__globals__["GIVE_UP_NS"], kept = 10_000_000, host_layout.GIVE_UP_NS
    try:
        fresh.compile("boolean(int64, int64, int64)")
    finally:
        fresh.py_func.__globals__["GIVE_UP_NS"] = kept
    with pytest.raises(MembenchError, match="1 threads did not start together"):
        team.run([lambda slot: fresh(slot.block, slot.index, slot.parties + 1)])


def test_more_jobs_than_cpus_are_refused(team: ThreadPool) -> None:
    with pytest.raises(ValueError, match="each job needs a thread"):
        team.run([lambda _: None] * (len(team.cpus) + 1))
    with pytest.raises(ValueError, match="each job needs a thread"):
        team.run([])


@pytest.mark.parametrize("error", [errno.EPERM, errno.EINVAL])
def test_a_kernel_that_forbids_pinning_costs_the_place_and_not_the_number(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    cpu = CpuBackend(machine)
    try:
        assert cpu.launch([lambda slot: slot.index] * len(cpu.cpus)) == [*range(len(cpu.cpus))]
        seating = cpu.seating()
        assert seating.flags == ("unpinned",)
        assert os.strerror(error) in seating.detail["unpinned"]
        cpu.reclaim()
        assert cpu.seating() == Seating()
    finally:
        cpu.close()


def test_the_fastest_kind_of_core_comes_first_and_the_row_says_which(machine: Machine) -> None:
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        pytest.skip("only one CPU may be used")
    slow, fast = mine[:2]
    cores = (Core(slow, 0, 0, 0, kind=1), Core(fast, 1, 0, 0, kind=0))
    cpu = CpuBackend(replace(machine, cpu=replace(machine.cpu, cores=cores, affinity=(slow, fast))))
    try:
        assert cpu.cpus[0] == fast
        for threads, said in ((1, "fastest"), (2, "fastest+slower-1")):
            cpu.launch([lambda _: None] * threads)
            assert cpu.seating() == Seating({"cores": said})
            cpu.reclaim()
        cpu.launch([lambda _: None], [1])
        assert cpu.seating().detail == {"cores": "slower-1"}
    finally:
        cpu.close()


def test_closing_twice_ends_the_threads_once() -> None:
    made = ThreadPool([min(os.sched_getaffinity(0))])
    made.run([lambda _: None])
    names = {thread.name for thread in threading.enumerate()}
    assert "membench-0" in names
    made.close()
    made.close()
    assert not any(t.name == "membench-0" and t.is_alive() for t in threading.enumerate())
