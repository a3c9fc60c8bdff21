"""The title of a report, the paragraph about the runs, and alerts about problems of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.files import shown
from membench.core.messages import Message, clauses, listed, listed_up_to, sentence, span, tr, tr_n
from membench.report.page.document import Alert, Line
from membench.report.page.runs import ReportSource, Run
from membench.report.page.sections.words import device_name
from membench.report.screens.plain import LISTED
from membench.results.paths import sidecar_path


def title(sources: Sequence[ReportSource], runs: Sequence[Run]) -> str:
    """The names of the runs, or of the files if there are no runs.

    If there are more than `LISTED` names, the title counts the files, runs or machines instead.
    """
    names = [run.label for run in runs] or [source.path.name for source in sources]
    if len(names) <= LISTED:
        return ", ".join(names)
    if not runs:
        return tr_n("{count} file", "{count} files", len(names))
    machines = {run.rows[0].machine for run in runs}
    told: str = tr_n("{count} machine", "{count} machines", len(machines))
    if len(machines) == len(runs):
        return told
    if len(machines) == 1:
        (told,) = machines
    count = tr_n("{count} run", "{count} runs", len(runs))
    return tr("{runs} of {machines}", runs=count, machines=told)


def alerts(sources: Sequence[ReportSource]) -> tuple[Alert, ...]:
    """One alert for each problem of the files; problems that many files share count as one."""
    shared: dict[str, list[tuple[str, ReportSource]]] = {}
    for source in sources:
        for problem in source.problems:
            shared.setdefault(_without_names(problem, source), []).append((problem, source))
    return tuple(Alert(tr("Read this first"), (_problem(several),)) for several in shared.values())


def _without_names(problem: str, source: ReportSource) -> str:
    """``problem`` with placeholders instead of the names of the file and its sidecar."""
    for path in (source.path, sidecar_path(source.path)):
        problem = str(problem).replace(_name(path), "\0")
    return problem


def _name(path: Path) -> str:
    """The printable name of a file, without its directory."""
    return shown(Path(path.name))


def _problem(several: Sequence[tuple[str, ReportSource]]) -> str:
    (first, _), *others = several
    told = tr("{sentence}.", sentence=first)
    if not others:
        return told
    more = tr_n(
        "The same is true of {count} other file: {names}.",
        "The same is true of {count} other files: {names}.",
        len(others),
        names=listed_up_to(LISTED, [_name(source.path) for _, source in others]),
    )
    return tr("{before} {item}", before=told, item=more)


def lead(runs: Sequence[Run]) -> Line:
    """For each run, the devices and the start; for many runs, only the range of the starts."""
    if not runs:
        return (tr("There are no rows: nothing was measured."),)
    if len(runs) > LISTED:
        names = listed_up_to(LISTED, [run.label for run in runs])
        return (sentence(clauses((names, *_origins(runs)))),)
    return (sentence(clauses(_run(run, named=len(runs) > 1) for run in runs)),)


def _origins(runs: Sequence[Run]) -> list[Message]:
    """Texts on the start of the runs, and on the number of runs that membench did not measure."""
    cited = sum(_cited(run) for run in runs)
    others = sum(_imported(run) for run in runs)
    starts = sorted(run.started for run in runs if not (_cited(run) or _imported(run)))
    found = []
    if starts:
        ends = starts[0] if starts[0] == starts[-1] else span(starts[0], starts[-1])
        found.append(tr("started {start} UTC", start=ends))
    if cited:
        found.append(tr_n("{count} run is cited", "{count} runs are cited", cited))
    if others:
        found.append(
            tr_n(
                "{count} run was measured by another tool",
                "{count} runs were measured by another tool",
                others,
            )
        )
    return found


def _run(run: Run, *, named: bool) -> str:
    devices = dict.fromkeys(device_name(row.device) for row in run.rows if row.device)
    rounds = max(row.rounds for row in run.rows)
    origin: Message = tr_n(
        "measured {start} UTC in {count} round",
        "measured {start} UTC in {count} rounds",
        rounds,
        start=run.started,
    )
    if _cited(run):
        origin = tr("cited, not measured here")
    elif _imported(run):
        origin = tr("measured by another tool, file dated {start} UTC", start=run.started)
    elif not rounds:
        origin = tr("started {start} UTC, but nothing was measured", start=run.started)
    told = listed([*devices, origin])
    return tr("{run}: {told}", run=run.label, told=told) if named else told


def _cited(run: Run) -> bool:
    return all(row.cited for row in run.rows)


def _imported(run: Run) -> bool:
    return not _cited(run) and all(row.imported for row in run.rows)
