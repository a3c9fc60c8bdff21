"""The HTML page of a fleet: the tables of the terminal output, and plots."""

from __future__ import annotations

from membench import __version__
from membench.analysis.fleet.summary import FleetSummary
from membench.core.messages import sentence, span, tr, tr_n
from membench.report.page.document import (
    Alert,
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Figure,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
)
from membench.report.screens.fleet.plots import heat_map, strips
from membench.report.screens.fleet.words import (
    case_name,
    chance_text,
    headline,
    in_order,
    notes,
    number,
    times_text,
    troubles,
    z_text,
)

_ROWS = 500  # maximum number of rows per table


def compose(summary: FleetSummary) -> Document:
    """The page of a fleet.

    The page does not contain the date of its creation, so the same files give the same page.
    """
    ledger = summary.values.ledger
    missing = list(troubles(summary))
    alerts = (
        (
            Alert(
                tr("Read this first"),
                (
                    tr(
                        "Missing, failed or incomplete: {link}.",
                        link=Link(tr("{count} in all", count=len(missing)), "missing"),
                    ),
                ),
            ),
        )
        if missing
        else ()
    )
    return Document(
        title=tr("Fleet") if ledger is None else tr("Fleet {fleet}", fleet=ledger.fleet_id),
        lead=(sentence(headline(summary)),),
        generator=f"membench {__version__}",
        alerts=alerts,
        sections=(
            _slow(summary),
            _plots(summary),
            _absent(missing, known=ledger is not None),
            _spread(summary),
            Section("method", tr("Method"), (Bullets(tuple((one,) for one in notes(summary))),)),
        ),
    )


def _slow(summary: FleetSummary) -> Section:
    if not summary.slow:
        nothing = Paragraph((tr("No machine is an outlier."),))
        return Section("slow", tr("Slow machines"), (nothing,))
    columns = (
        *(Column(tr("machine")), Column(tr("verdict")), Column(tr("slow in"), numeric=True)),
        *(Column(tr("probability by chance"), numeric=True), Column(tr("slowest case"))),
        *(Column(tr("slow-down"), numeric=True), Column("z", numeric=True)),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (Code(line.name),),
            (tr("straggler") if line.straggler else tr("slow"),),
            (tr("{part} of {whole}", part=len(line.slow), whole=line.judged),),
            (chance_text(line),),
            (Code(case_name(line.slow[0])),),
            (times_text(line.slow[0].times),),
            (z_text(line.slow[0].z),),
        )
        for line in summary.slow[:_ROWS]
    ]
    table = Table(tr("Slow machines, the most certain first"), columns, tuple(rows))
    return Section("slow", tr("Slow machines"), (table, *_rest(len(summary.slow))))


def _plots(summary: FleetSummary) -> Section:
    blocks: list[Block] = []
    for plot in (heat_map(summary), strips(summary)):
        if isinstance(plot, Figure):
            blocks.append(plot)
        else:
            text = tr("{title} is not drawn: {reason}.", title=plot.title, reason=plot.reason)
            blocks.append(Paragraph((text,)))
    return Section("plots", tr("The fleet at a glance"), tuple(blocks))


def _absent(found: list[tuple[str, str, str]], *, known: bool) -> Section:
    """The section on hosts with problems; ``known``: whether a ledger names the expected hosts."""
    if not found:
        nothing = tr("No host is missing, and no case failed.") if known else tr("No case failed.")
        return Section("missing", tr("Missing and failed"), (Paragraph((nothing,)),))
    columns = (Column(tr("host or file")), Column(tr("state")), Column(tr("reason"), prose=True))
    rows = tuple(((Code(name),), (kind,), (reason,)) for name, kind, reason in found[:_ROWS])
    table = Table(tr("Missing, failed and incomplete"), columns, rows)
    return Section("missing", tr("Missing and failed"), (table, *_rest(len(found))))


def _spread(summary: FleetSummary) -> Section:
    titles = (tr("machines"), tr("median"), tr("spread"), tr("1 % to 99 %"), tr("slow"))
    columns = (Column(tr("case")), *(Column(title, numeric=True) for title in titles))
    rows: list[tuple[Line, ...]] = [
        (
            (Code(case_name(case)),),
            (str(case.machines),),
            (number(case, case.median),),
            (f"{100 * case.spread:.1f} %",),
            (span(number(case, case.low), number(case, case.high)),),
            (str(case.slow) if case.judged else tr("not judged"),),
        )
        for case in in_order(summary)[:_ROWS]
    ]
    table = Table(tr("The spread of the fleet, case by case"), columns, tuple(rows))
    return Section("spread", tr("Spread of the fleet"), (table, *_rest(len(summary.cases))))


def _rest(count: int) -> tuple[Block, ...]:
    if count <= _ROWS:
        return ()
    text = tr_n(
        "{count} more row: membench fleet report --format json prints all.",
        "{count} more rows: membench fleet report --format json prints all.",
        count - _ROWS,
    )
    return (Paragraph((text,)),)
