"""Check a whole machine: tiers, preconditions, and GPUs that are slower than other GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from membench.analysis.check.expectation import Expectation
from membench.analysis.check.lines import DeviceLine, TierLine
from membench.analysis.check.preconditions import (
    STATES,
    Precondition,
    PreconditionState,
    preconditions,
)
from membench.analysis.check.quantities import MachinePart
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.check.stragglers import Straggler, stragglers
from membench.analysis.check.tiers import judge_tiers
from membench.core.messages import listed, tr
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import Tier
from membench.machine.gpus.state import GpuState
from membench.results.schema import Row


@record
class MachineCheck:
    """The results of a check.

    Attributes:
        references: the distinct `Expectation.reference` of the expected values; may be empty.
        lines: one per quantity; the verdicts take the preconditions into account.
        preconditions: all preconditions, met or not.
    """

    references: tuple[str, ...]
    lines: tuple[TierLine, ...]
    preconditions: tuple[Precondition, ...]
    stragglers: tuple[Straggler, ...]

    @property
    def judged(self) -> tuple[TierLine, ...]:
        return tuple(one for one in self.lines if one.verdict is not CheckVerdict.NOT_JUDGED)

    @property
    def tiers(self) -> dict[Tier, CheckVerdict]:
        """The verdict on each tier: the worst of its judged lines, or else `not judged`."""
        found: dict[Tier, list[CheckVerdict]] = {}
        for line in self.lines:
            found.setdefault(line.tier, []).append(line.verdict)
        order = list(CheckVerdict)
        judged = {
            tier: [one for one in several if one is not CheckVerdict.NOT_JUDGED]
            for tier, several in found.items()
        }
        return {
            tier: max(several, key=order.index) if several else CheckVerdict.NOT_JUDGED
            for tier, several in judged.items()
        }


def check_machine(
    rows: Iterable[Row],
    machine: Machine | None,
    expected: Sequence[Expectation],
    states: Mapping[int, GpuState] | None = None,
    run_gpus: Mapping[str, int] | None = None,
) -> MachineCheck:
    """Check the machine that ``rows`` describe.

    Args:
        machine: the snapshot of the machine; None if unknown.
        states: for each GPU index, the last state that NVML reported.
        run_gpus: see `membench.analysis.check.tiers.gpu_of`.
    """
    rows, run_gpus = tuple(rows), run_gpus or {}
    met = preconditions(rows, machine, states or {}, run_gpus)
    lines = judge_tiers(rows, expected, _parts(machine), run_gpus)
    return MachineCheck(
        references=tuple(dict.fromkeys(one.reference for one in expected)),
        lines=tuple(_weighed(line, met) for line in lines),
        preconditions=met,
        stragglers=stragglers(rows, run_gpus),
    )


def _parts(machine: Machine | None) -> tuple[MachinePart, ...]:
    if machine is None:
        return ()
    gpus = len(machine.gpus.devices)
    found = [MachinePart.HOST]
    found += [MachinePart.GPU] if gpus or machine.gpus.problem else []
    found += [MachinePart.PEERS] if gpus > 1 else []
    return tuple(found)


def _weighed(line: TierLine, met: Sequence[Precondition]) -> TierLine:
    return replace(
        line, devices=tuple(_weigh(one, _bearing(met, line.tier, one)) for one in line.devices)
    )


def _bearing(met: Sequence[Precondition], tier: Tier, line: DeviceLine) -> list[Precondition]:
    return [one for one in met if tier in one.tiers and one.device in (None, line.device)]


def _weigh(line: DeviceLine, met: Sequence[Precondition]) -> DeviceLine:
    """Change the verdict of ``line`` according to ``met``, the preconditions of the line.

    - State `UNKNOWN`: `pass` and `look` become `not judged`.
    - State `OTHER`: `look` and `fail` of a measured value become `not judged`.
    - State `BAD`: the precondition becomes the reason of a `look` or `fail` that has no reason.
    """

    def with_(verdict: CheckVerdict, found: Sequence[Precondition]) -> DeviceLine:
        why = listed(tr("{run}: {told}", run=one.name, told=one.seen) for one in found)
        brief = listed(
            tr("{name} {state}", name=one.name, state=STATES[one.state]) for one in found
        )
        return replace(line, verdict=verdict, why=why, brief=brief)

    unknown = [one for one in met if one.state is PreconditionState.UNKNOWN]
    other = [one for one in met if one.state is PreconditionState.OTHER]
    if unknown and line.verdict in (CheckVerdict.GOOD, CheckVerdict.LOOK):
        return with_(CheckVerdict.NOT_JUDGED, unknown)
    if other and line.verdict in (CheckVerdict.LOOK, CheckVerdict.FAIL) and line.value is not None:
        found = with_(CheckVerdict.NOT_JUDGED, other)
        return replace(found, why=tr("not comparable: {reasons}", reasons=found.why))
    bad = [one for one in met if one.state is PreconditionState.BAD]
    if bad and line.verdict in (CheckVerdict.LOOK, CheckVerdict.FAIL) and not line.why:
        return with_(line.verdict, bad)
    return line
