"""The quality of a run's results: a grade, and the counts from which the grade is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from membench.core.record import record
from membench.core.terms import FLAGS, Status
from membench.results.schema import Row

GOOD, FAIR = 0.1, 0.5
"""Largest share of noisy rows for the grade good, and for the grade fair.

Only rows with several rounds count, because a row with one round is never noisy.
"""

NOISY = "noisy"


class Grade(Enum):
    NONE = auto()
    """No row has a value."""
    CITED = auto()
    """All rows are published figures."""
    UNKNOWN = auto()
    """Most rows have a single round, which does not show the noise between rounds."""
    GOOD = auto()
    FAIR = auto()
    POOR = auto()


@record
class Quality:
    """The quality of a run's results.

    Attributes:
        rows: number of rows with a value.
        cases: status -> number of cases.
        flags: code -> number of rows with this flag, in the order of `FLAGS`.
    """

    grade: Grade
    rows: int
    cases: Mapping[Status, int]
    flags: Mapping[str, int]

    @property
    def of_all(self) -> tuple[str, ...]:
        """The flags that all rows have; empty if there is only one row."""
        return tuple(code for code, count in self.flags.items() if count == self.rows > 1)


def quality(rows: Sequence[Row]) -> Quality:
    ok = [row for row in rows if row.status is Status.OK]
    counts = Counter(flag for row in ok for flag in row.flags)
    cases = Counter({row.case: row.status for row in rows}.values())
    return Quality(
        _grade(ok),
        len(ok),
        cases,
        {code: counts[code] for code in FLAGS if counts[code]},
    )


def _grade(ok: Sequence[Row]) -> Grade:
    if not ok:
        return Grade.NONE
    if all(row.cited for row in ok):
        return Grade.CITED
    several = [row for row in ok if row.rounds > 1]
    if 2 * len(several) < len(ok):
        return Grade.UNKNOWN
    share = sum(NOISY in row.flags for row in several) / len(several)
    if share <= GOOD:
        return Grade.GOOD
    return Grade.FAIR if share <= FAIR else Grade.POOR
