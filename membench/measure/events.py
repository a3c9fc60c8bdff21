"""The events of a run. They are sent only between cases, never while a case is timed."""

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
        """There is a problem, but the run continues."""
        ...

    def noted(self, message: str) -> None:
        """A step that takes time begins; ``message`` names it."""
        ...

    def started(self, plan: Plan, done: int) -> None:
        """The run begins; ``done`` case results already exist (in a resumed run)."""
        ...

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """The measurement of ``case`` begins now."""
        ...

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """A case result is in the journal; the case took ``seconds``."""
        ...

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """A round is complete; ``rows()`` computes the rows of the results so far."""
        ...


class Silent:
    """An observer that ignores all events."""

    def warned(self, message: str, hint: str) -> None:
        """Ignore the event."""

    def noted(self, message: str) -> None:
        """Ignore the event."""

    def started(self, plan: Plan, done: int) -> None:
        """Ignore the event."""

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """Ignore the event."""

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """Ignore the event."""

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Ignore the event."""
