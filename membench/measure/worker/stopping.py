"""Stopping rules: objects without side effects that decide when sampling ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from membench.core.work import Observed, Timed
from membench.measure.rounds.earlier import EarlierRounds


@dataclass(frozen=True)
class Stop:
    """Why sampling ended.

    Attributes:
        reason: the text for the row's `stop_reason`.
        converged: False if a limit on samples or time ended the sampling. Otherwise True if the
            rule requires a precision, and None if it does not.
    """

    reason: str
    converged: bool | None = None


class StopRule(Protocol):
    """Decides after every sample whether to stop."""

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        """The reason to stop now; None to continue.

        ``samples`` are in the order of measurement. ``elapsed_s`` is the wall time in seconds.
        """
        ...


@dataclass(frozen=True)
class FixedCount:
    """Stop after ``count`` samples."""

    count: int

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        return Stop("count") if len(samples) >= self.count else None


@dataclass(frozen=True)
class Agreement:
    """Stop after ``count`` samples, or earlier if the mean is precise enough.

    At least ``least`` samples are taken. The mean is precise enough if its standard error is at
    most ``limit`` times the mean. Round values differ by a percent or more. So at the default
    limit, further samples narrow the confidence interval over the rounds by less than a twentieth.
    """

    count: int
    limit: float = 0.003
    least: int = 4

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        if len(samples) >= self.count:
            return Stop("count")
        if len(samples) < self.least:
            return None
        error = _relative_deviation(samples) / math.sqrt(len(samples))
        return Stop("agreed") if error <= self.limit else None


ROUND_SHARE = 0.7
"""Largest accepted standard error of a round value, as a share of the scatter of the rounds.

At this limit, the sampling error within the rounds causes half of the variance between rounds.
Twice as many samples would narrow the confidence interval over the rounds by about an eighth.
"""


@dataclass(frozen=True)
class RoundScatter:
    """Stop when ``rule`` stops, or earlier if further samples would help little.

    After at least ``least`` samples, sampling ends early when the standard error of their median is
    at most `ROUND_SHARE` times ``scatter``.

    Attributes:
        scatter: relative standard deviation of the values of the earlier rounds.
    """

    rule: StopRule
    scatter: float
    least: int = 3

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        if why := self.rule.stop(samples, elapsed_s):
            return why
        if len(samples) < self.least:
            return None
        # The median of normal samples has sqrt(pi / 2) times the standard error of their mean.
        error = _relative_deviation(samples) * math.sqrt(math.pi / 2 / len(samples))
        return Stop("round-scatter") if error <= ROUND_SHARE * self.scatter else None


@dataclass(frozen=True)
class RelativeStandardError:
    """Stop when the standard error of the mean is at most ``limit`` times the mean.

    At least ``least`` samples are taken.
    """

    limit: float = 0.002
    least: int = 10

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        if len(samples) < self.least:
            return None
        error = _relative_deviation(samples) / math.sqrt(len(samples))
        return Stop("rse", converged=True) if error <= self.limit else None


@dataclass(frozen=True)
class RelativeDeviation:
    """Stop when the spread of the samples is small, or when the estimate of the spread is stable.

    After at least ``least`` samples, sampling ends in two cases:

    - The relative standard deviation is at most ``limit``.
    - There are at least 2 * ``window`` samples, and over the last ``window`` of them, the relative
      standard deviation changed by at most the fraction ``drift`` of its present value.

    NVBench's `stdrel` criterion has the same two conditions (0.5 %, and 5 % over a window).
    """

    limit: float = 0.005
    least: int = 10
    window: int = 32
    drift: float = 0.05

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        if len(samples) < self.least:
            return None
        now = _relative_deviation(samples)
        if now <= self.limit:
            return Stop("stdrel", converged=True)
        if len(samples) >= 2 * self.window:
            before = _relative_deviation(samples[: -self.window])
            if abs(now - before) <= self.drift * now:
                return Stop("noise-stable", converged=True)
        return None


@dataclass(frozen=True)
class Capped:
    """Stop when ``rule`` stops, or after ``most`` samples or ``wall_s`` seconds."""

    rule: StopRule
    most: int
    wall_s: float

    def stop(self, samples: Sequence[float], elapsed_s: float) -> Stop | None:
        if why := self.rule.stop(samples, elapsed_s):
            return why
        if len(samples) >= self.most:
            return Stop("most-samples", converged=False)
        if samples and elapsed_s >= self.wall_s:
            return Stop("wall-cap", converged=False)
        return None


WALL_CAP_S = 10.0
"""Maximum seconds of sampling per case and round."""


def rule_for(work: Timed, earlier: EarlierRounds | None = None, share: float = 1.0) -> StopRule:
    """The stopping rule that ``work`` requests, with limits on samples and time.

    If `work.stop` is ``count`` or ``agreed``, the rule also uses the scatter of the ``earlier``
    rounds, and takes at most the fraction ``share`` of the usual number of samples.
    """
    count = math.ceil(share * work.samples)
    rules: dict[str, StopRule] = {
        "count": FixedCount(count),
        "agreed": Agreement(count),
        "rse": RelativeStandardError(),
        "stdrel": RelativeDeviation(),
    }
    rule = rules[work.stop]
    if earlier is not None and work.stop in ("count", "agreed"):
        rule = RoundScatter(rule, earlier.scatter)
    return Capped(rule, work.samples, WALL_CAP_S)


def observation_seconds(work: Observed, earlier: EarlierRounds | None, share: float = 1.0) -> float:
    """Seconds of the next observation: at least `work.least_seconds`, at most `work.seconds`.

    - If `least_seconds` is None, the time is `seconds`.
    - Otherwise, if ``earlier`` is None, the time is ``share`` times `seconds`.
    - Otherwise, the time is expected to reduce the standard error of a round value to `ROUND_SHARE`
      times the scatter of the ``earlier`` rounds. The estimate assumes that the error is inversely
      proportional to the square root of the time, and that each earlier round took `seconds`. A
      shorter round has a larger error, so the estimate is never too short.
    """
    if work.least_seconds is None:
        return work.seconds
    if earlier is None:
        return max(work.least_seconds, share * work.seconds)
    needed = work.seconds * (earlier.error / ROUND_SHARE) ** 2
    return min(work.seconds, max(work.least_seconds, needed))


def _relative_deviation(samples: Sequence[float]) -> float:
    values = np.asarray(samples, dtype=np.float64)
    mean = float(values.mean())
    return float(values.std(ddof=1)) / mean if mean else math.inf
