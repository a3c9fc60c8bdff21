"""Progress of a run: a bar on a terminal, or plain lines on a pipe.

Progress is drawn only between cases, because a bar that refreshes itself would take CPU time from
the timed case. If standard output is closed or full, drawing stops and the run continues.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from membench.core.terms import Stat, Status
from membench.core.text import counted
from membench.core.units import format_seconds, format_value
from membench.measure.events import Place
from membench.report.screens.console import console, is_terminal, say, screen, warn
from membench.results.case_result import CaseResult
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row


class Watcher:
    """Base class: prints warnings and handles errors of ``stream`` (standard output by default).

    Attributes:
        lost: the first error when printing; None without an error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.console = console(stream)
        self.lost: OSError | None = None
        self._rounds = 0

    def warned(self, message: str, hint: str) -> None:
        warn(message, hint)

    def noted(self, message: str) -> None:
        self.draw(lambda: say(self.console, message))

    def started(self, plan: Plan, done: int) -> None:
        """Print a line about the plan; ``done`` results exist already."""
        self._rounds = plan.rounds
        cases = [case for case in plan.cases if not case.skipped]
        units = sum(map(plan.rounds_of, cases))
        resumed = f", {done} of {units} measurements done" if done else ""
        self.draw(
            lambda: say(
                self.console,
                f"{plan.machine}: {plan.profile} profile, {counted(len(cases), 'case')}, "
                f"{counted(plan.rounds, 'round')}{resumed}",
            )
        )

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """Do nothing; subclasses show progress."""

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """Do nothing; subclasses show progress."""

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Show the provisional table after round 1 of several rounds."""
        if round_ != 1 or self._rounds == 1:
            return
        self.draw(lambda: self.show_provisional(_provisional(rows())))

    def show_provisional(self, table: RenderableType) -> None:
        """Do nothing; subclasses show the table."""

    def close(self) -> None:
        """Do nothing; subclasses restore the screen."""

    def draw(self, show: Callable[[], None]) -> None:
        """Call ``show``, which prints.

        If printing fails, `lost` becomes the error, and later calls do nothing.
        """
        if self.lost is not None:
            return
        try:
            show()
            sys.stdout.flush()
        except OSError as error:
            self.lost = error


class ProgressLines(Watcher):
    """Prints a line per case: ``[round 2/5 12/42] ddr/copy/size=1GiB 38.1 GB/s 0.9 s``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._lines = screen(stream)  # prints simple text without Rich
        self._provisional: RenderableType | None = None

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        where = f"[round {place.round}/{place.rounds}{_side(place)} {place.number}/{place.of}]"
        line = f"{where} {unit.case} {outcome(unit)} {format_seconds(seconds)}"
        if (table := self._provisional) is not None:
            self._provisional = None
            self.draw(lambda: self.console.print(table))
        self.draw(lambda: self._lines.print(line))

    def show_provisional(self, table: RenderableType) -> None:
        """Keep the table until the next case ends.

        If no other case ends, the table is not printed, because the final table follows.
        """
        self._provisional = table


class _LastValue(Progress):
    """A progress bar, with the current case, the last value and a provisional table below it."""

    now = ""
    last = ""
    table: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for name, text in (("now", self.now), ("last", self.last)):
            if text:
                yield Text(f"{name:>4}  {text}", no_wrap=True, overflow="crop")
        if self.table is not None:
            yield self.table


class ProgressBar(Watcher):
    """A bar that advances by the estimated seconds of each case."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = _LastValue(
            TextColumn("round {task.fields[place]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True),
            console=self.console,
            auto_refresh=False,
            transient=True,
        )
        self._task: TaskID | None = None
        self._seconds = 0.0

    def started(self, plan: Plan, done: int) -> None:
        super().started(plan, done)
        seconds = sum(
            case.seconds * plan.rounds_of(case) for case in plan.cases if not case.skipped
        )
        self._task = self._progress.add_task("", total=seconds, place=f"1/{plan.rounds}")
        self.draw(self._progress.start)

    def case_started(self, case: PlannedCase, place: Place) -> None:
        """Show the case; the last value stays visible."""
        self._seconds = case.seconds
        self._progress.now = case.id
        number = f"{place.number:>{len(str(place.of))}}"
        self._update(0.0, place=f"{place.round}/{place.rounds}{_side(place)} {number}/{place.of}")

    def case_ended(self, unit: CaseResult, place: Place, seconds: float) -> None:
        """Advance the bar, and print a line if the case has no value."""
        self._progress.last = f"{_brief(unit)}  {unit.case}"
        self._update(self._seconds)
        if unit.status is not Status.OK:
            self.draw(lambda: self.console.print(Text(f"{unit.case} {outcome(unit)}")))

    def show_provisional(self, table: RenderableType) -> None:
        """Show the table below the bar until the bar is removed."""
        self._progress.table = table
        self._progress.refresh()

    def close(self) -> None:
        self.draw(self._progress.stop)

    def _update(self, advance: float, **fields: str) -> None:
        if self._task is not None:
            task = self._task
            self.draw(
                lambda: self._progress.update(task, advance=advance, refresh=True, **fields)  # type: ignore[arg-type]
            )


def _side(place: Place) -> str:
    return f" {place.side}" if place.side else ""


def _provisional(rows: Sequence[Row]) -> RenderableType:
    # Imported late, because these modules import numpy, which would delay the start.
    from membench.report.screens.judged import judged_ladder
    from membench.report.screens.tier_table import tier_table

    head = Text("provisional, after 1 round", "bold")
    return Padding(Group(head, tier_table(judged_ladder(rows, None))), (1, 0))


def watcher() -> Watcher:
    """A progress bar if standard output is a terminal, otherwise progress lines."""
    return ProgressBar() if is_terminal() else ProgressLines()


def _brief(unit: CaseResult) -> str:
    """The results without tail percentiles, or the reason why there is no result."""
    if unit.status is not Status.OK:
        return outcome(unit)
    middle = [one for one in unit.readings if one.stat in (Stat.MEDIAN, Stat.P50)]
    return " ".join(format_value(one.metric, one.value) for one in middle or unit.readings)


def outcome(unit: CaseResult) -> str:
    """The results of a case, or the reason why there is no result."""
    if unit.status is not Status.OK:
        return f"{unit.status.upper()}: {unit.reason}"
    return " ".join(format_value(one.metric, one.value) for one in unit.readings)
