"""The events of a run, sent between cases only, never while one is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from membench.results.case_result import CaseResult
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row


@dataclass(frozen=True)
class Place:
    """The position of a case in the run; all numbers count from 1.

    ``side`` is A or B in a paired run.
    """

    round: int
    rounds: int
    number: int
    of: int
    side: str = ""


class Observer(Protocol):
    """Receives the events of a run: a progress bar, a log, a test."""

    def warned(self, message: str, hint: str) -> None:
        """Something is wrong, and the run continues."""
        ...

    def noted(self, message: str) -> None:
        """Something takes time; the message names it."""
        ...

    def started(self, plan: Plan, done: int) -> None:
        """The run begins; ``done`` case results exist already (a resumed run)."""
        ...

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """The next thing that happens is a measurement."""
        ...

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """A case result is in the journal; ``seconds`` is the time that it took."""
        ...

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """A round is complete; ``rows()`` makes the rows of the results so far."""
        ...


class Silent:
    """An observer that ignores all events."""

    def warned(self, message: str, hint: str) -> None:
        """Nothing."""

    def noted(self, message: str) -> None:
        """Nothing."""

    def started(self, plan: Plan, done: int) -> None:
        """Nothing."""

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """Nothing."""

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """Nothing."""

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Nothing."""
