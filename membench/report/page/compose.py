"""From runs to the whole document."""

from __future__ import annotations

from collections.abc import Sequence

from membench import __version__
from membench.report.page.document import Alert, Document, Line
from membench.report.page.runs import Run, Source
from membench.report.page.sections import (
    advice,
    claims,
    comparison,
    demand,
    derived,
    environment,
    figures,
    flags,
    headline,
    links,
    method,
    outcomes,
    reproduce,
    results,
)
from membench.report.page.sections.words import counted
from membench.thesis.claims.verdicts import Verdicts


def compose(sources: Sequence[Source], runs: Sequence[Run], judged: Verdicts) -> Document:
    """The report of ``runs`` and the verdicts on them.

    The same files give the same report, whenever it is made.
    """
    against = comparison.section(comparison.compared(sources))
    names = [run.label for run in runs] or [source.path.name for source in sources]
    return Document(
        title=", ".join(names),
        lead=_lead(runs),
        generator=f"membench {__version__}",
        alerts=tuple(
            Alert("Read this first", (problem,))
            for source in sources
            for problem in source.problems
        ),
        sections=(
            headline.section(runs),
            figures.section(runs),
            claims.section(judged),
            demand.section(judged),
            advice.section(runs, judged),
            *([against] if against is not None else []),
            *(one for one in (links.section(runs),) if one is not None),
            derived.section(runs),
            results.section(runs),
            environment.section(runs),
            outcomes.section(runs),
            flags.section(runs),
            method.section(),
            reproduce.section(sources, runs),
        ),
    )


def _lead(runs: Sequence[Run]) -> Line:
    if not runs:
        return ("The file holds no row: nothing was measured.",)
    parts = []
    for run in runs:
        devices = dict.fromkeys(row.device for row in run.rows if row.device)
        rounds = max(row.rounds for row in run.rows)
        name = f"{run.label}: " if len(runs) > 1 else ""
        device = f"{', '.join(devices)}, " if devices else ""
        when = f"measured {run.started} UTC in {counted(rounds, 'round')}"
        cited = all(row.cited for row in run.rows)
        parts.append(f"{name}{device}{'cited, not measured here' if cited else when}")
    return (f"{'; '.join(parts)}.",)
