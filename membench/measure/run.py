"""Measures a whole run: makes the plan, measures the rounds, and writes the results files."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from membench.benches import registry
from membench.core.errors import (
    BackendUnavailable,
    JournalError,
    MembenchError,
    OutputError,
    SchemaError,
    WorkerError,
)
from membench.core.files import shown
from membench.core.notebook import html_table
from membench.core.plain import dump, load
from membench.core.snapshot import GpuIdentity, Machine
from membench.core.terms import Status, Tier
from membench.core.text import counted, shell_word
from membench.core.units import format_seconds, format_size, format_value
from membench.host.memory import staircase
from membench.machine import snapshot
from membench.machine.software import software_version
from membench.measure.events import Observer
from membench.measure.flags import results
from membench.measure.kernel_cache import kernel_cache
from membench.measure.locks import claimed
from membench.measure.options import RESULTS, RunOptions
from membench.measure.order import order
from membench.measure.plan import idle_skips, make_plan
from membench.measure.resumable import resumable
from membench.measure.rounds.environment import EnvironmentMonitor
from membench.measure.rounds.interrupt import Interrupted, interrupts
from membench.measure.rounds.runner import Setting, run_rounds
from membench.measure.scratch_layout import laid_out, scratch_size
from membench.results.case_result import CaseResult, Reading
from membench.results.journal.reading import Contents, read_journal
from membench.results.journal.writing import Journal
from membench.results.paths import (
    check_output,
    check_unused,
    default_path,
    has_journal,
    journal_path,
    new_directory,
    sidecar_path,
    unused_path,
)
from membench.results.plan import Pairing, Plan, PlannedCase
from membench.results.publishing import publish
from membench.results.schema import Row
from membench.results.sidecar import Sidecar
from membench.results.table import to_csv


@dataclass(frozen=True)
class Wall:
    """The wall time of a run in seconds, by type of work.

    For a resumed run, the time before the last resumption does not count.

    Attributes:
        measuring: timing or observing the cases.
        filling: writing the scratch file, and preparing the cases and their buffers.
        verifying: checking the results of the cases.
        resumed: whether the run has results from before the last resumption.
    """

    total: float
    measuring: float
    filling: float
    verifying: float
    resumed: bool = False

    @property
    def overhead(self) -> float:
        """Seconds for all other work, such as starting processes, compiling and planning."""
        return max(0.0, self.total - self.measuring - self.filling - self.verifying)


@dataclass(frozen=True, repr=False)
class RunOutcome:
    """The result of a run. A notebook shows its numbers as a table.

    Attributes:
        rows: the results, in the order of the plan.
        csv: the results file; None if the run ended early and has no results.
        signum: the signal that ended the run early; 0 for a complete run.
        again: the argument for ``--resume``; None if there is nothing to resume.
    """

    plan: Plan
    machine: Machine
    rows: Sequence[Row]
    csv: Path | None
    wall: Wall
    signum: int = 0
    again: Path | None = None

    @property
    def failed(self) -> bool:
        return any(row.status is Status.FAILED for row in self.rows)

    def __repr__(self) -> str:
        counts = Counter(str(row.status) for row in self.rows)
        told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing"
        ended = f", ended by signal {self.signum}" if self.signum else ""
        seconds = format_seconds(self.wall.total)
        seconds += " since --resume" if self.wall.resumed else ""
        return f"<RunOutcome {self.plan.machine}: {told}, in {self.csv} after {seconds}{ended}>"

    def _repr_html_(self) -> str:
        cells = [
            (
                row.case,
                f"{row.metric} {row.stat}",
                format_value(row.metric, row.value),
                "" if row.spread is None else f"{100 * row.spread:.1f}%",
                ", ".join(row.flags),
            )
            for row in self.rows
            if row.value is not None
        ]
        reasons = [
            (row.case, str(row.status), "", "", row.reason)
            for row in self.rows
            if row.value is None
        ]
        head = ("case", "metric", "value", "spread", "flags or reason")
        return html_table(repr(self)[1:-1], head, cells + reasons, numbers=(2, 3))


@dataclass(frozen=True)
class Prepared:
    """A run that has passed all checks but has not started.

    Attributes:
        named: whether the user chose the name of the results file. A chosen name must not change.
    """

    plan: Plan
    machine: Machine
    csv: Path
    named: bool = True


def prepare(options: RunOptions, observer: Observer) -> Prepared:
    """Examine the machine and make the plan, without writing a file.

    Raises:
        BackendUnavailable: with ``options.strict``, a GPU has a problem, or every selected case
            needs a GPU and cannot run.
        OutputError: the results file exists, or the scratch directory does not exist.
        UsageError, NothingMatched: as in `make_plan`.
    """
    benches = registry()
    if options.output is not None and not options.paired:
        check_unused(options.output)
    results_directory = options.output.parent if options.output else RESULTS
    scratch = options.scratch or results_directory
    if options.scratch is not None and not options.scratch.is_dir():
        raise OutputError(
            f"the scratch path {shown(options.scratch)} is not a directory",
            "give a directory that you may write to",
        )
    machine = snapshot([results_directory, scratch])
    for problem, remedy in _faults_of_gpus(machine, options):
        if options.strict:
            raise BackendUnavailable(problem, remedy)
        observer.warned(problem, remedy)
    for problem in benches.problems:
        observer.warned(problem, "")
    plan = make_plan(options, benches, machine, machine.filesystems[-1])
    for problem, hint in idle_skips(options, benches, machine):
        observer.warned(problem, hint)
    if options.strict and all(case.gpu is not None and case.skipped for case in plan.cases):
        raise BackendUnavailable(
            f"every selected case needs a GPU and is skipped: {plan.cases[0].skipped}",
            "select other cases, or run without --strict to get skipped rows",
        )
    if any(_rests_on_caches(case) for case in plan.cases):
        cpu = replace(machine.cpu, staircase=_stairs(machine, observer))
        machine = replace(machine, cpu=cpu)
        plan = make_plan(options, benches, machine, machine.filesystems[-1])
    csv = options.output or default_path(RESULTS, plan.machine, plan.started, plan.profile)
    return Prepared(plan, machine, csv, named=options.output is not None)


def _faults_of_gpus(machine: Machine, options: RunOptions) -> Iterator[tuple[str, str]]:
    """Pairs (problem, remedy) for the machine's GPUs; none with ``--device cpu``."""
    gpus = machine.gpus
    if options.device == "cpu":
        return
    if gpus.problem:
        yield gpus.problem, gpus.remedy
        return
    for fault in gpus.faults:
        yield f"{fault.where}: {fault.problem}", fault.remedy


