"""The one rule by which every claim is decided.

A statistic is drawn many times.  With p draws in a hundred at or beyond the
supporting threshold the part is supported, with as many at or beyond the other one
contradicted, else inconclusive.  Because the thresholds are apart and the two shares
sum to more than one, no draws satisfy both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from membench.core.terms import ClaimVerdict

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]


class Direction(StrEnum):
    """Which values of a statistic speak for the claim."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, kw_only=True)
class VerdictThresholds:
    """When a part is supported, and when contradicted.

    Attributes:
        supports: at or beyond it (in ``direction``) a draw speaks for the claim.
        contradicts: at or beyond it (the other way) a draw speaks against it.
        share, contradicting_share: of the draws that must speak so.

    Raises:
        ValueError: the thresholds are not apart, or the shares allow both verdicts at once.
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
            raise ValueError("a share of the draws is above 0 and at most 1")
        if self.share + self.contradicting_share <= 1:
            raise ValueError("the shares sum to 1 or less: both verdicts could hold at once")


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the shares of the draws that speak for and against it."""

    word: ClaimVerdict
    supporting: float
    contradicting: float


def judge(draws: Floats, thresholds: VerdictThresholds) -> Judgement:
    """The verdict on ``draws`` (of any shape, at least one); NaN speaks for neither side."""
    supporting, contradicting = counts(np.ravel(draws), thresholds)
    return judged(int(supporting) / draws.size, int(contradicting) / draws.size, thresholds)


def counts(draws: Floats, thresholds: VerdictThresholds) -> tuple[Counts, Counts]:
    """Of each row of ``draws`` ([..., draws]), how many speak for and how many against the claim.

    Counts, not shares: sums of them are exact, and a share at the threshold counts.
    """
    if thresholds.direction is Direction.HIGHER:
        for_it, against = draws >= thresholds.supports, draws <= thresholds.contradicts
    else:
        for_it, against = draws <= thresholds.supports, draws >= thresholds.contradicts
    return np.count_nonzero(for_it, axis=-1), np.count_nonzero(against, axis=-1)


def judged(supporting: float, contradicting: float, thresholds: VerdictThresholds) -> Judgement:
    """The verdict where these shares of the draws speak for and against the claim."""
    if supporting >= thresholds.share:
        word = ClaimVerdict.SUPPORTED
    elif contradicting >= thresholds.contradicting_share:
        word = ClaimVerdict.CONTRADICTED
    else:
        word = ClaimVerdict.INCONCLUSIVE
    return Judgement(word, supporting, contradicting)


def combine(words: Iterable[ClaimVerdict]) -> ClaimVerdict:
    """The verdict on a claim from those on its parts.

    One part that fails contradicts the claim; only all of them support it.  Parts that
    cannot be tested here do not count, unless there is no other.
    """
    tested = {word for word in words if word is not ClaimVerdict.NOT_TESTABLE}
    if not tested:
        return ClaimVerdict.NOT_TESTABLE
    if ClaimVerdict.CONTRADICTED in tested:
        return ClaimVerdict.CONTRADICTED
    if tested == {ClaimVerdict.SUPPORTED}:
        return ClaimVerdict.SUPPORTED
    return ClaimVerdict.INCONCLUSIVE
