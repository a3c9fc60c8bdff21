"""Computes the reading of a round from its samples: the statistic, and the samples to store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.core.terms import QUANTILE, Metric, Stat
from membench.results.case_result import Reading

KEPT_SAMPLES = 512
KEPT_QUANTILES = 129


def reading(metric: Metric, stat: Stat, samples: Sequence[float]) -> Reading:
    """The `Reading` of the ``samples`` of one round, which are in the unit of ``metric``.

    The value is the quantile ``stat`` of all samples, linearly interpolated (Hyndman & Fan's
    definition 7, NumPy's default).

    Raises:
        ValueError: ``samples`` is empty.
    """
    values = np.asarray(samples, dtype=np.float64)
    if values.size == 0:
        raise ValueError(f"{metric}/{stat} has no samples")
    many = values.size > KEPT_SAMPLES
    kept = np.quantile(values, np.linspace(0, 1, KEPT_QUANTILES)) if many else values
    return Reading(
        metric=metric,
        stat=stat,
        value=float(np.quantile(values, QUANTILE[stat])),
        n=int(values.size),
        samples=tuple(float(sample) for sample in kept),
        quantiles=many,
    )