def _stairs(machine: Machine, observer: Observer) -> tuple[tuple[int, float], ...]:
    """Measure host pointer chases. Returns pairs (bytes of working set, ns); empty if it fails."""
    stairs = staircase.measure(machine)
    ends = dict.fromkeys((*stairs[:1], *stairs[-1:]))
    told = ", ".join(f"{latency:.3g} ns in {format_size(size)}" for size, latency in ends)
    if told:
        observer.noted(f"pointer-chase latency, to check the cache sizes: {told}")
    return stairs


def _rests_on_caches(case: PlannedCase) -> bool:
    """Whether ``case`` can run and has a size or flags that depend on the host's caches."""
    return case.backend == "cpu" and case.tier is Tier.DDR and not case.skipped


def start(prepared: Prepared, observer: Observer, *, verbose: bool = False) -> RunOutcome:
    """Measure a prepared run.

    Raises:
        OutputError, JournalError: the results cannot be written.
        WorkerError: workers cannot be started.
        BackendUnavailable: another run measures on the same GPU.
    """
    with new_directory(prepared.csv):
        if prepared.named:
            check_output(prepared.csv)
        with interrupts(), claimed(used_gpus(prepared), observer):
            prepared, journal = _begun(prepared)
            nothing = Contents(prepared.plan, {})
            return _run(prepared, journal, nothing, observer, verbose=verbose)


