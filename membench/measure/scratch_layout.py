"""Creates the scratch file of a run before the first round, if a case needs the file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from membench.core.errors import BackendUnavailable, MembenchError
from membench.core.terms import Status
from membench.core.units import about_size
from membench.host.storage.file_size import cut
from membench.host.storage.scratch import ScratchFile, ScratchHandle
from membench.measure.events import Observer
from membench.results.case_result import CaseResult
from membench.results.plan import Plan

WRITE_FACTOR = 8
"""Maximum bytes that a run writes, as a multiple of its ``--disk-budget``, because SSDs wear."""

_CLOSING = "membench-scratch"  # name of the threads that close scratch files


@dataclass(frozen=True)
class ScratchLayout:
    """The scratch file, or the reason why there is no scratch file.

    Attributes:
        scratch: the handle for workers; None if there is no file.
        problem: why there is no file although a case needs a file; empty otherwise.
        reaches: whether direct I/O reaches a disk. If not, cases that need the file are skipped.
        seconds: seconds for writing the file.
    """

    scratch: ScratchHandle | None = None
    problem: str = ""
    reaches: bool = True
    seconds: float = 0.0


def scratch_size(plan: Plan, done: Sequence[CaseResult]) -> int:
    """Size in bytes of the scratch file that the remaining cases need; 0 if they need no file.

    A case does not remain if it has failed, was skipped, or has results of all its rounds.
    """
    settled = {unit.case for unit in done if unit.status is not Status.OK}
    settled |= _complete(plan, done)
    return max(
        (case.disk for case in plan.cases if not case.skipped and case.id not in settled), default=0
    )


@contextmanager
def laid_out(plan: Plan, size: int, observer: Observer) -> Iterator[ScratchLayout]:
    """Create a scratch file of ``size`` bytes, or of fewer bytes if there is too little space.

    At the end of the block, a thread removes the file. With size 0, no file is created. If the file
    cannot be created, the cases that need the file fail or are skipped, and all other cases run.
    """
    if not size:
        yield ScratchLayout()
        return
    for thread in threading.enumerate():
        if thread.name == _CLOSING:  # the file of an earlier run in this process
            thread.join()
    size = _affordable(size, plan)
    observer.noted(f"writing a scratch file of {about_size(size)} in {plan.scratch}")
    begin = time.monotonic()
    try:
        file = ScratchFile.create(
            Path(plan.scratch),
            size,
            budget=WRITE_FACTOR * plan.disk_budget,
            seed=plan.seed,
            rounds=plan.rounds,
        )
    except MembenchError as error:
        observer.warned(str(error), error.hint)
        yield ScratchLayout(problem=str(error), reaches=not isinstance(error, BackendUnavailable))
        return
    try:
        yield ScratchLayout(file.scratch, seconds=time.monotonic() - begin)
    finally:  # freeing a gigabyte takes 0.1 s, in which the run can publish its results
        try:
            threading.Thread(target=file.close, name=_CLOSING).start()
        except RuntimeError:  # the system allows no further thread
            file.close()


def _affordable(size: int, plan: Plan) -> int:
    """``size``, or fewer bytes if the journal has used some of the free space.

    If no file fits, the result is ``size``, and creating the file reports the reason.
    """
    try:
        status = os.statvfs(plan.scratch)
    except OSError:  # the later creation of the file reports the reason
        return size
    return cut(size, plan.disk_budget, status.f_bavail * status.f_frsize) or size


def _complete(plan: Plan, done: Sequence[CaseResult]) -> set[str]:
    rounds: dict[str, set[int]] = {}
    for unit in done:
        rounds.setdefault(unit.case, set()).add(unit.round)
    return {case.id for case in plan.cases if len(rounds.get(case.id, ())) >= plan.rounds_of(case)}
