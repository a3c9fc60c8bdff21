"""What a run tells whoever watches it.  Called between cases only, never while one is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from membench.results.case_result import CaseResult
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row


@dataclass(frozen=True)
class Place:
    """Where in the run a unit stands; all count from 1.

    ``side`` of a paired run: A or B.
    """

    round: int
    rounds: int
    number: int
    of: int
    side: str = ""


class Observer(Protocol):
    """Somebody who watches a run: a progress bar, a log, a test."""

    def warned(self, message: str, hint: str) -> None:
        """Something is not as it should be, and the run goes on."""
        ...

    def noted(self, message: str) -> None:
        """Something takes its time, and this is what."""
        ...

    def started(self, plan: Plan, done: int) -> None:
        """The run begins; ``done`` units were there already (a resumed run)."""
        ...

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """The next thing that happens is a measurement."""
        ...

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """A unit is in the journal; ``seconds`` is what it took."""
        ...

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """A round is complete; ``rows()`` makes the results so far, for whoever wants them."""
        ...


class Silent:
    """Watches and says nothing."""

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