def _begun(prepared: Prepared) -> tuple[Prepared, Journal]:
    """Create the journal. Returns ``prepared`` with the final path of the CSV, and the journal.

    If two runs without a chosen file name start in the same second, the later run takes the next
    free name.
    """
    while True:
        csv = prepared.csv if prepared.named else unused_path(prepared.csv)
        try:
            check_output(csv)
            journal = Journal.create(journal_path(csv), prepared.plan, dump(prepared.machine))
        except (JournalError, OutputError):
            # If the name is free, the error has another cause.
            if prepared.named or unused_path(csv) == csv:
                raise
        else:
            return replace(prepared, csv=csv), journal


def resume(csv: Path, observer: Observer, *, verbose: bool = False) -> RunOutcome:
    """Continue the interrupted run that ``csv`` names, from its journal.

    ``csv`` may be any path that `resumable` accepts.

    Raises:
        JournalError: there is nothing to resume, the journal is damaged or in use by another
            process, the run is one side of an unfinished paired run, or the machine or membench has
            changed.
        OutputError, WorkerError, BackendUnavailable: as in `start`.
    """
    csv = resumable(csv)
    path = journal_path(csv)
    refuse_complete(csv)
    contents = read_journal(path)
    machine = snapshot([csv.parent])
    check_ground(path, contents, machine, Software.here())
    prove_rows(path, contents, machine)
    _refuse_half(csv, contents)
    prepared = Prepared(contents.plan, machine, csv)
    with interrupts(), claimed(used_gpus(prepared), observer):
        journal, contents = Journal.resume(path)
        return _run(prepared, journal, contents, observer, verbose=verbose)


def refuse_complete(csv: Path) -> None:
    """Raise `JournalError` if the run with the results file ``csv`` is complete."""
    if not has_journal(csv) and csv.exists() and sidecar_path(csv).exists():
        raise JournalError(
            f"nothing to resume: {shown(csv)} is complete",
            "to measure again, start a new run without --resume",
        )


def _refuse_half(csv: Path, contents: Contents) -> None:
    """Raise `JournalError` if ``csv`` is one side of a paired run and cannot be resumed alone.

    A side can be resumed alone only if all of its cases are measured and the other side is
    complete. This happens if membench is killed between writing the results of the two sides.
    """
    pair = contents.plan.pair
    if pair is None:
        return
    partner = journal_path(csv.with_name(pair.partner))
    if partner.exists() or not _all_measured(contents):
        raise JournalError(
            f"{shown(csv)} is one side of a paired run",
            f"continue both sides: {resume_command(csv, pair)}",
        )


def _all_measured(contents: Contents) -> bool:
    measured = {(unit.round, unit.case) for unit in contents.units}
    settled = {unit.case for unit in contents.units if unit.status is not Status.OK}
    return all(
        (round_, case.id) in measured or case.id in settled
        for round_ in range(1, contents.plan.rounds + 1)
        for case in order(contents.plan, round_)
    )


def resume_command(csv: Path, pairing: Pairing | None = None) -> str:
    """The shell command that resumes the run with the results file ``csv``.

    With ``pairing``, the command repeats the options that made the run a paired run.
    """
    words = ["membench", "run", "--resume", shell_word(csv)]
    if pairing is not None:
        given = {
            "--versus": pairing.versus,
            "--setup-a": pairing.setup_a,
            "--setup-b": pairing.setup_b,
        }
        words += [f"{option} {shell_word(text)}" for option, text in given.items() if text]
    return " ".join(words)


def _machine_of(path: Path, contents: Contents) -> Machine:
    try:
        return load(Machine, contents.machine)
    except SchemaError as error:
        raise JournalError(
            f"{shown(path)}: {error}", "start a new run with a new file name: -o NEW.csv"
        ) from None


