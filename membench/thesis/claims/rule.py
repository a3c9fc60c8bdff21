"""The rule that derives a verdict from the draws of a statistic.

- `supported`: the required share of the draws is at or beyond the supporting threshold.
- `contradicted`: the required share of the draws is at or beyond the contradicting threshold.
- `inconclusive`: otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from membench.core.record import record
from membench.core.terms import ClaimVerdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.intp]


class Direction(StrEnum):
    """Whether high or low values of a statistic support the claim."""

    HIGHER = "higher"
    LOWER = "lower"


@record(kw_only=True)
class VerdictThresholds:
    """The conditions under which a part is supported or contradicted.

    Attributes:
        supports: a draw at or beyond this value (in ``direction``) supports the claim.
        contradicts: a draw at or beyond this value (in the opposite direction) contradicts the
            claim.
        share, contradicting_share: required share (0 to 1) of supporting draws, and of
            contradicting draws.

    Raises:
        ValueError: the thresholds do not fit ``direction``, or the shares are impossible.
    """

    direction: Direction
    supports: float
    contradicts: float
    share: float = 0.95
    contradicting_share: float = 0.95

    def __post_init__(self) -> None:
        gap = self.supports - self.contradicts
        if not (gap > 0 if self.direction is Direction.HIGHER else gap < 0):
            raise ValueError(
                f"supports at {self.supports:g} and contradicts at {self.contradicts:g} "
                f"do not fit the direction '{self.direction}'"
            )
        if not (0 < self.share <= 1 and 0 < self.contradicting_share <= 1):
            raise ValueError("a share of the draws must be above 0 and at most 1")
        if self.share + self.contradicting_share <= 1:
            raise ValueError("the shares sum to 1 or less, so both verdicts could be true at once")


@record
class Judgement:
    """A verdict, with the shares (0 to 1) of supporting and contradicting draws."""

    word: ClaimVerdict
    supporting: float
    contradicting: float


def judge(draws: Floats, thresholds: VerdictThresholds) -> Judgement:
    """The verdict on ``draws`` (any shape, not empty). NaN neither supports nor contradicts."""
    supporting, contradicting = counts(draws.ravel(), thresholds)
    return judged(int(supporting) / draws.size, int(contradicting) / draws.size, thresholds)


def counts(draws: Floats, thresholds: VerdictThresholds) -> tuple[Counts, Counts]:
    """(numbers of supporting draws, numbers of contradicting draws) along the last axis.

    Counts add up without rounding errors, but shares do not.
    """
    import numpy as np

    if thresholds.direction is Direction.HIGHER:
        for_it, against = draws >= thresholds.supports, draws <= thresholds.contradicts
    else:
        for_it, against = draws <= thresholds.supports, draws >= thresholds.contradicts
    return np.count_nonzero(for_it, axis=-1), np.count_nonzero(against, axis=-1)


def judged(supporting: float, contradicting: float, thresholds: VerdictThresholds) -> Judgement:
    word = word_for(supporting, contradicting, thresholds)
    return Judgement(word, supporting, contradicting)


def word_for(
    supporting: float, contradicting: float, thresholds: VerdictThresholds
) -> ClaimVerdict:
    if supporting >= thresholds.share:
        return ClaimVerdict.SUPPORTED
    if contradicting >= thresholds.contradicting_share:
        return ClaimVerdict.CONTRADICTED
    return ClaimVerdict.INCONCLUSIVE


def combine(words: Iterable[ClaimVerdict]) -> ClaimVerdict:
    """The verdict on a claim, from the verdicts ``words`` on its parts.

    - `contradicted`: a part is contradicted
    - `supported`: there are testable parts, and all of them are supported
    - `not testable`: no part is testable
    - `inconclusive`: otherwise
    """
    tested = {word for word in words if word is not ClaimVerdict.NOT_TESTABLE}
    if not tested:
        return ClaimVerdict.NOT_TESTABLE
    if ClaimVerdict.CONTRADICTED in tested:
        return ClaimVerdict.CONTRADICTED
    if tested == {ClaimVerdict.SUPPORTED}:
        return ClaimVerdict.SUPPORTED
    return ClaimVerdict.INCONCLUSIVE
