"""The values of one label for one (case, metric, stat) in the form that a comparison needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from membench.analysis import statistics
from membench.core.terms import Better, Stat
from membench.results.compact.row import Common, Measurement, commons_of


class Basis(StrEnum):
    """Where the compared values come from."""

    ROUNDS = "rounds"  # the rounds of one run, each a fresh process
    RUNS = "runs"  # the medians of several runs, because the rounds of one run share its offset
    SAMPLES = "samples"  # the samples of the only round of the only run


@dataclass(frozen=True, slots=True)
class CaseRuns:
    """The ok rows of one label for one (case, metric, stat), one row per run.

    Attributes:
        values: the compared values in the unit of the rows, at least one.
    """

    rows: tuple[Measurement, ...]
    basis: Basis
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The value of one run, or the median of several runs, in the unit of the rows."""
        if self.basis is Basis.RUNS:
            return statistics.median(self.values)
        if len(self.rows) == 1 and self.rows[0].value is not None:
            return self.rows[0].value
        return statistics.median([row.value for row in self.rows if row.value is not None])

    @property
    def best(self) -> float | None:
        """The best sample of all runs, the number that STREAM reports.

        None if a run has no best sample, and for a tail statistic such as p99.
        """
        if self.rows[0].stat not in (Stat.MEDIAN, Stat.P50):
            return None
        found: list[float] = list(filter(None, map(attrgetter("best"), self.rows)))
        if len(found) < len(self.rows):
            return None
        return max(found) if self.rows[0].better is Better.HIGHER else min(found)

    @property
    def half_range(self) -> float | None:
        """Half the range of the values as a fraction of their median.

        None for a single value, and for samples of a single round.
        """
        return None if self.basis is Basis.SAMPLES else statistics.half_range(self.values)

    @property
    def peak_share(self) -> float | None:
        """``value`` as a fraction of the peak; None if the peak is unknown or not unique."""
        peaks = {one.peak for one in self.commons}
        (peak,) = peaks if len(peaks) == 1 else (None,)
        share = self.value / peak if peak else math.inf
        return share if math.isfinite(share) else None

    @property
    def commons(self) -> tuple[Common, ...]:
        return (self.rows[0].common,) if len(self.rows) == 1 else commons_of(self.rows)

    @property
    def cited(self) -> bool:
        """Whether any of the values is a published figure."""
        return any(one.cited for one in self.commons)

    @property
    def imported(self) -> bool:
        """Whether another tool measured any of the values."""
        return any(one.imported for one in self.commons)

    @property
    def flags(self) -> tuple[str, ...]:
        if len(self.rows) == 1:
            return self.rows[0].common.flags
        sets = dict.fromkeys(one.flags for one in self.commons)
        return tuple(dict.fromkeys(flag for flags in sets for flag in flags))


def figure(rows: Sequence[Measurement]) -> CaseRuns:
    """Build the compared values from ok ``rows`` of one (case, metric, stat), one row per run."""
    if len(rows) > 1:
        return CaseRuns(
            tuple(rows), Basis.RUNS, tuple(filter(None, map(attrgetter("value"), rows)))
        )
    (row,) = rows
    return CaseRuns((row,), Basis.ROUNDS, row.round_values or ((row.value,) if row.value else ()))


def pooled(one: CaseRuns) -> CaseRuns | None:
    """Return ``one`` with the samples of its only round as its values.

    The result is None in four cases:

    - There are several runs or rounds.
    - The file has no samples, or only their quantiles.
    - The statistic is neither the median nor p50.
    - A sample is 0 and has no logarithm.
    """
    if len(one.rows) > 1 or len(one.values) > 1:
        return None
    (row,) = one.rows
    if row.stat not in (Stat.MEDIAN, Stat.P50) or row.detail.get("samples") == "quantiles":
        return None
    samples = row.samples[0] if len(row.samples) == 1 else ()
    usable = samples and all(sample > 0 for sample in samples)
    return CaseRuns(one.rows, Basis.SAMPLES, samples) if usable else None
