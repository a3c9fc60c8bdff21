"""Each round has a fresh worker, which starts while the worker of the round before ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from membench.benches import registry
from membench.core.errors import WorkerError
from membench.core.terms import Status
from membench.machine import snapshot
from membench.measure.events import Silent
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan
from membench.measure.rounds import runner
from membench.measure.rounds.environment import EnvironmentMonitor
from membench.measure.rounds.interrupt import Interrupt, Interrupted
from membench.measure.rounds.protocol import Answer, RoundRequest
from membench.measure.rounds.runner import Setting, run_rounds
from membench.measure.scratch_layout import ScratchLayout
from membench.results.case_result import CaseResult
from membench.results.journal.reading import Contents
from membench.results.journal.writing import Journal

MACHINE = snapshot()
ROUNDS = 3


class FakeWorker:
    """A worker that records what happens to it and answers every request."""

    pid = os.getpid()

    def __init__(self, number: int, events: list[str]) -> None:
        self.number, self.events = number, events
        self.alive = True
        events.append(f"launch {number}")

    def _note(self, what: str) -> None:
        self.events.append(f"{what} {self.number}")

    def ready(self) -> None:
        self._note("ready")

    def ask(self, request: RoundRequest, timeout: float) -> Answer:
        self._note("ask")
        return Answer(
            CaseResult(
                round=request.round,
                case=request.case.id,
                status=Status.OK,
                started="2026-01-31T08:04:12Z",
            )
        )

    def quit(self) -> None:
        self._note("quit")
        self.alive = False

    def kill(self) -> None:
        self._note("kill")
        self.alive = False


class DeadWorker(FakeWorker):
    """A worker that is killed before it is ready."""

    def ready(self) -> None:
        self.kill()
        raise WorkerError("a worker cannot be started: the worker was killed by SIGKILL")


class Stopping(Interrupt):
    """A signal that arrives before check number ``after``; never if it is 0."""

    def __init__(self, fd: int, after: int) -> None:
        super().__init__(fd)
        self.after, self.checks = after, 0

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.after:
            raise Interrupted(2)


def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupt: Interrupt,
    kinds: Sequence[type[FakeWorker] | None] = (),
) -> list[FakeWorker]:
    """Run `ROUNDS` rounds. Attempt n to start a worker gives ``kinds[n]``; None is a failure."""
    plan = make_plan(RunOptions(select=("ddr/read",), rounds=ROUNDS), registry(), MACHINE)
    events: list[str] = []
    workers: list[FakeWorker] = []

    further = iter(kinds)

    def launch(_: Setting) -> Any:
        kind = next(further, FakeWorker)
        if kind is None:
            raise WorkerError("a worker cannot be started: Resource temporarily unavailable")
        workers.append(kind(len(workers) + 1, events))
        return workers[-1]

    monkeypatch.setattr(runner, "_launch", launch)
    journal = Journal.create(tmp_path / "run.journal", plan, {})
    with closing(journal), closing(EnvironmentMonitor(MACHINE, Silent())) as monitor:
        setting = Setting(plan, MACHINE, ScratchLayout(None), monitor, interrupt, {})
        run_rounds(setting, journal, Contents(plan, {}), Silent())
    return workers


def test_the_next_worker_starts_before_the_last_one_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fd: int
) -> None:
    workers = run(tmp_path, monkeypatch, Stopping(fd, 0))
    events = [event for event in workers[0].events if not event.startswith("ask")]
    assert events == [
        "launch 1",
        "ready 1",
        "launch 2",
        "quit 1",
        "ready 2",
        "launch 3",
        "quit 2",
        "ready 3",
        "quit 3",
    ]
    asked = [event for event in workers[0].events if event.startswith("ask")]
    assert asked == [f"ask {worker.number}" for worker in workers for _ in asked[::ROUNDS]]


@pytest.mark.parametrize("second", [DeadWorker, None])
def test_a_worker_that_cannot_start_beside_the_last_one_is_replaced(
    second: type[FakeWorker] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fd: int
) -> None:
    workers = run(tmp_path, monkeypatch, Stopping(fd, 0), [FakeWorker, second])
    events = list(dict.fromkeys(workers[0].events))
    dead = [worker.number for worker in workers if isinstance(worker, DeadWorker)]
    assert [event for event in events if event.startswith("ask")] == [
        f"ask {worker.number}" for worker in workers if worker.number not in dead
    ]
    assert len(workers) == ROUNDS + len(dead)
    assert events.index("quit 1") < events.index(f"launch {2 + len(dead)}")
    assert not any(worker.alive for worker in workers)


def test_a_run_ends_if_no_worker_can_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fd: int
) -> None:
    for kinds in ([None], [DeadWorker], [FakeWorker, DeadWorker, DeadWorker]):
        path = tmp_path / str(len(kinds)) / str(kinds[0])
        path.mkdir(parents=True)
        with pytest.raises(WorkerError):
            run(path, monkeypatch, Stopping(fd, 0), kinds)


@pytest.mark.parametrize("after", range(1, 7))
def test_an_interrupted_run_leaves_no_worker(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fd: int
) -> None:
    seen: list[FakeWorker] = []
    real = FakeWorker.__init__

    def noted(self: FakeWorker, *arguments: Any) -> None:
        real(self, *arguments)
        seen.append(self)

    monkeypatch.setattr(FakeWorker, "__init__", noted)
    with pytest.raises(Interrupted):
        run(tmp_path, monkeypatch, Stopping(fd, after))
    assert seen
    assert not any(worker.alive for worker in seen)
