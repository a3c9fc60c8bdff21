"""If a signal ends the run and kills the worker first, the current case is not marked as failed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from membench.benches import registry
from membench.core.errors import WorkerError
from membench.machine import snapshot
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan
from membench.measure.rounds import process
from membench.measure.rounds.interrupt import Interrupt, Interrupted, signal_name
from membench.measure.rounds.process import Worker, WorkerLost
from membench.measure.rounds.protocol import RoundRequest

MACHINE = snapshot()


class Late(Interrupt):
    """A stop signal of the parent that becomes visible only after the worker has died."""

    worker = 0

    def check(self) -> None:
        if self.worker and not Path(f"/proc/{self.worker}").exists():
            self.signum = signal.SIGTERM
        super().check()


def ask_one_that_is_killed(worker: Worker) -> None:
    """Kill a stopped worker, so that it cannot answer before its death."""
    plan = make_plan(RunOptions(select=("ddr/read",)), registry(), MACHINE)
    worker.ready()
    os.kill(worker.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (worker.pid, signal.SIGKILL))
    killer.start()
    try:
        worker.ask(RoundRequest(1, plan.cases[0]), timeout=30)
    finally:
        killer.join()
        worker.kill()


def test_a_signal_to_the_whole_group_interrupts_although_the_worker_died_first(fd: int) -> None:
    interrupt = Late(fd)
    worker = Worker(MACHINE, None, interrupt)
    interrupt.worker = worker.pid
    with pytest.raises(Interrupted, match="SIGTERM"):
        ask_one_that_is_killed(worker)


def test_a_worker_that_dies_alone_is_lost(fd: int) -> None:
    with pytest.raises(WorkerLost, match="was killed by SIGKILL"):
        ask_one_that_is_killed(Worker(MACHINE, None, Interrupt(fd)))


def test_a_large_machine_does_not_wait_forever_for_a_worker_that_does_not_start(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The description of the machine exceeds the default size of a pipe."""
    monkeypatch.setattr(process, "START_SECONDS", 0.5)
    worker = Worker(replace(MACHINE, former=("x" * 500_000,)), None, Interrupt(fd))
    os.kill(worker.pid, signal.SIGSTOP)
    watchdog = threading.Timer(20, worker.kill)  # the write would end with an error
    watchdog.start()
    begin = time.monotonic()
    with pytest.raises(WorkerError, match=r"no answer within 0\.5 s"):
        worker.ready()
    watchdog.cancel()
    assert time.monotonic() - begin < 20
    assert not Path(f"/proc/{worker.pid}").exists()


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGRTMIN + 6, "signal 40")]
)
def test_a_signal_without_a_name_is_a_number(number: int, name: str) -> None:
    assert signal_name(number) == name


@pytest.mark.parametrize("signalled", [False, True])
def test_a_worker_that_does_not_end_is_killed_in_time_or_at_a_signal(
    signalled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "QUIT_SECONDS", 20.0 if signalled else 1.0)
    reader, writer = os.pipe()
    worker = Worker(MACHINE, None, Interrupt(reader))
    try:
        worker.ready()
        os.kill(worker.pid, signal.SIGSTOP)
        if signalled:
            os.write(writer, b"\x02")
        begin = time.monotonic()
        worker.quit()
        assert time.monotonic() - begin < (10 if signalled else 1.9)
        assert not Path(f"/proc/{worker.pid}").exists()
    finally:
        worker.kill()
        os.close(reader)
        os.close(writer)
