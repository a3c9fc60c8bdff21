"""The rungs of a machine's ladder, with what a check says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from membench.analysis.check.expected import AUTO, expected_of
from membench.analysis.check.lines import TierLine
from membench.analysis.check.machine import MachineCheck, check_machine
from membench.analysis.check.preconditions import states_by_device
from membench.analysis.check.quantities import MachinePart
from membench.analysis.check.reading import gpu_states
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.ladder import Rung, ladder
from membench.core.snapshot import Machine
from membench.core.terms import Metric
from membench.results.schema import Row
from membench.results.sidecar import Sidecar


def checked(
    rows: Sequence[Row], machine: Machine | None, sidecar: Sidecar | None
) -> MachineCheck | None:
    """The machine of ``rows`` held to the references of its hardware; None if there is none.

    Args:
        rows: of one machine.
        machine, sidecar: None where they are not known, so that less can be judged.

    Raises:
        SchemaError: a reference, or what the sidecar says of the GPUs, cannot be read.
    """
    if all(row.cited for row in rows):
        return None  # published figures are no machine
    expected = expected_of((AUTO,), rows, machine)
    if not expected:
        return None
    states = gpu_states(sidecar) if sidecar is not None else []
    return check_machine(rows, machine, expected, states_by_device(machine, states))


@dataclass(frozen=True)
class JudgedRung:
    """A rung, and the lines of a check that are about it.

    Attributes:
        lines: empty where nothing is known to hold the tier to.
    """

    rung: Rung
    lines: tuple[TierLine, ...] = ()

    @property
    def line(self) -> TierLine | None:
        """The line that speaks for the tier: the worst of those that are judged, else the first."""
        judged = [one for one in self.lines if one.verdict is not CheckVerdict.NOT_JUDGED]
        if judged:
            return max(judged, key=lambda one: one.worst.badness)
        return next(iter(self.lines), None)

    def expected(self, metric: Metric) -> tuple[float, float] | None:
        """Low and high of what the tier is held to, in the unit of ``metric``."""
        return next(
            (
                (line.worst.expected.low, line.worst.expected.high)
                for line in self.lines
                if line.metric is metric and line.worst.expected is not None
            ),
            None,
        )


def judged_ladder(rows: Sequence[Row], check: MachineCheck | None) -> tuple[JudgedRung, ...]:
    """The rungs of the ladder of ``rows``.  A figure that is held to a range is the one judged."""
    lines = check.lines if check is not None else ()
    judged = frozenset(
        (line.worst.case, line.metric) for line in reversed(lines) if line.worst.expected
    )
    return tuple(
        JudgedRung(
            rung,
            tuple(
                line
                for line in lines
                if line.tier is rung.tier and (line.part is MachinePart.PEERS) is rung.peer
            ),
        )
        for rung in ladder(rows, judged)
    )


def share_text(judged: JudgedRung) -> str:
    """``98 %`` of the low end of the range; empty where there is none."""
    share = judged.line.worst.share if judged.line is not None else None
    return "" if share is None else f"{share:.0%}"


def verdict_text(judged: JudgedRung) -> str:
    """``pass``, ``not judged``; empty where nothing is known of the tier."""
    return "" if judged.line is None else str(judged.line.verdict)
