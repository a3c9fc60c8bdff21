"""Comparison of two sides whose rounds were measured in turns: as pairs, by signed ranks.

Drift, and an offset of the whole run, affect both values of a pair and cancel in their ratio. In
two separate runs they could not be distinguished from a change.
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
"""Numbers of rounds to which `pairs_for` is rounded: from a dozen pairs it is known to one digit.
"""


def pair_ids(sources: Iterable[Source]) -> Mapping[str, str]:
    """Run id -> id of the paired run; runs that are not part of a paired run are left out."""
    return {run: source.pair_id for source in sources if source.pair_id for run in source.runs}


def paired_values(
    reference: CaseRuns, contender: CaseRuns, pairs: Mapping[str, str]
) -> Values | None:
    """The round values of both, pair by pair; None if a run lacks its partner on the other side.

    If a side has fewer rounds after an interruption, only the first rounds of the other are used.
    The pairs of several paired runs are pooled, because the offset of a run is in both of its
    sides.
    """
    if not pairs:
        return None
    first, second = (_by_pair(one.rows, pairs) for one in (reference, contender))
    if not first or first.keys() != second.keys():
        return None
    if any(first[pair].run_id == second[pair].run_id for pair in first):
        return None  # both are parts of one file
    values = [
        value
        for pair in first
        for value in zip(first[pair].round_values, second[pair].round_values, strict=False)
    ]
    return tuple(one for one, _ in values), tuple(other for _, other in values)


def _by_pair(rows: Sequence[Measurement], pairs: Mapping[str, str]) -> dict[str, Measurement]:
    """``rows`` by paired run; empty unless each row belongs to a different paired run."""
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
        return (
            f"with this noise {MAX_ROUNDS} pairs cannot show a difference of {shown}: "
            "reduce the load on the machine"
        )
    if needed > count:
        about = min(_STEPS, key=lambda step: abs(step - needed) / (step + needed))
        about = max(about, next(step for step in _STEPS if step > count))
        return (
            f"about {counted(about, 'pair')} would show a difference of {shown}: --rounds {about}"
        )
    return "the ratio is close to the threshold: choose another threshold with --preset"
