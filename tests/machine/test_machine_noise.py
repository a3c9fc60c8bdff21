"""Activity of other programs between two observations: recorded counters, and a busy process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.machine.noise import Busy, Noise, watch

Plant = Callable[[Mapping[str, str]], Path]
KIB = 1024
TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int, name: str, ticks: int, start: int = 50) -> str:
    fields = ["0"] * 40
    fields[0], fields[11], fields[12], fields[19] = "R", str(ticks - 1), "1", str(start)
    return f"{pid} ({name}) {' '.join(fields)}\n"


def _watch(root: Path, after: Mapping[str, str], gone: tuple[str, ...] = ()) -> Noise:
    """Observe, change the files ``after``, let one second pass, and observe again."""
    now = [100.0]

    def wait(_: float) -> None:
        now[0] += 1.0
        for name, text in after.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in gone:
            (root / name).unlink()

    return watch(root, wait, lambda: now[0])


def test_counters_are_taken_between_the_looks(plant: Plant) -> None:
    before = {
        "proc/stat": "cpu  1000 0 500 9000 10 0 5 100 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
        "proc/meminfo": "SwapTotal: 100 kB\nSwapFree: 40 kB\n",
        "sys/devices/system/cpu/online": "0-1\n",
        "proc/10/stat": _stat(10, "quiet", 900),
        "proc/11/stat": _stat(11, "a) (b c", 100),
        "proc/12/stat": _stat(12, "reused", 5000),
        "proc/13/stat": _stat(13, "ends", 10),
        "proc/14/stat": "14 (odd",
        "proc/self/stat": _stat(1, "not a number", 0),
        f"proc/{os.getpid()}/stat": _stat(os.getpid(), "me", 0),
    }
    after = {
        "proc/stat": "cpu  1060 0 520 9100 10 0 5 120 0 0\n",  # 200 ticks: 80 busy, 20 stolen
        "proc/10/stat": _stat(10, "quiet", 900 + TICKS // 50),
        "proc/11/stat": _stat(11, "a) (b c", 100 + TICKS),
        # Another process with the same pid.
        "proc/12/stat": _stat(12, "reused", TICKS // 2, start=77),
        "proc/15/stat": _stat(15, "begins", TICKS // 4),
        f"proc/{os.getpid()}/stat": _stat(os.getpid(), "me", TICKS),
    }
    noise = _watch(plant(before), after, gone=("proc/13/stat",))
    assert noise.steal == pytest.approx(0.1)
    assert noise.busy_cpus == pytest.approx(0.8)
    assert noise.busy == (Busy("a) (b c", 1.0), Busy("reused", 0.5), Busy("begins", 0.25))
    assert (noise.swap_total, noise.swap_used) == (100 * KIB, 60 * KIB)


@pytest.mark.parametrize("stat", ["", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h"])
def test_what_the_kernel_does_not_say_is_none(plant: Plant, stat: str) -> None:
    assert _watch(plant({"proc/stat": stat}), {}) == Noise()


def test_one_look_that_fails_is_no_answer(plant: Plant) -> None:
    noise = _watch(plant({"proc/stat": "cpu 1 2 3 4 5 6 7 8 9 10\n"}), {}, gone=("proc/stat",))
    assert (noise.steal, noise.busy_cpus) == (None, None)


def test_a_process_at_work_is_seen() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) as worker:
        try:
            patience = time.monotonic() + 30
            while not any(busy.command == "sh" for busy in watch().busy):
                assert time.monotonic() < patience
        finally:
            worker.kill()
