"""Comparison of two sides whose rounds were measured in turns: as pairs, by signed ranks.

An offset of the whole run, and drift, is in both values of a pair and cancels in their ratio. In
two files from different times it could not be distinguished from a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from membench.analysis.figure import CaseRuns
from membench.analysis.signed_rank import SHOWN, pairs_for
from membench.analysis.sources import Source
from membench.analysis.verdict import Reason
from membench.core.text import counted
from membench.measure.options import PAIRS
from membench.results.compact.row import Measurement
from membench.results.plan import MAX_ROUNDS

Values = tuple[tuple[float, ...], tuple[float, ...]]

_STEPS = (10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, MAX_ROUNDS)
"""The values that `pairs_for` is rounded to: an estimate from a dozen pairs has one significant
digit.
"""


def pair_ids(sources: Iterable[Source]) -> Mapping[str, str]:
    """The id of the paired run by run id; runs outside a paired run are left out."""
    return {run: source.pair_id for source in sources if source.pair_id for run in source.runs}


def paired_values(
    reference: CaseRuns, contender: CaseRuns, pairs: Mapping[str, str]
) -> Values | None:
    """The round values of both, pair by pair; None if a run lacks its partner on the other side.

    A side with fewer rounds after an interruption has the first ones. The pairs of several paired
    runs are pooled, because the offset of a run is in both of its sides.
    """
    if not pairs:
        return None
    first, second = (_by_pair(one.rows, pairs) for one in (reference, contender))
    if not first or first.keys() != second.keys():
        return None
    if any(first[pair].run_id == second[pair].run_id for pair in first):
        return None  # parts of one file
    values = [
        value
        for pair in first
        for value in zip(first[pair].round_values, second[pair].round_values, strict=False)
    ]
    return tuple(one for one, _ in values), tuple(other for _, other in values)


def _by_pair(rows: Sequence[Measurement], pairs: Mapping[str, str]) -> dict[str, Measurement]:
    """``rows`` by paired run; empty unless each belongs to a different paired run."""
    found = {pairs[row.run_id]: row for row in rows if row.run_id in pairs}
    return found if len(found) == len(rows) else {}


def settle_pairs(reason: Reason, count: int, deviation: float, threshold: float) -> str:
    """How to turn `unclear` into a verdict after ``count`` pairs.

    ``deviation`` is the standard deviation of the log ratio of one pair.
    """
    if reason is Reason.FEW:
        return f"run again with --versus and --rounds {PAIRS}"
    if reason is not Reason.WIDE:
        return ""
    shown = f"{SHOWN * threshold:.0%}"
    needed = pairs_for(deviation, threshold)
    if needed > MAX_ROUNDS:
        return f"{shown} cannot be told from this noise by {MAX_ROUNDS} pairs: quieten the machine"
    if needed > count:
        about = min(_STEPS, key=lambda step: abs(step - needed) / (step + needed))
        about = max(about, next(step for step in _STEPS if step > count))
        return (
            f"about {counted(about, 'pair')} would show a difference of {shown}: --rounds {about}"
        )
    return "the ratio is close to the threshold itself: choose another one with --preset"