def prove_rows(path: Path, contents: Contents, machine: Machine) -> None:
    """Raise `JournalError` if the journal's results cannot become rows."""
    reason = ""
    for unit in contents.units:
        if not 1 <= unit.round <= contents.plan.rounds:
            reason = (
                f"a result of '{unit.case:.200}' is from round {unit.round}, but the plan has "
                f"{counted(contents.plan.rounds, 'round')}"
            )
        if unit.status is Status.OK and not all(map(_consistent, unit.readings)):
            reason = f"the samples of a result of '{unit.case:.200}' are invalid"
    try:
        to_csv(results(contents.plan, contents.units, machine))
    except (SchemaError, ValueError, ArithmeticError) as error:
        reason = str(error)
    if reason:
        raise JournalError(
            f"{shown(path)} cannot be completed: {reason}",
            "start a new run with a new file name: -o NEW.csv",
        )


def _consistent(reading: Reading) -> bool:
    """Whether the numbers of ``reading`` are valid. Later rounds compute with its samples."""
    kept = len(reading.samples)
    return (
        all(math.isfinite(one) for one in (reading.value, *reading.samples))
        and reading.value > 0
        and (1 < kept < reading.n if reading.quantiles else 1 <= kept == reading.n)
    )


def used_gpus(prepared: Prepared) -> Sequence[GpuIdentity]:
    """The GPUs that the plan uses, each GPU once."""
    used = [case.gpu for case in prepared.plan.cases if case.gpu is not None and not case.skipped]
    return [prepared.machine.gpus.devices[index] for index in dict.fromkeys(used)]


@dataclass(frozen=True)
class Software:
    """The software that measures: the version of membench, and the version of each bench.

    Attributes:
        name: value of the column `membench`.
        versions: name of a bench -> its version.
    """

    name: str
    versions: Mapping[str, int]

    @classmethod
    def here(cls) -> Software:
        versions = {name: bench.version for name, bench in registry().benches.items()}
        return cls(software_version(), versions)


def check_ground(path: Path, contents: Contents, now: Machine, software: Software) -> None:
    """Check that the journal ``path`` belongs to this machine and this software.

    Raises:
        JournalError: the machine, a used GPU, membench or the version of a case differs.
    """
    plan, then = contents.plan, _machine_of(path, contents)
    hint = "start a new run: one file cannot mix results from different machines or versions"
    if then.slug not in (now.slug, *now.former):
        raise JournalError(
            f"the journal belongs to {then.slug}, but this machine is {now.slug}", hint
        )
    if plan.software != software.name:
        raise JournalError(
            f"the journal belongs to membench {plan.software}, but this is {software.name}", hint
        )
    for case in plan.cases:
        if case.gpu is not None and not case.skipped:
            used, shown = (one.gpus.devices[case.gpu : case.gpu + 1] for one in (then, now))
            if [gpu.uuid for gpu in used] != [gpu.uuid for gpu in shown]:
                raise JournalError(f"GPU {case.gpu} is not the GPU that the run began with", hint)
        version = software.versions.get(case.bench)
        if version is None and not case.skipped:
            raise JournalError(f"this membench does not have the journal's case {case.id}", hint)
        if version not in (None, case.version):
            raise JournalError(
                f"the journal has version {case.version} of {case.id}, but this membench has "
                f"version {version}",
                hint,
            )


@dataclass(frozen=True)
class End:
    """The end of the measurements of a run.

    Attributes:
        layout: seconds for writing the scratch file.
        signum: the signal that ended the run early; 0 if none.
        trouble: the error that ended the run early; None if none.
    """

    seconds: float
    layout: float
    signum: int = 0
    trouble: MembenchError | None = None

    @property
    def complete(self) -> bool:
        return not self.signum and self.trouble is None


def _run(
    prepared: Prepared,
    journal: Journal,
    done: Contents,
    observer: Observer,
    *,
    verbose: bool,
) -> RunOutcome:
    try:
        end = _measure(prepared, journal, done, observer, verbose=verbose)
    finally:
        journal.close()
    return finish(prepared, journal, len(done.units), end, observer)


def finish(
    prepared: Prepared, journal: Journal, before: int, end: End, observer: Observer
) -> RunOutcome:
    """Make the results files of a run that has ended, from its closed ``journal``.

    ``before`` is the number of case results from before the last resumption.

    Raises:
        MembenchError: an error ended the run early, or the results cannot be written.
    """
    if end.trouble is not None and not journal.path.exists():
        raise end.trouble  # the journal was removed, and cannot be restored
    if journal.restored:
        observer.warned(
            f"{shown(journal.path)} was removed during the run and has been written again",
            "no result is lost; do not delete files in the results directory during a run",
        )
    return _publish(prepared, before, end, observer)


