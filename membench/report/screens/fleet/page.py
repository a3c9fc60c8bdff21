"""The page of a fleet: the same content as on the screen, and plots."""

from __future__ import annotations

from membench import __version__
from membench.analysis.fleet.summary import FleetSummary
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

_ROWS = 500  # maximum rows per table; the CSV has all


def compose(summary: FleetSummary) -> Document:
    """The page of ``summary``; the same files give the same page at any time."""
    ledger = summary.values.ledger
    missing = list(troubles(summary))
    alerts = (
        (
            Alert(
                "Read this first",
                (
                    "Failed or missing: ",
                    Link(f"{len(missing)} in all", "missing"),
                    ".",
                ),
            ),
        )
        if missing
        else ()
    )
    return Document(
        title="Fleet" if ledger is None else f"Fleet {ledger.fleet_id}",
        lead=(f"{headline(summary)}.",),
        generator=f"membench {__version__}",
        alerts=alerts,
        sections=(
            _slow(summary),
            _plots(summary),
            _absent(missing),
            _spread(summary),
            Section("method", "Method", (Bullets(tuple((one,) for one in notes(summary))),)),
        ),
    )


def _slow(summary: FleetSummary) -> Section:
    if not summary.slow:
        return Section("slow", "Slow machines", (Paragraph(("No machine is an outlier.",)),))
    columns = (
        *(Column("machine"), Column("verdict"), Column("slow in", numeric=True)),
        *(Column("by chance", numeric=True), Column("slowest case")),
        *(Column("how slow", numeric=True), Column("z", numeric=True)),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (Code(line.name),),
            ("straggler" if line.straggler else "slow",),
            (f"{len(line.slow)} of {line.judged}",),
            (chance_text(line),),
            (Code(case_name(line.slow[0])),),
            (times_text(line.slow[0].times),),
            (z_text(line.slow[0].z),),
        )
        for line in summary.slow[:_ROWS]
    ]
    table = Table("Slow machines, the most certain first", columns, tuple(rows))
    return Section("slow", "Slow machines", (table, *_rest(len(summary.slow))))


def _plots(summary: FleetSummary) -> Section:
    blocks: list[Block] = []
    for plot in (heat_map(summary), strips(summary)):
        if isinstance(plot, Figure):
            blocks.append(plot)
        else:
            blocks.append(Paragraph((f"{plot.title} is not drawn: {plot.reason}.",)))
    return Section("plots", "The fleet at a glance", tuple(blocks))


def _absent(found: list[tuple[str, str, str]]) -> Section:
    if not found:
        return Section(
            "missing", "Missing and failed", (Paragraph(("Nothing is missing, nothing failed.",)),)
        )
    columns = (Column("host or file"), Column("state"), Column("reason", prose=True))
    rows = tuple(((Code(name),), (kind,), (reason,)) for name, kind, reason in found[:_ROWS])
    table = Table("Missing, failed and incomplete", columns, rows)
    return Section("missing", "Missing and failed", (table, *_rest(len(found))))


def _spread(summary: FleetSummary) -> Section:
    titles = ("machines", "median", "spread", "1 % to 99 %", "slow")
    columns = (Column("case"), *(Column(title, numeric=True) for title in titles))
    rows: list[tuple[Line, ...]] = [
        (
            (Code(case_name(case)),),
            (str(case.machines),),
            (number(case, case.median),),
            (f"{100 * case.spread:.1f} %",),
            (f"{number(case, case.low)} to {number(case, case.high)}",),
            (str(case.slow) if case.judged else "not judged",),
        )
        for case in in_order(summary)[:_ROWS]
    ]
    table = Table("The spread of the fleet, case by case", columns, tuple(rows))
    return Section("spread", "Spread of the fleet", (table, *_rest(len(summary.cases))))


def _rest(count: int) -> tuple[Block, ...]:
    if count <= _ROWS:
        return ()
    return (Paragraph((f"And {count - _ROWS} more: membench fleet report --format csv has all.",)),)
