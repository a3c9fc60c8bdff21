"""Read the results files of a report and their sidecars, and collect the problems of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from membench.core.case_id import split_case
from membench.core.errors import SchemaError
from membench.core.files import shown
from membench.core.messages import tr
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import Status
from membench.core.text import ascii_line
from membench.results.magnitude import check_magnitude
from membench.results.own_sidecar import OwnSidecar, own_sidecar
from membench.results.paths import sidecar_path
from membench.results.schema import Row
from membench.results.sidecar import Sidecar
from membench.results.staircase import settled
from membench.results.table import read_rows


@record
class ReportSource:
    """A results file of a report.

    Attributes:
        data: the bytes of the file; empty for a pipe, because a pipe can be read only once.
        problems: problems of the file or the sidecar, one sentence each.
    """

    path: Path
    data: bytes
    problems: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes in hexadecimal; empty for a pipe."""
        return hashlib.sha256(self.data).hexdigest() if self.data else ""


@record
class Run:
    """One run in a results file.

    Attributes:
        label: unique name of the run in the report; ASCII.
        rows: the rows of the run, with the tiers that the latency curves show (`settled`).
        sidecar: None if the sidecar is missing, cannot be read, or describes another run.
        machine: the machine in ``sidecar``; None without ``sidecar``, or if the sidecar has no
            readable machine.
    """

    label: str
    source: ReportSource
    rows: tuple[Row, ...]
    sidecar: Sidecar | None
    machine: Machine | None

    @property
    def started(self) -> str:
        """The earliest start of a row in UTC, as ``2026-01-31 08:04:12``; empty if unknown."""
        first = min((row.started for row in self.rows if row.started), default="")
        return first.partition(".")[0].rstrip("Z").replace("T", " ")


def read_runs(paths: Sequence[Path]) -> tuple[tuple[ReportSource, ...], tuple[Run, ...]]:
    """The files and all runs in these files, in the order of ``paths``.

    Raises:
        SchemaError: a file is not a results file, or contains an impossible number.
    """
    sources: list[ReportSource] = []
    runs: list[Run] = []
    for path in dict.fromkeys(paths):
        source, found = _read(path)
        sources.append(source)
        runs.extend(found)
    labels = _labels(runs)
    return tuple(sources), tuple(
        replace(run, label=label) for run, label in zip(runs, labels, strict=True)
    )


def runs_of_machines(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Machine -> its runs, the newest first; machines in the order in which they first occur.

    Of runs that started at the same time, the last one counts as the newest.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.rows[0].machine, []).insert(0, run)
    for several in found.values():
        several.sort(key=lambda run: run.started, reverse=True)
    return found


def by_machine(runs: Iterable[Run]) -> list[Run]:
    """One run for each machine, in the order in which the machines first occur.

    If a machine has several runs, they are merged into one run, whose label is the name of the
    machine. The merged run has the rows of each bench from the newest run that measured the bench.
    """
    return [
        several[0] if len(several) == 1 else _merged(name, several)
        for name, several in runs_of_machines(runs).items()
    ]


def _merged(label: str, runs: Sequence[Run]) -> Run:
    """The run that `by_machine` describes, from ``runs``, the newest first."""
    found: dict[str, list[Row]] = {}
    for run in runs:
        by_bench: dict[str, list[Row]] = {}
        for row in run.rows:
            by_bench.setdefault(split_case(row.case)[0], []).append(row)
        for bench, rows in by_bench.items():
            if not _has_value(found.setdefault(bench, rows)) and _has_value(rows):
                found[bench] = rows
    machine = next((run.machine for run in runs if run.machine is not None), None)
    newest = tuple(row for rows in found.values() for row in rows)
    return replace(runs[0], label=label, rows=newest, machine=machine)


def _has_value(rows: Iterable[Row]) -> bool:
    return any(row.status is Status.OK for row in rows)


def _read(path: Path) -> tuple[ReportSource, list[Run]]:
    rows = read_rows(path)
    try:
        check_magnitude(rows)
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint) from None
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row.run_id, []).append(row)
    problems: list[str] = []
    own = OwnSidecar()
    data = b""
    if path.is_file():
        data = path.read_bytes()
        own = _own_sidecar(path, set(by_run), problems, measured=_measured(rows))
    else:
        problems.append(
            tr(
                "{file} was read from a pipe: machine, plan and command are unknown, and the "
                "report has no copy of the file",
                file=shown(Path(path.name)),
            )
        )
    source = ReportSource(path, data, tuple(problems))
    described = own.sidecar.plan.run_id if own.sidecar else None
    return source, [
        Run(
            "",
            source,
            tuple(settled(several)),
            own.sidecar if run_id == described else None,
            own.machine if run_id == described else None,
        )
        for run_id, several in by_run.items()
    ]


def _measured(rows: Sequence[Row]) -> bool:
    """Whether a sidecar is expected, because membench measured a row or there are no rows."""
    return any(not (row.cited or row.imported) for row in rows) or not rows


def _own_sidecar(
    path: Path, run_ids: set[str], problems: list[str], *, measured: bool
) -> OwnSidecar:
    name = Path(path.name)  # readers of the page must not learn the directories of its author
    found = own_sidecar(path, run_ids, name)
    if found.problem:
        problems.append(found.problem)
    elif found.sidecar is None and measured:
        problems.append(
            tr(
                "{file} has no sidecar ({sidecar} is missing): machine, plan and command are "
                "unknown, and {file} may have been changed after the run",
                file=shown(name),
                sidecar=shown(sidecar_path(name)),
            )
        )
    if found.sidecar is not None and found.sidecar.interrupted:
        problems.append(
            tr(
                "The run of {file} was interrupted: the remaining rounds or cases are missing",
                file=shown(name),
            )
        )
    return found


def _labels(runs: Sequence[Run]) -> list[str]:
    """One label per run, all different."""

    def stem(run: Run) -> str:
        return ascii_line(run.source.path.stem)

    schemes: Iterable[Callable[[Run], str]] = (
        lambda run: run.rows[0].machine,
        stem,
        lambda run: f"{run.rows[0].machine} {stem(run)}",
        lambda run: f"{stem(run)} {run.rows[0].run_id}",
    )
    for scheme in schemes:
        labels = [scheme(run) for run in runs]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number} {run.rows[0].machine}" for number, run in enumerate(runs, 1)]
