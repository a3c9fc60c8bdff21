"""Compose the whole report from runs and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from membench import __version__
from membench.core.record import record
from membench.report.page.document import Document, Section, ThesisDetail
from membench.report.page.runs import ReportSource, Run
from membench.report.page.sections import (
    advice,
    brief,
    claims,
    comparison,
    demand,
    derived,
    environment,
    flags,
    headline,
    links,
    method,
    opening,
    outcomes,
    reproduce,
    results,
)
from membench.report.page.sections.headline import JudgedRun
from membench.thesis.claims.assumptions import Assumptions
from membench.thesis.claims.verdicts import Verdicts


@record
class Measured:
    """The parts of a report that do not depend on the verdicts on the claims.

    Attributes:
        held: the runs, compared with references.
        comparison: the section that compares the files; None if there is nothing to compare.
    """

    sources: Sequence[ReportSource]
    runs: Sequence[Run]
    held: tuple[JudgedRun, ...]
    headline: Section
    plots: Section
    comparison: Section | None


def measured(sources: Sequence[ReportSource], runs: Sequence[Run], plots: Section) -> Measured:
    """The parts of a report on ``runs``; ``plots`` is the result of `figures.section`."""
    held = headline.judge(runs)
    against = comparison.section(comparison.compared(sources))
    return Measured(sources, runs, held, headline.section(held), plots, against)


def compose(
    first: Measured,
    judged: Verdicts | None,
    entries: Assumptions,
    thesis: ThesisDetail = ThesisDetail.SUMMARY,
) -> Document:
    """The whole report.

    The report does not contain the date of its creation, so the same files give the same report.

    Args:
        judged: the verdicts on the claims; None if ``thesis`` is `ThesisDetail.NONE`.
        entries: the assumptions behind the recommendations.
    """
    full = thesis is ThesisDetail.FULL
    sources, runs = first.sources, first.runs
    return Document(
        title=opening.title(sources, runs),
        lead=opening.lead(runs),
        generator=f"membench {__version__}",
        alerts=opening.alerts(sources),
        sections=(
            first.headline,
            *([brief.section(first.held, judged)] if judged is not None else []),
            first.plots,
            *([first.comparison] if first.comparison is not None else []),
            results.section(runs),
            environment.section(runs),
            advice.section(runs, entries),
            *(one for one in (links.section(runs),) if one is not None),
            derived.section(runs),
            *([claims.section(judged, full=full)] if judged is not None else []),
            *([demand.section(judged, full=full)] if judged is not None else []),
            outcomes.section(runs),
            flags.section(runs),
            method.section(),
            reproduce.section(sources, runs),
        ),
    )
