"""A line of a comparison: one case, metric and statistic on all sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from membench.analysis.differences import Differences
from membench.analysis.figure import CaseRuns
from membench.analysis.figures import Figures
from membench.analysis.finding import Difference
from membench.analysis.verdict import Verdict
from membench.core.terms import Metric, Stat, Status
from membench.results.compact.row import Measurement

Key = tuple[str, Metric, Stat]


class Lost(NamedTuple):
    """The reasons of the failed and skipped rows of one side, each once."""

    failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()


NOTHING_LOST = Lost()


@dataclass(frozen=True, slots=True)
class ComparisonCell:
    """The cell of one label in a line.

    Attributes:
        figure: its number, or None.
        finding: difference to the reference; None for the reference itself, or if either has no
            number.
        failures, skips: the reasons of its failed and skipped rows; a label with several runs may
            have them as well as a figure.
    """

    figure: CaseRuns | None
    finding: Difference | None = None
    failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, ``failed``, ``skipped``, or ``missing`` if there is no row at all."""
        return _status(self.figure is not None, Lost(self.failures, self.skips))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no number, or no number for some runs."""
        return self.failures + self.skips


@dataclass(frozen=True, slots=True)
class Line:
    """One (case, metric, stat) on all sides.

    Attributes:
        row: the first ok row, otherwise the first row; it gives tier, unit and direction.
        threshold: fraction above which a difference matters.
        figures: one per side, the reference first.
        lost: what sides have lost, by side.
        differences: one per side; None if the reference has no number.
    """

    row: Measurement
    threshold: float
    figures: Figures
    lost: Mapping[int, Lost]
    differences: Differences | None = None

    @property
    def key(self) -> Key:
        return self.row.case, self.row.metric, self.row.stat

    @property
    def matched(self) -> bool:
        """Whether the reference and another side have a number."""
        return self.differences is not None and len(self.figures.places) > 1

    @property
    def entries(self) -> tuple[ComparisonCell, ...]:
        """One per side, the reference first; made anew each time."""
        sides = len(self.figures.rows)
        return tuple(
            ComparisonCell(figure, finding, *self.lost.get(side, NOTHING_LOST))
            for side, figure, finding in zip(
                range(sides), self.figures, self.differences or (None,) * sides, strict=True
            )
        )

    @property
    def statuses(self) -> list[str]:
        """`ComparisonCell.status` of each side."""
        return [
            _status(bool(rows), self.lost.get(side, NOTHING_LOST))
            for side, rows in enumerate(self.figures.rows)
        ]

    @property
    def verdicts(self) -> Sequence[Verdict | None]:
        """The verdict of each side; none if the line is not matched."""
        if self.differences is None:
            return ()
        return self.differences.by_outcome(attrgetter("verdict"))

    @property
    def ratios(self) -> Sequence[float | None]:
        """The ratio of each side; none if the line is not matched."""
        return () if self.differences is None else self.differences.ratios

    @property
    def bests(self) -> Sequence[float | None]:
        """The ratio of the best samples of each side; none if the line is not matched."""
        return () if self.differences is None else self.differences.bests

    @property
    def settles(self) -> Sequence[str | None]:
        """The remedy of each difference; none if the line is not matched."""
        if self.differences is None:
            return ()
        return self.differences.by_outcome(attrgetter("settle"))

    @property
    def in_turns(self) -> bool:
        """Whether all sides were measured in turns with the reference."""
        return self.differences is not None and self.differences.in_turns

    @property
    def remarkable(self) -> Mapping[int, Difference]:
        """The differences that are not ordinary, and may have a remark, by side."""
        return {} if self.differences is None else self.differences.remarkable

    @property
    def findings(self) -> tuple[Difference, ...]:
        """The differences of all labels that could be compared with the reference."""
        return tuple(one for one in self.differences or () if one is not None)


def _status(measured: bool, lost: Lost) -> str:
    if measured:
        return str(Status.OK)
    if lost.failures:
        return str(Status.FAILED)
    return str(Status.SKIPPED) if lost.skips else "missing"
