"""Check and apply the option ``--fail-on`` of `membench compare`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from membench.analysis.comparison import Comparison
from membench.analysis.finding import SEVERAL_RUNS
from membench.analysis.line import Line
from membench.analysis.verdict import Reason, Verdict
from membench.core.errors import MembenchError
from membench.core.terms import Status

_GROUND = ("machine", "device")


def check_gate(
    comparison: Comparison, classes: Collection[str], *, cross_machine: bool = False
) -> None:
    """Reject the value ``classes`` of ``--fail-on`` if the result would mean nothing.

    Raises:
        MembenchError: in one of three cases:

        - The labels are from different machines or devices, and ``cross_machine`` is False.
        - ``classes`` has `worse` or `unclear`, and a verdict is from samples of a single round.
        - ``classes`` has `worse` without `unclear`, and a row has too few values for a verdict.
    """
    differing = [fact for fact in comparison.facts if fact.name in _GROUND and fact.differs]
    if differing and not cross_machine:
        what = "; ".join(f"{fact.name} {' | '.join(fact.values)}" for fact in differing)
        raise MembenchError(
            f"--fail-on: the results are from different machines or devices: {what}",
            "compare runs of the same machine and devices, or add --cross-machine",
        )
    if Verdict.WORSE in classes or Verdict.UNCLEAR in classes:
        _refuse(
            comparison,
            [
                line
                for line in comparison.matched
                if any(one.single_round for one in line.remarkable.values())
            ],
            "had only one round",
            f"{SEVERAL_RUNS}: one round does not show the noise between rounds",
        )
    if Verdict.WORSE in classes and Verdict.UNCLEAR not in classes:
        _refuse(
            comparison,
            [
                line
                for line in comparison.matched
                if any(one.reason is Reason.FEW for one in line.findings)
            ],
            "had too few rounds or runs to be judged",
            f"{SEVERAL_RUNS}, or add unclear to --fail-on",
        )


def _refuse(comparison: Comparison, lines: Sequence[Line], why: str, hint: str) -> None:
    if lines:
        raise MembenchError(
            f"--fail-on: {len(lines)} of {len(comparison.matched)} matched rows {why}, "
            f"for example {lines[0].row.case}",
            hint,
        )


def found(comparison: Comparison, classes: Iterable[str]) -> Mapping[str, int]:
    """Count the lines in each of ``classes`` (`GATE_CLASSES`); classes without a line are left out.

    - ``missing``: the reference has a value, and another label has no row or a skipped row.
    - ``failed``: a row of any label failed.
    """
    counts = {name: sum(_is(line, name) for line in comparison.lines) for name in classes}
    return {name: count for name, count in counts.items() if count}


def _is(line: Line, name: str) -> bool:
    reference, *others = line.statuses
    if name == "failed":
        return any(one.failures for one in line.lost.values())
    if name == "missing":
        absent = ("missing", Status.SKIPPED)
        return reference == Status.OK and any(status in absent for status in others)
    return Verdict(name) in line.verdicts
