"""A paired run, which measures two settings (sides A and B) in turn.

Each side has its own plan, journal and results. Each journal names the other side (`Pairing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from membench.core.errors import JournalError, MembenchError, UsageError
from membench.core.files import shown
from membench.core.plain import dump
from membench.core.snapshot import GpuIdentity
from membench.core.text import one_line
from membench.machine import snapshot
from membench.measure.events import Observer
from membench.measure.locks import claimed
from membench.measure.options import RunOptions
from membench.measure.paired.change import parse_change
from membench.measure.paired.interpreter import ask
from membench.measure.paired.preparing import Half
from membench.measure.paired.setup import set_up
from membench.measure.paired.sides import SIDES
from membench.measure.paired.turns import measure_in_turns, paired_units
from membench.measure.resumable import resumable
from membench.measure.rounds.interrupt import Interrupt, Interrupted, interrupts
from membench.measure.run import (
    Prepared,
    RunOutcome,
    Software,
    Wall,
    check_ground,
    finish,
    prove_rows,
    refuse_complete,
    resume_command,
    used_gpus,
)
from membench.results.journal.reading import Contents, read_journal
from membench.results.journal.writing import Journal
from membench.results.paths import check_output, journal_path, new_directory
from membench.results.plan import Pairing

Halves = tuple[Half, Half]


@dataclass(frozen=True)
class PairedOutcome:
    """The outcomes of sides A and B of a paired run."""

    sides: tuple[RunOutcome, RunOutcome]

    @property
    def files(self) -> tuple[str, ...]:
        """An argument for `membench.compare`, such as ``A=o_a.csv``, for each side with results."""
        return tuple(
            f"{side.upper()}={one.csv}"
            for side, one in zip(SIDES, self.sides, strict=True)
            if one.csv is not None
        )

    @property
    def failed(self) -> bool:
        return any(one.failed for one in self.sides)

    @property
    def signum(self) -> int:
        """The signal that ended the run early; 0 for a complete run."""
        return max(one.signum for one in self.sides)


def start_pair(halves: Halves, observer: Observer, *, verbose: bool = False) -> PairedOutcome:
    """Measure the paired run that `prepare_pair` prepared.

    Raises:
        SetupFailed: a set-up command failed. The message names the file with the earlier
            measurements, if there are any.
        OutputError, JournalError, WorkerError, BackendUnavailable: as in `start`.
    """
    with new_directory(halves[0].prepared.csv):
        for half in halves:
            check_output(half.prepared.csv)
        with claimed(_gpus(halves), observer), interrupts() as interrupt:
            try:
                halves = _as_set_up(halves, interrupt)
            except Interrupted as interrupted:
                first, second = (_nothing_yet(half, interrupted.signum) for half in halves)
                return PairedOutcome((first, second))
            with ExitStack() as opened:
                journals = []
                for half in halves:
                    one = half.prepared
                    journal = Journal.create(journal_path(one.csv), one.plan, dump(one.machine))
                    # Remove the journal of side A if the journal of side B cannot be created.
                    opened.callback(journal.remove)
                    journals.append(journal)
                opened.pop_all()
            done = [Contents(half.prepared.plan, {}) for half in halves]
            return _run(halves, journals, done, observer, interrupt, verbose=verbose)


def resume_pair(
    csv: Path, options: RunOptions, observer: Observer, *, verbose: bool = False
) -> PairedOutcome:
    """Continue an interrupted paired run. ``csv`` may be any path that `resumable` accepts.

    ``options`` must repeat the difference between the sides. A journal may come from another
    person, so membench takes no command, program or variable from the journal.

    Raises:
        JournalError: there is nothing to resume, the run is not paired, or a journal is damaged, is
            in use by another process, or belongs to another machine or version.
        UsageError: ``options`` differ from those at the start of the run, or are invalid.
        OutputError, SetupFailed, WorkerError, BackendUnavailable: as in `start_pair`.
    """
    change = parse_change(options.versus)
    csv = resumable(csv)
    pairing = _pairing(csv)
    asked = (options.versus, options.setup_a, options.setup_b)
    # The journal's reader turns a command of several lines into one line.
    if tuple(map(one_line, asked)) != (pairing.versus, pairing.setup_a, pairing.setup_b):
        raise UsageError(
            f"the run of {shown(csv)} was started with other values of --versus, --setup-a or "
            "--setup-b",
            f"give these options again: {resume_command(csv, pairing)}",
        )
    files = [csv, csv.with_name(pairing.partner)]
    if pairing.side == SIDES[1]:
        files.reverse()
    python = ask(change.python) if change.python else None
    machine = snapshot([csv.parent])
    halves = []
    for side, file in zip(SIDES, files, strict=True):
        found = read_journal(journal_path(file))
        other = found.plan.pair
        if other is None or (other.pair_id, other.side) != (pairing.pair_id, side):
            raise JournalError(
                f"{shown(journal_path(file))} does not belong to the same paired run as "
                f"{shown(csv)}",
                "start a new run with a new file name: -o NEW.csv",
            )
        here, software = machine, Software.here()
        if python is not None and side == SIDES[1]:
            here, software = python.described(machine), Software(python.software, python.versions)
        check_ground(journal_path(file), found, here, software)
        prove_rows(journal_path(file), found, here)
        given = dict(zip(("versus", "setup_a", "setup_b"), asked, strict=True))
        plan = replace(found.plan, pair=replace(other, **given))
        halves.append(Half.of(Prepared(plan, here, file), change))
    both = halves[0], halves[1]
    with claimed(_gpus(both), observer), interrupts() as interrupt:
        with ExitStack() as opened:
            journals, contents = [], []
            for half in both:
                journal, kept = Journal.resume(journal_path(half.prepared.csv))
                opened.callback(journal.close)
                journals.append(journal)
                contents.append(kept)
            opened.pop_all()
        whole = [
            replace(own, units=paired_units(own, other))
            for own, other in (contents, reversed(contents))
        ]
        return _run(both, journals, whole, observer, interrupt, verbose=verbose)


def _pairing(csv: Path) -> Pairing:
    """Read the pairing from the journal of the run with the results file ``csv``.

    Raises:
        JournalError: the run is complete, or there is no readable journal of a paired run.
    """
    refuse_complete(csv)
    pairing = read_journal(journal_path(csv)).plan.pair
    if pairing is None:
        raise JournalError(
            f"{shown(csv)} does not belong to a paired run",
            f"omit --versus, --setup-a and --setup-b: {resume_command(csv)}",
        )
    return pairing


def _as_set_up(halves: Halves, interrupt: Interrupt) -> Halves:
    """Run the set-up commands. Returns ``halves`` with new snapshots of the machine.

    Without set-up commands, ``halves`` are unchanged.

    Raises:
        SetupFailed, Interrupted: as in `set_up`.
    """
    if not any(half.pairing.setup for half in halves):
        return halves
    found = []
    for half in halves:
        one = half.prepared
        set_up(half.pairing, one.plan.timeout, interrupt)
        now = snapshot([Path(place.path) for place in one.machine.filesystems])
        now = replace(
            now,
            cpu=replace(now.cpu, staircase=one.machine.cpu.staircase),
            python=one.machine.python,
            packages=one.machine.packages,
        )
        found.append(replace(half, prepared=replace(one, machine=now)))
    return found[0], found[1]


def _is_empty(journal: Journal) -> bool:
    return journal.path.exists() and not read_journal(journal.path).units


def _nothing_yet(half: Half, signum: int, again: Path | None = None) -> RunOutcome:
    one = half.prepared
    wall = Wall(0.0, 0.0, 0.0, 0.0)
    return RunOutcome(one.plan, one.machine, (), None, wall, signum, again)


def _run(
    halves: Halves,
    journals: Sequence[Journal],
    done: Sequence[Contents],
    observer: Observer,
    interrupt: Interrupt,
    *,
    verbose: bool,
) -> PairedOutcome:
    try:
        ends = measure_in_turns(halves, journals, done, observer, interrupt, verbose=verbose)
    finally:
        for journal in journals:
            journal.close()
    begun = any(read_journal(journal.path).units for journal in journals if journal.path.exists())
    outcomes = []
    trouble: MembenchError | None = None
    for half, journal, before, end in zip(halves, journals, done, ends, strict=True):
        if begun and not end.complete and _is_empty(journal):
            # The journal stays, so that the user can resume the run.
            outcomes.append(_nothing_yet(half, end.signum, again=half.prepared.csv))
            trouble = trouble or end.trouble
            continue
        try:
            outcomes.append(finish(half.prepared, journal, len(before.units), end, observer))
        # Continue, because the results of the other side must still be written.
        except MembenchError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return PairedOutcome((outcomes[0], outcomes[1]))


def _gpus(halves: Halves) -> list[GpuIdentity]:
    """The GPUs that the two sides use, each GPU once."""
    gpus: Mapping[str, GpuIdentity] = {
        gpu.uuid: gpu for half in halves for gpu in used_gpus(half.prepared)
    }
    return list(gpus.values())
