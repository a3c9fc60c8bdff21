"""The quality of a run's data: a grade, and the counts from which it is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from membench.core.terms import FLAGS, Status
from membench.results.schema import Row

GOOD, FAIR = 0.1, 0.5
"""Shares of noisy rows up to which the data of a run is graded good, and up to which fair."""

NOISY = "noisy"


class Grade(Enum):
    """Grade of a run's data, by the share of noisy rows."""

    NONE = auto()
    """No row has a value."""
    CITED = auto()
    """All rows are published figures."""
    UNKNOWN = auto()
    """A single round does not show noise."""
    GOOD = auto()
    FAIR = auto()
    POOR = auto()


@dataclass(frozen=True)
class Quality:
    """The quality of a run's data.

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
        """The flags that all rows have; empty for a single row."""
        return tuple(code for code, count in self.flags.items() if count == self.rows > 1)


def quality(rows: Sequence[Row]) -> Quality:
    """The quality of the data in the ``rows`` of one run."""
    ok = [row for row in rows if row.status is Status.OK]
    counts = Counter(flag for row in ok for flag in row.flags)
    cases = Counter({row.case: row.status for row in rows}.values())
    return Quality(
        _grade(ok, counts[NOISY]),
        len(ok),
        cases,
        {code: counts[code] for code in FLAGS if counts[code]},
    )


def _grade(ok: Sequence[Row], noisy: int) -> Grade:
    if not ok:
        return Grade.NONE
    if all(row.cited for row in ok):
        return Grade.CITED
    # Cases that are measured once per run always have a single round; they have their own flag.
    if max(row.rounds for row in ok) < 2:
        return Grade.UNKNOWN
    share = noisy / len(ok)
    if share <= GOOD:
        return Grade.GOOD
    return Grade.FAIR if share <= FAIR else Grade.POOR
