"""The section with the properties of the machines and runs."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import clauses, tr, tr_n
from membench.core.units import format_seconds
from membench.report.page.document import (
    Block,
    Column,
    Definitions,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import FACTS, device_name, origin
from membench.report.screens.info import facts
from membench.results.schema import Row

_EVERY_RUN = frozenset({tr("run"), tr("seed"), tr("started"), tr("duration")})
"""Properties that usually differ between runs; a difference is not marked."""
_COLUMNS = ("machine", "device", "driver", "cuda", "membench", "kernel", "backend")


def section(runs: Sequence[Run]) -> Section:
    """A list of the properties of one run, or a table that compares several runs."""
    blocks: list[Block] = [
        Paragraph(
            (
                *([Strong(tr("{title}: ", title=run.label))] if len(runs) > 1 else []),
                tr("No sidecar describes this machine. The values come from the rows."),
            )
        )
        for run in runs
        if run.machine is None
    ]
    found = [_facts(run) for run in runs]
    if len(runs) == 1:
        blocks.append(Definitions(tuple((fact, (value,)) for fact, value in found[0].items())))
    elif runs:
        blocks.append(_table([run.label for run in runs], found))
    return Section("environment", tr("Environment"), tuple(blocks))


def _facts(run: Run) -> dict[str, str]:
    """Property -> value; several values are joined by semicolons."""
    known: dict[str, str] = {}
    if run.sidecar is not None:
        plan = run.sidecar.plan
        total = run.sidecar.seconds.get("total")
        known[tr("run")] = tr_n(
            "{run}, {profile} profile, {count} round planned",
            "{run}, {profile} profile, {count} rounds planned",
            plan.rounds,
            run=plan.run_id,
            profile=plan.profile,
        )
        known[tr("seed")] = str(plan.seed)
        known[tr("started")] = plan.started
        known[tr("duration")] = format_seconds(total) if total is not None else ""
        known[tr("membench")] = plan.software
    if run.machine is not None:
        for fact, value in facts(run.machine):
            known[fact] = clauses((known[fact], value)) if known.get(fact) and value else value
    else:
        for column in _COLUMNS:
            values = dict.fromkeys(_of(row, column) for row in run.rows)
            known[FACTS[column]] = clauses(value for value in values if value)
    return {fact: value for fact, value in known.items() if value}


def _of(row: Row, column: str) -> str:
    if column == "backend":
        return origin(row)
    return device_name(row.device) if column == "device" else str(getattr(row, column))


def _table(labels: Sequence[str], found: Sequence[dict[str, str]]) -> Table:
    names = dict.fromkeys(name for one in found for name in one)
    rows: list[tuple[Line, ...]] = []
    for name in names:
        values = [one.get(name, "") for one in found]
        known = {value for value in values if value}
        differs: Line = ()
        if len(known) > 1 and name not in _EVERY_RUN:
            differs = (Strong(tr("differs")),)
        rows.append(((name,), *((value,) for value in values), differs))
    columns = (
        Column(tr("fact")),
        *(Column(label, prose=True) for label in labels),
        Column(tr("differs")),
    )
    return Table(tr("Machines and runs side by side"), columns, tuple(rows))
