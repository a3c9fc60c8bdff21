"""Measures the rounds of two runs in turn, so that changes of the machine affect both runs equally.

Precedent: Bulej and others, "Duet benchmarking", arXiv 2001.05811. They run the two sides at the
same time. In membench, the two sides would then share the bandwidth that they measure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

from membench.core.errors import MembenchError, OutputError, WorkerError
from membench.core.terms import Status
from membench.measure.events import Observer, Place
from membench.measure.kernel_cache import kernel_cache
from membench.measure.paired.preparing import Half
from membench.measure.paired.setup import SetupFailed, set_up
from membench.measure.rounds.environment import EnvironmentMonitor
from membench.measure.rounds.interrupt import Interrupt, Interrupted
from membench.measure.rounds.runner import Rounds, Setting
from membench.measure.run import End
from membench.measure.scratch_layout import ScratchLayout, laid_out, scratch_size
from membench.results.case_result import CaseResult
from membench.results.journal.reading import Contents
from membench.results.journal.writing import Journal
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row


def sides_in_turn(round_: int) -> tuple[int, int]:
    """The order of the sides (0 = A, 1 = B) in round ``round_``: A B, B A, A B, and so on.

    So over two rounds, a steady drift affects both sides equally.
    """
    return (0, 1) if round_ % 2 else (1, 0)


@dataclass(frozen=True)
class OneSide:
    """Passes the events of one side to ``observer``, and adds the name of the side.

    The events `started` and `round_ended` are not passed.
    """

    observer: Observer
    side: str

    def warned(self, message: str, hint: str) -> None:
        self.observer.warned(message, hint)

    def noted(self, message: str) -> None:
        self.observer.noted(message)

    def started(self, plan: Plan, done: int) -> None:
        pass

    def case_started(self, case: PlannedCase, place: Place) -> None:
        self.observer.case_started(case, replace(place, side=self.side))

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        self.observer.case_ended(unit, replace(place, side=self.side), seconds)

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        pass


def measure_in_turns(
    halves: Sequence[Half],
    journals: Sequence[Journal],
    done: Sequence[Contents],
    observer: Observer,
    interrupt: Interrupt,
    *,
    verbose: bool,
) -> list[End]:
    """Measure both sides, and write their journals. Returns the `End` of side A and of side B."""
    plans = [half.prepared.plan for half in halves]
    both = replace(plans[0], rounds=2 * plans[0].rounds)
    observer.started(both, sum(len(one.units) for one in done))
    turns = _Turns(interrupt)
    signum = 0
    trouble: MembenchError | None = None
    try:
        with ExitStack() as opened:
            cache = opened.enter_context(kernel_cache(halves[0].prepared.csv.parent, observer))
            layouts = _laid_out(opened, plans, done, observer)
            interrupt.check()
            for place, half in enumerate(halves):
                one = half.prepared
                watch = OneSide(observer, half.pairing.side.upper())
                monitor = opened.enter_context(closing(EnvironmentMonitor(one.machine, watch)))
                setting = Setting(
                    *(one.plan, one.machine, layouts[place], monitor, interrupt),
                    environment={**cache, **half.variables},
                    verbose=verbose,
                    python=half.python,
                )
                rounds = Rounds(setting, journals[place], done[place], watch)
                turns.sides.append(_Turn(half, rounds, layouts[place].seconds))
            turns.measure(plans[0].rounds)
    except Interrupted as interrupted:
        signum = interrupted.signum
    except (OutputError, WorkerError, SetupFailed) as error:
        trouble = error
    for journal in journals:
        try:
            journal.keep()
        except OutputError as error:
            trouble = trouble or error
    spent = [(one.seconds, one.layout) for one in turns.sides] or [(0.0, 0.0)] * len(halves)
    return [End(seconds, layout, signum, trouble) for seconds, layout in spent]


@dataclass
class _Turn:
    """The state of one side.

    Attributes:
        layout: seconds for writing the scratch file.
        seconds: seconds that the side has taken so far, including ``layout``.
    """

    half: Half
    rounds: Rounds
    layout: float
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = self.layout


@dataclass
class _Turns:
    interrupt: Interrupt
    sides: list[_Turn] = field(default_factory=list)

    def measure(self, pairs: int) -> None:
        for one in self.sides:
            if one.rounds.untuned():
                with self._turn(one):
                    one.rounds.tune()
        for round_ in range(1, pairs + 1):
            for side in sides_in_turn(round_):
                one = self.sides[side]
                if one.rounds.todo(round_):
                    with self._turn(one):
                        one.rounds.measure(round_)

    @contextmanager
    def _turn(self, one: _Turn) -> Iterator[None]:
        """Run the set-up command, then the block; add the seconds of both to ``one.seconds``."""
        begin = time.monotonic()
        try:
            set_up(one.half.pairing, one.half.prepared.plan.timeout, self.interrupt)
            yield
        finally:
            one.seconds += time.monotonic() - begin


def _laid_out(
    opened: ExitStack, plans: Sequence[Plan], done: Sequence[Contents], observer: Observer
) -> list[ScratchLayout]:
    """Create the scratch files. If both sides have the same directory, they share one file."""
    sizes = [scratch_size(plan, one.units) for plan, one in zip(plans, done, strict=True)]
    if len({plan.scratch for plan in plans}) > 1:
        return [
            opened.enter_context(laid_out(plan, size, observer))
            for plan, size in zip(plans, sizes, strict=True)
        ]
    # Each case reserves its writes for all rounds at once, so a shared file needs all rounds.
    shared = replace(plans[0], rounds=2 * plans[0].rounds)
    layout = opened.enter_context(laid_out(shared, max(sizes), observer))
    return [layout, replace(layout, seconds=0.0)]


def paired_units(own: Contents, other: Contents) -> tuple[CaseResult, ...]:
    """The case results in ``own`` that a resumed paired run keeps.

    The two results of a pair must be measured one directly after the other. So membench keeps a
    result only in these cases:

    - The other side has a result of the same case and round.
    - The result is failed or skipped.
    - The case failed or was skipped on the other side.
    """
    there = {(unit.round, unit.case) for unit in other.units}
    settled = {unit.case for unit in other.units if unit.status is not Status.OK}
    settled |= {case.id for case in other.plan.cases if case.skipped}
    return tuple(
        unit
        for unit in own.units
        if (unit.round, unit.case) in there or unit.case in settled or unit.status is not Status.OK
    )
