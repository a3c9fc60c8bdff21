"""Chooses the configuration of a tuned case, once before the first round.

The rounds measure the chosen configuration again, because the best of many noisy numbers is biased.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from membench.core.axes import Value
from membench.core.backend import Backend
from membench.core.case import Bench, Config
from membench.core.errors import MembenchError, RegistersSpilled, Skip, skip
from membench.core.terms import BETTER, UNIT, Better
from membench.core.work import Timed
from membench.measure.flags import beyond_peak
from membench.measure.worker.sampling import take_samples
from membench.measure.worker.stopping import FixedCount
from membench.measure.worker.stopwatch import Stopwatches

SAMPLES = 5
"""Number of samples per candidate."""


def best_config(
    bench: Bench, backend: Backend, params: Mapping[str, Value], stopwatches: Stopwatches
) -> Config:
    """The candidate of ``bench`` with the best median; of equally good candidates, the first.

    Raises:
        Skip: no candidate can be used on this machine; the message is about the last candidate.
        MembenchError: the work of the bench takes its own samples.
    """
    scores: list[tuple[float, int]] = []
    candidates = bench.candidates(backend, params)
    refused = Skip(f"bench '{bench.name}' has no configuration to choose from")
    for number, config in enumerate(candidates):
        try:
            score = _score(bench, backend, params, config, stopwatches)
        except Skip as skipped:
            refused = skipped
            continue
        finally:
            backend.reclaim()
        scores.append((score, -number))
    if not scores:
        raise refused
    return candidates[-max(scores)[1]]


def _score(
    bench: Bench,
    backend: Backend,
    params: Mapping[str, Value],
    config: Config,
    stopwatches: Stopwatches,
) -> float:
    """The median of the work's metric for ``config``, negated if a smaller value is better.

    Raises:
        Skip: the configuration cannot run here, spills registers, or has a value above the peak.
    """
    try:
        work = bench.build(backend, params, config)
    except RegistersSpilled as spilled:
        skip(str(spilled))
    try:
        if not isinstance(work, Timed):
            raise MembenchError(f"bench '{bench.name}' times itself and cannot be tuned")
        stopwatch = stopwatches.stopwatch(backend, work)
        sampled = take_samples(stopwatch, work, FixedCount(SAMPLES))
        value = median(work.value(elapsed, sampled.iterations) for elapsed in sampled.elapsed_ns)
        if beyond_peak(value, work.peak, work.peak_basis, BETTER[work.metric]):
            unit = UNIT[work.metric]
            skip(
                f"the measured {work.metric} of {value:.4g} {unit} is beyond the peak of "
                f"{work.peak:.4g} {unit}, so a faster memory must have served the case"
            )
        return value if BETTER[work.metric] is Better.HIGHER else -value
    finally:
        work.close()
