"""The CPU time of other programs, from the counters of proc_stat(5) before and after."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from membench.machine.cpu_time import LEAST_TICKS, CpuTicks, busy_bound, cpu_ticks


def machine(root: Path, cpu: str, **processes: str) -> Path:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "stat").write_text(f"cpu  {cpu}\ncpu0 {cpu}\nintr 7\n")
    for pid, text in processes.items():
        folder = root / "proc" / pid.removeprefix("p")
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(text)
    return root


def stat(user: int, system: int, name: str = "python") -> str:
    return f"42 ({name}) R 1 42 42 0 -1 4194304 0 0 0 0 {user} {system} 0 0 20 0 9 0 100 0 0"


def test_what_two_looks_tell_apart(tmp_path: Path) -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice
    before = cpu_ticks([42], machine(tmp_path, "100 0 50 800 10 1 2 7 0 0", p42=stat(60, 20)))
    after = cpu_ticks([42], machine(tmp_path, "190 10 70 860 10 1 4 25 90 0", p42=stat(130, 30)))
    seen = after.since(before)
    assert seen == CpuTicks(total=200, steal=18, processes=120, own=80)
    assert seen.steal_share == pytest.approx(0.09)
    assert seen.others(2) == pytest.approx(0.4)  # 40 of 200 ticks on two CPUs
    assert seen.plus(seen) == CpuTicks(400, 36, 240, 160)


def test_a_name_with_brackets_and_blanks_shifts_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path, "1 1 1 1 1 1 1 1", p42=stat(3, 4, "a) b (c"))
    assert cpu_ticks([42], root).own == 7


@pytest.mark.parametrize("cpu", ["", "1 2 3", "x y z"])
def test_a_kernel_that_says_little_gives_nothing(tmp_path: Path, cpu: str) -> None:
    seen = cpu_ticks([42], machine(tmp_path, cpu))
    assert seen == CpuTicks()
    assert (seen.steal_share, seen.others(2)) == (None, None)
    assert cpu_ticks([1], tmp_path / "nowhere") == CpuTicks()


def test_a_process_that_has_ended_counts_nothing(tmp_path: Path) -> None:
    root = machine(tmp_path, "9 9 9 9 9 9 9 9", p42="")
    assert cpu_ticks([42, 43], root).own == 0


def test_counters_that_step_back_count_nothing() -> None:
    assert CpuTicks(5, 1, 4, 1).since(CpuTicks(9, 2, 5, 2)) == CpuTicks()


def test_this_very_process_at_work_is_seen() -> None:
    before = cpu_ticks([os.getpid()])
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    seen = cpu_ticks([os.getpid()]).since(before)
    assert 5 <= seen.own <= 60  # ticks of 10 ms each, on all known kernels
    assert seen.total >= seen.own


def test_the_bound_is_that_of_small_and_of_large_machines() -> None:
    assert [busy_bound(cpus) for cpus in (1, 2, 5, 128)] == [0.5, 0.5, 0.5, 12.8]
    assert LEAST_TICKS == 40