def _measure(
    prepared: Prepared,
    journal: Journal,
    done: Contents,
    observer: Observer,
    *,
    verbose: bool,
) -> End:
    """Measure the plan, and write the journal. A journal that was removed is written again."""
    begin = time.monotonic()
    layout_seconds, signum = 0.0, 0
    trouble: MembenchError | None = None
    plan, machine = prepared.plan, prepared.machine
    try:
        with (
            interrupts() as interrupt,
            laid_out(plan, scratch_size(plan, done.units), observer) as layout,
            closing(EnvironmentMonitor(machine, observer)) as monitor,
            kernel_cache(prepared.csv.parent, observer) as environment,
        ):
            layout_seconds = layout.seconds
            interrupt.check()
            setting = Setting(plan, machine, layout, monitor, interrupt, environment, verbose)
            run_rounds(setting, journal, done, observer)
    except Interrupted as interrupted:
        signum = interrupted.signum
    except (OutputError, WorkerError) as error:
        trouble = error
    try:
        journal.keep()
    except OutputError as error:
        trouble = trouble or error
    return End(time.monotonic() - begin, layout_seconds, signum, trouble)


def _publish(prepared: Prepared, before: int, end: End, observer: Observer) -> RunOutcome:
    """Make the CSV and the sidecar. Remove the journal if the run is complete or has no results."""
    journal = journal_path(prepared.csv)
    contents = read_journal(journal)
    wall = replace(_wall(contents.units[before:], end), resumed=before > 0)
    if not contents.units and not end.complete:
        journal.unlink()
        if end.trouble is not None:
            raise end.trouble
        return RunOutcome(contents.plan, prepared.machine, (), None, wall, end.signum)
    rows = results(contents.plan, contents.units, prepared.machine)
    again = resume_command(prepared.csv, contents.plan.pair)
    try:
        csv = publish(prepared.csv, rows, _sidecar(contents, wall, interrupted=not end.complete))
    except OutputError as error:
        raise OutputError(
            f"{end.trouble or error}; the finished measurements are in {shown(journal)}",
            f"solve the problem, then run: {again}",
        ) from error
    if csv != prepared.csv:
        observer.warned(
            f"{shown(prepared.csv)} or {sidecar_path(prepared.csv).name} belongs to another run, "
            "and is not overwritten",
            f"the results are in {shown(csv)}",
        )
    if end.trouble is not None:
        raise type(end.trouble)(
            f"{end.trouble}; the finished measurements are in {shown(csv)}",
            f"solve the problem, then run: {again}",
        )
    if end.complete:
        journal.unlink()
    return RunOutcome(
        contents.plan,
        prepared.machine,
        rows,
        csv,
        wall,
        end.signum,
        again=None if end.complete else prepared.csv,
    )


def _wall(units: Sequence[CaseResult], end: End) -> Wall:
    return Wall(
        total=end.seconds,
        measuring=sum(unit.seconds.measure for unit in units),
        filling=end.layout + sum(unit.seconds.setup for unit in units),
        verifying=sum(unit.seconds.verify for unit in units),
    )


def _sidecar(contents: Contents, wall: Wall, *, interrupted: bool) -> Sidecar:
    rounds = dict.fromkeys(unit.round for unit in contents.units)
    return Sidecar(
        plan=contents.plan,
        machine=contents.machine,
        order=tuple(
            tuple(unit.case for unit in contents.units if unit.round == round_) for round_ in rounds
        ),
        notes=contents.notes,
        seconds={
            "total": wall.total,
            "measuring": wall.measuring,
            "filling": wall.filling,
            "verifying": wall.verifying,
            "overhead": wall.overhead,
        },
        interrupted=interrupted,
        pair_id=contents.plan.pair.pair_id if contents.plan.pair else "",
    )
