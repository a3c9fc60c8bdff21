"""The staircase on this machine: latencies of a pointer chase over growing footprints."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from membench.core.sizes.reach import contradiction, reachable
from membench.core.units import MIB
from membench.host.memory import staircase
from membench.machine import snapshot


def test_a_chase_through_growing_rings() -> None:
    cpu = min(os.sched_getaffinity(0))
    found = staircase.chase(cpu, 4 * MIB, 64)
    assert [size for size, _ in found] == [MIB, 2 * MIB, 4 * MIB]
    assert all(0.3 < latency < 1e5 for _, latency in found)


def test_it_is_measured_in_a_process_of_its_own_and_decides() -> None:
    here = snapshot()
    memory = replace(here.memory, available=8 * MIB, cgroup_limit=None)
    small = replace(here, memory=memory)  # a case may use half of the memory
    found = staircase.measure(small)
    assert [size for size, _ in found] == [MIB, 2 * MIB, 4 * MIB]
    box = replace(small, cpu=replace(small.cpu, staircase=found))
    assert contradiction(box) or reachable(box, [0]).bytes


@pytest.mark.slow
def test_where_it_cannot_be_measured_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    here = snapshot()
    away = replace(here, cpu=replace(here.cpu, cores=(), affinity=(100_000,), usable=1))
    assert staircase.measure(away) == ()
    monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    assert staircase.measure(here) == ()


def test_it_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staircase, "LIMIT_S", 0.0)
    assert staircase.chase(min(os.sched_getaffinity(0)), 4 * MIB, 64) == []
