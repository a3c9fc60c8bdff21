"""A line of a comparison: the values of all labels for one case, metric and statistic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from membench.analysis.differences import Differences
from membench.analysis.figure import CaseRuns
from membench.analysis.figures import Figures
from membench.analysis.finding import Difference
from membench.analysis.verdict import Verdict
from membench.core.record import record
from membench.core.terms import Metric, Stat, Status
from membench.results.compact.row import Measurement

Key = tuple[str, Metric, Stat]


class Lost(NamedTuple):
    """The distinct reasons why rows of one label failed or were skipped."""

    failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()


NOTHING_LOST = Lost()


@record
class ComparisonCell:
    """The value of one label on a line of a comparison.

    Attributes:
        figure: the values of the label; None if there are none.
        finding: difference from the reference; None for the reference itself, or if a value is
            missing.
        failures, skips: reasons of failed and skipped rows. A label with a value may also have such
            rows.
    """

    figure: CaseRuns | None
    finding: Difference | None = None
    failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, ``failed``, ``skipped``, or ``missing`` if the label has no row for this line."""
        return _status(self.figure is not None, Lost(self.failures, self.skips))

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.failures + self.skips


@record
class Line:
    """The values of all labels for one (case, metric, stat).

    `verdicts`, `ratios`, `bests` and `settles` have one entry per label. The entries of the
    reference, and of labels without a value, are None. If the reference has no value, these lists
    are empty.

    Attributes:
        row: an ok row if there is one; tier, unit and direction are taken from this row.
        threshold: smallest relative difference that matters, a fraction.
        lost: reasons of failed and skipped rows, by index of the label.
        differences: differences from the reference; None if the reference has no value.
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
        """Whether the reference and at least one other label have a value."""
        return self.differences is not None and len(self.figures.places) > 1

    @property
    def entries(self) -> tuple[ComparisonCell, ...]:
        """The cells of all labels, the reference first; created on each access."""
        sides = len(self.figures.rows)
        return tuple(
            ComparisonCell(figure, finding, *self.lost.get(side, NOTHING_LOST))
            for side, figure, finding in zip(
                range(sides), self.figures, self.differences or (None,) * sides, strict=True
            )
        )

    @property
    def statuses(self) -> list[str]:
        """`ComparisonCell.status` of each label."""
        return [
            _status(bool(rows), self.lost.get(side, NOTHING_LOST))
            for side, rows in enumerate(self.figures.rows)
        ]

    @property
    def verdicts(self) -> Sequence[Verdict | None]:
        if self.differences is None:
            return ()
        return self.differences.by_outcome(attrgetter("verdict"))

    @property
    def ratios(self) -> Sequence[float | None]:
        return () if self.differences is None else self.differences.ratios

    @property
    def bests(self) -> Sequence[float | None]:
        """The ratios of the best samples."""
        return () if self.differences is None else self.differences.bests

    @property
    def settles(self) -> Sequence[str | None]:
        """How to get a verdict for each label; "" if there is nothing to do."""
        if self.differences is None:
            return ()
        return self.differences.by_outcome(attrgetter("settle"))

    @property
    def in_turns(self) -> bool:
        return self.differences is not None and self.differences.in_turns

    @property
    def remarkable(self) -> Mapping[int, Difference]:
        return {} if self.differences is None else self.differences.remarkable

    @property
    def findings(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences or () if one is not None)


def _status(measured: bool, lost: Lost) -> str:
    if measured:
        return str(Status.OK)
    if lost.failures:
        return str(Status.FAILED)
    return str(Status.SKIPPED) if lost.skips else "missing"
