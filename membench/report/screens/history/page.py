"""The HTML page of a history: the tables of the terminal output, and plots."""

from __future__ import annotations

from membench import __version__
from membench.analysis.history.summary import History, HistoryLine
from membench.core.messages import sentence, tr, tr_n
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
from membench.report.screens.compare.cells import verdict_word
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
    """The page of a history.

    The page does not contain the date of its creation, so the same files give the same page.
    """
    worse = [
        (line, number)
        for line, number in newest_first(history)
        if number == len(line.changes) - 1 and line.changes[number].verdict == "worse"
    ]
    alerts = tuple(_alert(line, number) for line, number in worse[:_ALERTS])
    return Document(
        title=tr("History of {machine}", machine=history.machine),
        lead=(sentence(headline(history)),),
        generator=f"membench {__version__}",
        alerts=alerts,
        sections=(
            _lines(history),
            _changes(history),
            _plots(history),
            Section("method", tr("Method"), (Bullets(tuple((one,) for one in method(history))),)),
        ),
    )


def _alert(line: HistoryLine, number: int) -> Alert:
    change = line.changes[number]
    told = tr(
        "{name} {percent} since {time}: {levels}",
        name=page_name(line),
        percent=percent(change.ratio),
        time=change.first.when,
        levels=levels_text(line, number),
    )
    return Alert(tr("Worse"), (sentence(told),))


def _lines(history: History) -> Section:
    columns = (
        *(Column(tr("tier and metric")), Column(tr("runs"), numeric=True)),
        *(Column(tr("median"), numeric=True), Column(tr("noise band"), numeric=True)),
        *(Column(tr("latest"), numeric=True), Column(tr("changes"))),
        Column(tr("case"), prose=True),
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
        Table(tr("Present level and spread of the runs, by tier"), columns, tuple(rows))
    ]
    found = tuple((note,) for note in notes(history))
    blocks += [Bullets(found)] if found else []
    return Section("tiers", tr("Tiers"), tuple(blocks))


def _changes(history: History) -> Section:
    changes = newest_first(history)
    if not changes:
        nothing = Paragraph((tr("The history has no change."),))
        return Section("changes", tr("Changes"), (nothing,))
    parts = []
    for place, (line, number) in enumerate(changes):
        change = line.changes[number]
        facts = surroundings_texts(change)
        shown: Block = Bullets(tuple((fact,) for fact in facts))
        if not facts:
            shown = Paragraph(
                (
                    tr(
                        "No known property of the machine, the rows or the settings changed at "
                        "this time."
                    ),
                )
            )
        when = (
            tr(
                "{case} changed at {time}: {levels} ({chance}). The last run before the change is "
                "{before}, and the first run after it is {after}.",
                time=place_text(line, change),
                chance=chance_text(change),
                levels=levels_text(line, number),
                case=Code(line.key.case),
                before=Code(change.last.run_id),
                after=Code(change.first.run_id),
            ),
        )
        title = tr(
            "{name}, {percent} ({verdict})",
            name=page_name(line),
            percent=percent(change.ratio),
            verdict=verdict_word(change.verdict),
        )
        parts.append(Section(f"change-{place + 1}", title, (Paragraph(when), shown)))
    compare: tuple[Block, ...] = (
        Paragraph((tr("This command compares all cases before and after the newest change:"),)),
        Command(next_command(history)),
    )
    return Section("changes", tr("Changes"), compare, tuple(parts))


def _plots(history: History) -> Section:
    shown = history.lines[:_PLOTS]
    blocks: list[Block] = [draw(line, place + 1) for place, line in enumerate(shown)]
    if len(shown) < len(history.lines):
        more = len(history.lines) - len(shown)
        blocks.append(
            Paragraph(
                (
                    tr_n(
                        "{count} more plot is not drawn. Use --select to show fewer cases.",
                        "{count} more plots are not drawn. Use --select to show fewer cases.",
                        more,
                    ),
                )
            )
        )
    return Section("plots", tr("Run by run"), tuple(blocks))
