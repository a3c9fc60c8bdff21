"""The page of a history: the same content as on the screen, and one plot per line."""

from __future__ import annotations

from membench import __version__
from membench.analysis.history.summary import History, HistoryLine
from membench.report.page.document import (
    Alert,
    Block,
    Bullets,
    Code,
    Column,
    Command,
    Document,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.screens.history.plots import draw
from membench.report.screens.history.words import (
    band_text,
    chance_text,
    changes_text,
    headline,
    latest_text,
    levels_text,
    method,
    newest_first,
    next_command,
    notes,
    now_text,
    page_name,
    percent,
    place_text,
    surroundings_texts,
)

_ALERTS = 3
_PLOTS = 40  # a page with more plots opens slowly; --select reduces them


def compose(history: History) -> Document:
    """The page of ``history``; the same files give the same page at any time."""
    worse = [
        (line, number)
        for line, number in newest_first(history)
        if number == len(line.changes) - 1 and line.changes[number].verdict == "worse"
    ]
    alerts = tuple(_alert(line, number) for line, number in worse[:_ALERTS])
    return Document(
        title=f"History of {history.machine}",
        lead=(f"{headline(history)}.",),
        generator=f"membench {__version__}",
        alerts=alerts,
        sections=(
            _lines(history),
            _changes(history),
            _plots(history),
            Section("method", "Method", (Bullets(tuple((one,) for one in method(history))),)),
        ),
    )


def _alert(line: HistoryLine, number: int) -> Alert:
    change = line.changes[number]
    what = f"{page_name(line)} {percent(change.ratio)} since {change.first.when}"
    return Alert("Worse", (f"{what}: {levels_text(line, number)}.",))


def _lines(history: History) -> Section:
    columns = (
        *(Column("tier and metric"), Column("runs", numeric=True), Column("now", numeric=True)),
        *(Column("noise band", numeric=True), Column("latest", numeric=True)),
        *(Column("changes"), Column("case", prose=True)),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (page_name(line),),
            (str(len(line.runs)),),
            (now_text(line),),
            (band_text(line),),
            (latest_text(line),),
            (Strong(changes_text(line)) if line.changes else changes_text(line),),
            (Code(line.key.case),),
        )
        for line in history.lines
    ]
    blocks: list[Block] = [
        Table("Each tier today, and the spread of its runs", columns, tuple(rows))
    ]
    found = tuple((note,) for note in notes(history))
    blocks += [Bullets(found)] if found else []
    return Section("tiers", "Tiers", tuple(blocks))


def _changes(history: History) -> Section:
    changes = newest_first(history)
    if not changes:
        nothing = Paragraph(("No line changed its level.",))
        return Section("changes", "Changes", (nothing,))
    parts = []
    for place, (line, number) in enumerate(changes):
        change = line.changes[number]
        facts = surroundings_texts(change)
        shown: Block = Bullets(tuple((fact,) for fact in facts))
        if not facts:
            shown = Paragraph(("No known property of the machine changed there.",))
        place_of = place_text(line, change)
        steps = f"{chance_text(change)}: {levels_text(line, number)}"
        when = (
            f"Since {place_of}, {steps} in ",
            Code(line.key.case),
            ". Last run before: ",
            Code(change.last.run_id),
            ", first after: ",
            Code(change.first.run_id),
            ".",
        )
        title = f"{page_name(line)}, {percent(change.ratio)} ({change.verdict})"
        parts.append(Section(f"change-{place + 1}", title, (Paragraph(when), shown)))
    compare: tuple[Block, ...] = (
        Paragraph(("All cases around the newest change:",)),
        Command(next_command(history)),
    )
    return Section("changes", "Changes", compare, tuple(parts))


def _plots(history: History) -> Section:
    shown = history.lines[:_PLOTS]
    blocks: list[Block] = [draw(line, place + 1) for place, line in enumerate(shown)]
    if len(shown) < len(history.lines):
        more = len(history.lines) - len(shown)
        blocks.append(Paragraph((f"{more} more lines are not drawn: choose with --select.",)))
    return Section("plots", "Run by run", tuple(blocks))
