"""Read results files, and check the machine that the files describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.analysis.check.expected import expected_of
from membench.analysis.check.machine import MachineCheck, check_machine
from membench.analysis.check.preconditions import states_by_device
from membench.analysis.check.tiers import run_gpu
from membench.analysis.references import references
from membench.core.errors import SchemaError, UsageError
from membench.core.messages import listed
from membench.core.plain import load
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import MEMORY
from membench.machine.gpus.state import GpuState
from membench.results.magnitude import check_magnitude
from membench.results.own_sidecar import own_sidecar, sidecar_unusable
from membench.results.schema import Row
from membench.results.sidecar import Sidecar
from membench.results.table import read_rows


@record
class CheckedFile:
    """The results of a check of the machine ``name``.

    Attributes:
        problems: the reasons why a sidecar was not used, one line each.
        similar: labels of runs of other machines whose processors or GPUs have the same names;
            empty if a line is judged.
    """

    name: str
    check: MachineCheck
    problems: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


@record
class _GpuNote:
    states: tuple[GpuState, ...]


def read_checked(paths: Sequence[Path], expected: Sequence[str]) -> CheckedFile:
    """Check the machine of the results files ``paths``.

    A sidecar is ignored if it is invalid or belongs to another run, or if its CSV was changed after
    the run.

    Args:
        expected: see `membench.analysis.check.expected.expected_of`.

    Raises:
        UsageError: the files are from several machines, or have no rows, or ``expected`` is
            invalid.
        SchemaError: a file cannot be read, or has an impossible value.
    """
    rows: list[Row] = []
    problems: list[str] = []
    machine: Machine | None = None
    states: list[GpuState] = []
    run_gpus: dict[str, int] = {}
    for path in paths:
        found = read_rows(path)
        check_magnitude(found)
        rows += found
        own = own_sidecar(path, {row.run_id for row in found})
        problems += [own.problem] if own.problem else []
        if own.sidecar is None or own.machine is None or own.changed:
            continue
        try:
            seen = gpu_states(own.sidecar)
        except SchemaError as error:
            problems.append(sidecar_unusable(path, error))
            continue
        machine, states = own.machine, [*states, *seen]
        run_gpus |= run_gpu(own.sidecar.plan)
    names = list(dict.fromkeys(row.machine for row in rows))
    if not names:
        raise UsageError(
            "there is nothing to check, because the results have no rows",
            "give a file of a run that measured at least one case",
        )
    if len(names) > 1:
        raise UsageError(
            "a check needs results from one machine, but the files have results from "
            f"{listed(names)}",
            "give files of one machine; use membench compare for several machines",
        )
    figures = expected_of(expected, rows, machine, paths)
    check = check_machine(rows, machine, figures, states_by_device(machine, states), run_gpus)
    similar = () if check.judged else _similar(rows, check.references)
    return CheckedFile(names[0], check, tuple(problems), similar)


def _similar(rows: Sequence[Row], used: Sequence[str]) -> tuple[str, ...]:
    here = {row.device for row in rows if row.tier in MEMORY and row.device}
    found = (one for one in references() if one.kind == "measured" and one.label not in used)
    return tuple(one.label for one in found if not here.isdisjoint(one.devices))


def gpu_states(sidecar: Sidecar) -> list[GpuState]:
    """The states of the GPUs that NVML reported, in the order of the rounds.

    Raises:
        SchemaError: a state in the sidecar is invalid.
    """
    return [
        state
        for event in sidecar.notes
        if event.kind == "gpu"
        for state in load(_GpuNote, {"states": event.data.get("states", [])}).states
    ]
