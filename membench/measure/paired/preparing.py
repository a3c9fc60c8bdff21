"""Prepares both sides of a paired run: two plans that differ only in the compared setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from membench.benches import registry
from membench.core.errors import UsageError
from membench.core.text import counted
from membench.machine.disks.filesystem import read_filesystem
from membench.measure.events import Observer
from membench.measure.options import FEWEST_PAIRS, PAIRS, RunOptions
from membench.measure.paired.change import WITHOUT_GPU, Change, parse_change
from membench.measure.paired.interpreter import OtherPython, ask
from membench.measure.paired.sides import SIDES, beside
from membench.measure.plan import make_plan
from membench.measure.run import Prepared, prepare
from membench.results.paths import check_unused
from membench.results.plan import Pairing, Plan


@dataclass(frozen=True)
class Half:
    """One side (A or B) of a paired run.

    Attributes:
        python: the interpreter of the side's workers; empty for this interpreter.
        variables: additional environment variables of the side's workers.
    """

    prepared: Prepared
    pairing: Pairing
    python: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, prepared: Prepared, change: Change) -> Half:
        """The side that the plan of ``prepared`` names. Only side B gets ``change``."""
        pairing = prepared.plan.pair
        assert pairing is not None
        if pairing.side == SIDES[0]:
            return cls(prepared, pairing)
        return cls(prepared, pairing, change.python, change.variables)


def prepare_pair(options: RunOptions, observer: Observer) -> tuple[Half, Half]:
    """Make the plans of sides A and B, without writing a file or running a set-up command.

    Raises:
        UsageError: ``options.versus`` is invalid, does not fit the other options, or changes
            nothing that a selected case uses.
        OutputError: a results file exists, or a scratch directory does not exist.
        MembenchError: as in `prepare`.
    """
    change = parse_change(options.versus)
    if change.device and options.device == "all":
        raise UsageError(
            "--versus device=cuda:N compares one GPU with another, but --device all names all GPUs",
            "choose the GPU of side A with --device cuda:N",
        )
    if options.output is not None:
        for side in SIDES:
            check_unused(beside(options.output, side))
    rounds = PAIRS if options.rounds is None else options.rounds
    if rounds < FEWEST_PAIRS:
        observer.warned(
            f"{counted(rounds, 'pair')} of rounds: too few for a 95 % interval, so every verdict "
            "will be unclear",
            f"omit --rounds: the default is {PAIRS} pairs",
        )
    python = ask(change.python) if change.python else None
    first = prepare(replace(options, rounds=rounds), observer)
    asked = replace(change.applied(options), rounds=rounds, seed=first.plan.seed)
    if change.device and not first.machine.gpus.devices:
        raise UsageError(
            f"there is no {change.device}: membench sees 0 GPUs",
            f"compare another setting: {WITHOUT_GPU}",
        )
    second = _other(first, asked, change, python)
    _refuse_equal(change, first.plan, second.plan)
    files = [beside(first.csv, side) for side in SIDES]
    halves = []
    for place, prepared in enumerate((first, second)):
        pairing = Pairing(
            pair_id=first.plan.run_id,
            side=SIDES[place],
            partner=files[1 - place].name,
            versus=options.versus,
            setup_a=options.setup_a,
            setup_b=options.setup_b,
        )
        plan = replace(prepared.plan, pair=pairing)
        halves.append(Half.of(Prepared(plan, prepared.machine, files[place]), change))
    _warn_of_versions(halves, observer)
    return halves[0], halves[1]


def _other(
    first: Prepared, asked: RunOptions, change: Change, python: OtherPython | None
) -> Prepared:
    """Side B: side A (``first``) with ``change`` applied to its plan and machine."""
    machine = first.machine
    if change.scratch is not None:
        places = (*machine.filesystems[:-1], read_filesystem(change.scratch))
        machine = replace(machine, filesystems=places)
    plan = make_plan(asked, registry(), machine, machine.filesystems[-1])
    if python is not None:
        plan, machine = python.planned(plan), python.described(machine)
    return Prepared(plan, machine, first.csv)


def _refuse_equal(change: Change, first: Plan, second: Plan) -> None:
    """Raise `UsageError` if cases can run, but none of them differs on side B."""
    cases = [case for case in (*first.cases, *second.cases) if not case.skipped]
    if not cases:
        return
    if change.scratch is not None and not (first.scratch or second.scratch):
        unused, globs = "the scratch directory", "'ssd/*'"
    elif change.device and all(case.gpu is None for case in cases):
        unused, globs = "a GPU", "'hbm/*'"
    elif change.device and _gpus(first) == _gpus(second):
        raise UsageError(
            f"--versus device={change.device} names the GPU that A measures, so B would equal A",
            "choose another GPU for A (--device cuda:N) or for B (--versus device=cuda:N)",
        )
    else:
        return
    raise UsageError(
        f"no selected case that can run here uses {unused}, so B would equal A",
        f"select cases that use {unused}, such as --select {globs}",
    )


def _gpus(plan: Plan) -> set[int | None]:
    return {case.gpu for case in plan.cases if not case.skipped} - {None}


def _warn_of_versions(halves: Sequence[Half], observer: Observer) -> None:
    first, second = (half.prepared.plan.cases for half in halves)
    versions = {case.id: case.version for case in first}
    other = sum(versions.get(case.id, case.version) != case.version for case in second)
    if other:
        observer.warned(
            f"cases with different versions on the two sides: {other} of {len(first)}; their "
            "verdict will be n/a",
            "to compare these cases, use the same version of membench on both sides",
        )
