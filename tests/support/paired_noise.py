"""Simulate paired runs with a known difference. A paired run measures sides A and B alternately.

The logarithm of a round value is the sum of

- an offset of the whole run, equal for both sides: normal, ``OFFSET`` times the noise of a round;
- a drift from the first round to the last, up or down: ``DRIFT`` times the noise of a round, with
  a shape of `DRIFTS`;
- the noise of the round: normal, from a fresh process with fresh memory;
- the error of the median of 20 samples, each with 0.3 % noise.

    python tests/support/paired_noise.py     # the table of docs/statistics.md
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from membench.analysis.signed_rank import paired_estimates
from membench.analysis.statistics import estimates
from membench.analysis.verdict import Verdict, judge
from membench.core.terms import Better
from membench.measure.paired.turns import sides_in_turn

Floats = NDArray[np.float64]

OFFSET = DRIFT = 2.0
WITHIN = 0.003 * math.sqrt(math.pi / 2 / 20)  # standard error of the median of 20 normal samples
THRESHOLD = 0.03
DRIFTS = ("none", "linear", "step", "random walk", "wave")
"""Shapes of drift. A wave is one period of a sine; a step is at a random time."""


@dataclass(frozen=True)
class Simulated:
    """Results of many simulated paired runs. Each share is between 0 and 1.

    Attributes:
        wrong: share of the runs without a difference that got the verdict better or worse.
        covered: share of all intervals that contain the true ratio.
        found: share of the runs with a difference that got the verdict better.
    """

    wrong: float
    covered: float
    found: float


def paired_rounds(
    rng: np.random.Generator, runs: int, pairs: int, noise: float, drift: str, shift: float = 0.0
) -> tuple[Floats, Floats]:
    """Round values of sides A and B, of shape (runs, pairs). B is 1 + ``shift`` times as large."""
    place = np.array([sides_in_turn(round_) for round_ in range(1, pairs + 1)])
    moment = 2 * np.arange(pairs)[:, None] + np.argsort(place, axis=1)  # positions of A and of B
    way = rng.choice([-1.0, 1.0], (runs, 1)) * DRIFT * noise
    shared = rng.normal(0, OFFSET * noise, (runs, 1)) + way * _shape(rng, drift, runs, 2 * pairs)
    own = rng.normal(0, math.hypot(noise, WITHIN), (runs, 2 * pairs))
    values = 100 * np.exp(shared + own)
    return values[:, moment[:, 0]], (1 + shift) * values[:, moment[:, 1]]


def _shape(rng: np.random.Generator, drift: str, runs: int, rounds: int) -> Floats:
    """A drift from 0 to 1 with the shape ``drift``; the array broadcasts to (runs, rounds)."""
    time = np.arange(rounds) / (rounds - 1)
    if drift == "linear":
        return time
    if drift == "step":
        return (time > rng.uniform(0, 1, (runs, 1))).astype(float)
    if drift == "random walk":
        return rng.normal(0, 1 / math.sqrt(rounds), (runs, rounds)).cumsum(axis=1)
    if drift == "wave":
        wave: Floats = np.sin(2 * np.pi * (time + rng.uniform(0, 1, (runs, 1)))) / 2
        return wave
    return np.zeros(1)


def simulated(
    seed: int, runs: int, pairs: int, noise: float, drift: str, shift: float = 0.05
) -> Simulated:
    """The verdicts on ``runs`` paired runs without a difference, and on ``runs`` with ``shift``."""
    rng = np.random.default_rng(seed)
    counts = []
    covered = 0
    for true in (0.0, shift):
        first, second = paired_rounds(rng, runs, pairs, noise, drift, true)
        found = [one.estimate.log_interval for one in paired_estimates(first, second)]  # type: ignore[arg-type]
        counts.append([judge(one, THRESHOLD, Better.HIGHER)[0] for one in found])
        covered += sum(one is not None and one[0] <= math.log1p(true) <= one[1] for one in found)
    wrong = sum(one in (Verdict.BETTER, Verdict.WORSE) for one in counts[0])
    return Simulated(wrong / runs, covered / (2 * runs), counts[1].count(Verdict.BETTER) / runs)


def wrong_apart(seed: int, runs: int, rounds: int, noise: float, drift: str) -> float:
    """The share of pairs of separate, equally fast runs that get the verdict better or worse.

    Each run has its own offset and drift, with the distributions of `paired_rounds`.
    """
    rng = np.random.default_rng(seed)
    sides = [
        100
        * np.exp(
            rng.normal(0, OFFSET * noise, (runs, 1))
            + rng.choice([-1.0, 1.0], (runs, 1)) * DRIFT * noise * _shape(rng, drift, runs, rounds)
            + rng.normal(0, math.hypot(noise, WITHIN), (runs, rounds))
        )
        for _ in range(2)
    ]
    found = [judge(one.log_interval, THRESHOLD, Better.HIGHER)[0] for one in estimates(*sides)]  # type: ignore[arg-type]
    return sum(one in (Verdict.BETTER, Verdict.WORSE) for one in found) / runs


def table(runs: int = 10_000) -> Iterator[str]:
    """The Markdown table: one line for each combination of number of pairs, noise and drift."""
    yield (
        "| pairs | noise of a round | drift | wrong | interval contains the true ratio | 5 % found "
        "| wrong, two separate runs |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for pairs, noises in ((12, (0.01, 0.03, 0.1)), (70, (0.03,))):
        for noise in noises:
            for drift in DRIFTS:
                seen = simulated(20260128, runs, pairs, noise, drift)
                shares = f"{seen.wrong:.1%} | {seen.covered:.1%} | {seen.found:.1%}"
                apart = wrong_apart(20260128, runs, pairs, noise, drift)
                yield f"| {pairs} | {noise:.0%} | {drift} | {shares} | {apart:.0%} |"


if __name__ == "__main__":
    print("\n".join(table()))
