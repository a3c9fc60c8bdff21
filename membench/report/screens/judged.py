"""The best results of each tier of a machine, compared with references.

A tier with its best results is called a rung. The rungs of a machine, in order, are the ladder.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from membench.analysis.check.expectation import Expectation
from membench.analysis.check.expected import AUTO, expected_of
from membench.analysis.check.lines import TierLine
from membench.analysis.check.machine import MachineCheck, check_machine
from membench.analysis.check.preconditions import states_by_device
from membench.analysis.check.quantities import MachinePart
from membench.analysis.check.reading import gpu_states
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.check.tiers import run_gpu
from membench.analysis.ladder import Rung, ladder, operation
from membench.core.messages import tr
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import Metric, Tier
from membench.core.units import format_value
from membench.results.schema import Row
from membench.results.sidecar import Sidecar


def checked(
    rows: Sequence[Row], machine: Machine | None, sidecar: Sidecar | None
) -> MachineCheck | None:
    """Check the machine of ``rows`` against the references for this hardware.

    The result is None without a reference, or if all rows are published values. Without ``machine``
    or ``sidecar``, the check can judge fewer lines.

    Raises:
        SchemaError: a reference, or the sidecar's data about GPUs, cannot be read.
    """
    if all(row.cited for row in rows):
        return None  # published values do not describe a machine
    runs = {row.run_id for row in rows}
    expected = [one for one in expected_of((AUTO,), rows, machine) if not _is_of(one, runs)]
    if not expected:
        return None
    states = gpu_states(sidecar) if sidecar is not None else []
    run_gpus = run_gpu(sidecar.plan) if sidecar is not None else {}
    return check_machine(rows, machine, expected, states_by_device(machine, states), run_gpus)


def _is_of(figure: Expectation, runs: Container[str]) -> bool:
    """Whether ``figure`` is a result of ``runs``. A run is never compared with itself."""
    return figure.tool == "membench" and figure.source.rpartition(" ")[2] in runs


def best_text(row: Row) -> str:
    """The value with its unit; for a disk, also the operation if it is not reading."""
    value, other = format_value(row.metric, row.value or 0.0), operation(row)
    return tr("{value} ({operation})", value=value, operation=other) if other else value


@record
class JudgedRung:
    """The best results of a tier, with the lines of the check for this tier.

    ``lines`` is empty without a check, or if the check has no line for the tier.
    """

    rung: Rung
    lines: tuple[TierLine, ...] = ()

    @property
    def line(self) -> TierLine | None:
        """The worst judged line, or the first line if none is judged; None without lines."""
        return _speaker(self.lines)

    def expected(self, metric: Metric) -> tuple[float, float] | None:
        """The reference range (low, high) for the best value of ``metric``; None without a range.

        The unit is the unit of ``metric`` in results files.
        """
        row = self.rung.best[metric]
        for line in self.lines:
            held = line.worst.expected
            if held is not None and (line.worst.case, line.metric) == (row.case, metric):
                return held.low, held.high
        return None


def judged_ladder(rows: Sequence[Row], check: MachineCheck | None) -> tuple[JudgedRung, ...]:
    """The best results of each tier in ``rows``, with the lines of ``check``.

    A row with a reference range is preferred to a row without a range.
    """
    by_tier: dict[tuple[Tier, bool], tuple[TierLine, ...]] = {}
    for line in check.lines if check is not None else ():
        key = (line.tier, line.part is MachinePart.PEERS)
        by_tier[key] = (*by_tier.get(key, ()), line)
    judged = {
        (line.worst.case, line.metric) for lines in by_tier.values() for line in _leading(lines)
    }
    return tuple(
        JudgedRung(rung, by_tier.get((rung.tier, rung.peer), ())) for rung in ladder(rows, judged)
    )


def _speaker(lines: Sequence[TierLine]) -> TierLine | None:
    judged = [one for one in lines if one.verdict is not CheckVerdict.NOT_JUDGED]
    if judged:
        return max(judged, key=lambda one: one.worst.badness)
    return next(iter(lines), None)


def _leading(lines: Sequence[TierLine]) -> Iterable[TierLine]:
    """One of ``lines`` for each metric that has a reference range.

    If a metric has several lines, `JudgedRung.line` is preferred.
    """
    found: dict[Metric, TierLine] = {}
    for line in (_speaker(lines), *lines):
        if line is not None and line.worst.expected is not None:
            found.setdefault(line.metric, line)
    return found.values()


def share_text(judged: JudgedRung) -> str:
    """The measured value divided by the low end of the reference range, such as ``98%``.

    For a latency, the high end of the range is divided by the measured value. The text is empty
    without a reference range.
    """
    return "" if judged.line is None else judged.line.worst.share_text


def verdict_text(judged: JudgedRung) -> str:
    """The verdict of `JudgedRung.line`, such as ``pass``; empty without lines."""
    return "" if judged.line is None else str(judged.line.verdict)
