"""Measures the rounds of a plan one after the other, each in a fresh worker process.

The parent writes each result to the journal before the next case starts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from membench.core.errors import WorkerError
from membench.core.snapshot import Machine
from membench.core.terms import Status
from membench.core.text import counted
from membench.measure.events import Observer, Place
from membench.measure.flags import results
from membench.measure.order import order
from membench.measure.rounds.earlier import earlier_rounds, sampling_share
from membench.measure.rounds.environment import EnvironmentMonitor
from membench.measure.rounds.interrupt import Interrupt
from membench.measure.rounds.process import Worker, WorkerLost
from membench.measure.rounds.protocol import RoundRequest
from membench.measure.scratch_layout import ScratchLayout
from membench.results.case_result import CaseResult
from membench.results.journal.reading import Contents
from membench.results.journal.writing import Journal
from membench.results.plan import Plan, PlannedCase


@dataclass(frozen=True)
class Setting:
    """The values that are the same in all rounds of a run.

    Attributes:
        environment: additional environment variables for the workers.
        python: the interpreter of the workers; empty for this interpreter.
    """

    plan: Plan
    machine: Machine
    layout: ScratchLayout
    monitor: EnvironmentMonitor
    interrupt: Interrupt
    environment: Mapping[str, str]
    verbose: bool = False
    python: str = ""


def run_rounds(
    setting: Setting, journal: Journal, done: Contents, observer: Observer
) -> tuple[CaseResult, ...]:
    """Measure the cases and rounds that have no result in ``done``. Returns all case results.

    Raises:
        Interrupted: a signal arrived. The journal has the results so far.
        OutputError: the journal can no longer be written.
        WorkerError: workers cannot be started.
    """
    rounds = Rounds(setting, journal, done, observer)
    observer.started(setting.plan, len(done.units))
    rounds.tune()
    try:
        for round_ in range(1, setting.plan.rounds + 1):
            rounds.measure(round_, then=round_ + 1 if round_ < setting.plan.rounds else None)
    finally:
        rounds.close()
    return tuple(rounds.units)


class Rounds:
    """The rounds of one plan. Each call of `measure` measures a round and writes the journal.

    A case that failed or was skipped is not run again, because a hanging case would again take its
    full timeout.

    Attributes:
        units: all case results, including results from before an interruption.
    """

    def __init__(
        self, setting: Setting, journal: Journal, done: Contents, observer: Observer
    ) -> None:
        self._setting = setting
        self._journal = journal
        self._observer = observer
        self.units: list[CaseResult] = []
        self._configs: dict[str, Any] = {
            note.data["case"]: note.data["config"] for note in done.notes if note.kind == "tuned"
        }
        self._by_case: defaultdict[str, list[CaseResult]] = defaultdict(list)
        self._measured: set[tuple[int, str]] = set()
        self._settled: set[str] = set()
        self._batches: dict[str, int] = {}
        self._next: Worker | None = None
        for unit in done.units:
            self._add(unit)

    def untuned(self) -> list[PlannedCase]:
        """The tuned cases that still need a configuration."""
        return [
            case
            for case in self._setting.plan.cases
            if case.tuned
            and not case.skipped
            and case.id not in self._configs
            and case.id not in self._settled
        ]

    def tune(self) -> None:
        """Choose the configurations of tuned cases, in a separate worker."""
        untuned = self.untuned()
        if not untuned:
            return
        self._observer.noted(f"tuning {counted(len(untuned), 'case')}: trying configurations")
        with _Round(self._setting, 1) as worker:
            for case in untuned:
                unit = worker.run(RoundRequest(1, case, tune=True))
                if unit.status is Status.OK:
                    self._configs[case.id] = unit.detail
                    self._journal.note("tuned", {"case": case.id, "config": unit.detail})
                else:
                    self._keep(unit)
                self._setting.interrupt.check()

    def todo(self, round_: int) -> list[PlannedCase]:
        return [
            case
            for case in order(self._setting.plan, round_)
            if (round_, case.id) not in self._measured and case.id not in self._settled
        ]

    def measure(self, round_: int, then: int | None = None) -> None:
        """Measure the missing cases of ``round_`` in a fresh worker.

        Args:
            then: the round that follows at once; None if no round follows. Its worker starts while
                this round's worker ends and frees its memory.
        """
        setting, observer, journal = self._setting, self._observer, self._journal
        todo = self.todo(round_)
        if not todo:
            return
        cases = [case.id for case in order(setting.plan, round_)]
        journal.note("round", {"round": round_, "order": [case.id for case in todo]})
        ahead, self._next = self._next, None
        with _Round(setting, round_, ahead) as worker:
            for case in todo:
                place = Place(round_, setting.plan.rounds, cases.index(case.id) + 1, len(cases))
                observer.case_started(case, place)
                begin = time.monotonic()
                earlier = earlier_rounds(self._by_case[case.id])
                request = RoundRequest(
                    round_,
                    case,
                    iters=self._batches.get(case.id),
                    config=self._configs.get(case.id, {}),
                    earlier=earlier,
                    share=sampling_share(earlier, setting.plan.rounds_of(case)),
                )
                unit = worker.run(request)
                self._keep(unit)
                observer.case_ended(unit, place, time.monotonic() - begin)
                setting.interrupt.check()
            if then is not None and self.todo(then):
                with suppress(WorkerError):  # the next round tries again, after this worker's end
                    self._next = _launch(setting)
        if cpu := setting.monitor.cpu_time():
            journal.note("cpu", {"round": round_, **cpu})
        if gpus := setting.monitor.states():
            journal.note("gpu", {"round": round_, "states": gpus})
        observer.round_ended(round_, lambda: results(setting.plan, self.units, setting.machine))

    def close(self) -> None:
        """If a worker was started for a round that will not be measured, kill the worker."""
        if self._next is not None:
            self._next.kill()

    def _keep(self, unit: CaseResult) -> None:
        self._journal.append(unit)
        self._add(unit)

    def _add(self, unit: CaseResult) -> None:
        self.units.append(unit)
        self._by_case[unit.case].append(unit)
        self._measured.add((unit.round, unit.case))
        if unit.status is not Status.OK:
            self._settled.add(unit.case)
        if unit.iters is not None:
            self._batches.setdefault(unit.case, unit.iters)


class _Round:
    """A context manager that holds the worker of one round, and replaces a worker that is lost."""

    def __init__(self, setting: Setting, round_: int, worker: Worker | None = None) -> None:
        self._setting = setting
        self._round = round_
        self._worker = worker

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._worker is not None:
            if kind is None:
                self._worker.quit()
            else:
                self._worker.kill()

    def run(self, request: RoundRequest) -> CaseResult:
        """The case result of ``request``; a failed result if the worker is lost.

        If the case needs a scratch file but there is none, the result is failed or skipped.
        """
        case, setting = request.case, self._setting
        started = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if case.disk and setting.layout.problem:
            why = setting.layout.problem
            return self._failed(case, started, why, skip=not setting.layout.reaches)
        worker = self._worker or self._start()
        before = setting.monitor.before(case, worker.pid)
        try:
            answer = worker.ask(request, setting.plan.timeout)
        except WorkerLost as lost:
            self._replace()
            return self._failed(case, started, str(lost))
        unit = answer.unit
        if not request.tune:  # the `detail` is only a configuration here
            unit = setting.monitor.after(before, case, worker.pid, unit)
        if answer.spent:
            self._replace()
        return unit

    def _replace(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _failed(
        self, case: PlannedCase, started: str, reason: str, *, skip: bool = False
    ) -> CaseResult:
        status = Status.SKIPPED if skip else Status.FAILED
        return CaseResult(
            round=self._round, case=case.id, status=status, started=started, reason=reason
        )

    def _start(self) -> Worker:
        """Wait until the worker is ready, or start a worker if there is none.

        A worker that starts before the previous worker has freed its memory may be killed because
        memory runs out. A new worker then replaces it.
        """
        if self._worker is not None:
            with suppress(WorkerError):
                self._worker.ready()
                return self._worker
        self._worker = _launch(self._setting)
        self._worker.ready()
        return self._worker


def _launch(setting: Setting) -> Worker:
    runnable = {case.bench for case in setting.plan.cases if not case.skipped}
    return Worker(
        *(setting.machine, setting.layout.scratch, setting.interrupt),
        variables=setting.environment,
        python=setting.python,
        benches=tuple(sorted(runnable)),
        hold=setting.plan.hold,
        verbose=setting.verbose,
    )
