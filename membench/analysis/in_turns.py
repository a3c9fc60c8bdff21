"""Pair the rounds of two labels that were measured in turns.

Drift of the machine, or an offset of the whole paired run, cancels in the ratio of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from membench.analysis.figure import CaseRuns
from membench.analysis.sources import Source
from membench.analysis.verdict import Reason
from membench.core.text import counted
from membench.measure.options import PAIRS
from membench.results.compact.row import Measurement
from membench.results.plan import MAX_ROUNDS

Values = tuple[tuple[float, ...], tuple[float, ...]]

_STEPS = (10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, MAX_ROUNDS)
"""Numbers of pairs that `settle_pairs` may recommend.

The noise measured with a dozen pairs is too uncertain for a finer step.
"""


def pair_ids(sources: Iterable[Source]) -> Mapping[str, str]:
    """Map the id of each run that belongs to a pair to the id of the pair."""
    return {run: source.pair_id for source in sources if source.pair_id for run in source.runs}


def paired_values(
    reference: CaseRuns, contender: CaseRuns, pairs: Mapping[str, str]
) -> Values | None:
    """The values of both labels, one value for each paired round; None if the runs are not pairs.

    Surplus rounds of one label, after an interruption, are ignored. Pairs of several paired runs
    are pooled, because the offset of a paired run affects both values of a pair.
    """
    if not pairs:
        return None
    first, second = (_by_pair(one.rows, pairs) for one in (reference, contender))
    if not first or first.keys() != second.keys():
        return None
    if any(first[pair].run_id == second[pair].run_id for pair in first):
        return None  # both rows are from the same run
    values = [
        value
        for pair in first
        for value in zip(first[pair].round_values, second[pair].round_values, strict=False)
    ]
    return tuple(one for one, _ in values), tuple(other for _, other in values)


def _by_pair(rows: Sequence[Measurement], pairs: Mapping[str, str]) -> dict[str, Measurement]:
    """Pair id -> row; empty if a row has no pair id, or if two rows have the same pair id."""
    found = {pairs[row.run_id]: row for row in rows if row.run_id in pairs}
    return found if len(found) == len(rows) else {}


def settle_pairs(reason: Reason, count: int, deviation: float, threshold: float) -> str:
    """What to do about the verdict `unclear` of ``count`` paired rounds; empty for other verdicts.

    ``deviation`` is the standard deviation of the log ratio of one pair. ``threshold`` is a
    fraction.
    """
    if reason is Reason.FEW:
        return f"run again with --versus and --rounds {PAIRS}"
    if reason is not Reason.WIDE:
        return ""
    from membench.analysis.signed_rank import SHOWN, pairs_for  # separate runs do not need it

    shown = f"{100 * SHOWN * threshold:.3g}%"
    needed = pairs_for(deviation, threshold)
    if needed > MAX_ROUNDS:
        return (
            f"with this noise, {MAX_ROUNDS} pairs cannot show a difference of {shown}: "
            "reduce the load on the machine"
        )
    if needed > count:
        about = min(_STEPS, key=lambda step: abs(step - needed) / (step + needed))
        about = max(about, next(step for step in _STEPS if step > count))
        return (
            f"about {counted(about, 'pair')} would show a difference of {shown}: --rounds {about}"
        )
    return "the ratio is close to the threshold: choose another threshold with --preset"
