"""The events of a run. membench sends events only between cases, never while a case is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from membench.results.case_result import CaseResult
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row


@dataclass(frozen=True)
class Place:
    """The position of a case in the run.

    Attributes:
        round: number of the round, from 1 on.
        number: position of the case in its round, from 1 on.
        of: number of cases in the round.
        side: A or B in a paired run; empty in an ordinary run.
    """

    round: int
    rounds: int
    number: int
    of: int
    side: str = ""


class Observer(Protocol):
    """Receives the events of a run."""

    def warned(self, message: str, hint: str) -> None:
        """The run continues in spite of a problem. ``hint`` is advice for the user."""
        ...

    def noted(self, message: str) -> None:
        """A long step begins, or a step has measured a value."""
        ...

    def started(self, plan: Plan, done: int) -> None:
        """The run begins. ``done`` is the number of results from before a resumption."""
        ...

    def case_started(self, case: PlannedCase, place: Place) -> None: ...

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """The journal now contains ``unit``, whose measurement took ``seconds`` of wall time."""
        ...

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """The round is complete. ``rows()`` computes the rows of all results so far."""
        ...


class Silent:
    """An observer that ignores all events."""

    def warned(self, message: str, hint: str) -> None:
        pass

    def noted(self, message: str) -> None:
        pass

    def started(self, plan: Plan, done: int) -> None:
        pass

    def case_started(self, case: PlannedCase, place: Place) -> None:
        pass

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        pass

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        pass
