"""Write a comparison as Markdown, for a pull request or a job summary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice

from membench.analysis.absences import absences
from membench.analysis.comparison import Comparison
from membench.analysis.verdict import Verdict
from membench.core.units import significant
from membench.report.page.markdown_text import escaped, table_row
from membench.report.screens.compare.cells import (
    best_texts,
    ratio_texts,
    value_columns,
    verdict_texts,
)
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.notes import (
    absence_text,
    absent_cases,
    fact_lines,
    legend,
    notes,
    nothing_shown,
    problems,
    side_text,
    summary,
)
from membench.report.screens.compare.view import CompareBlock


def to_markdown(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict] = ()
) -> str:
    """ASCII Markdown: the summary, a table per block, the unmatched cases, and the notes.

    If ``blocks`` is empty because no line has one of ``verdicts``, a line says so.
    """
    return "\n".join(_lines(comparison, blocks, verdicts)) + "\n"


def _lines(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict]
) -> Iterator[str]:
    yield "## membench compare"
    yield ""
    yield from _items(summary(comparison))
    yield from _table(
        ["label", "", "results"],
        (
            [side.label, "" if place else "reference", side_text(side)]
            for place, side in enumerate(comparison.sides)
        ),
    )
    yield from _items(f"{heading}: {text}" for heading, text in fact_lines(comparison))
    footnotes = Footnotes(comparison)
    for block in blocks:
        yield f"### {escaped(block.title)}"
        yield ""
        yield from _block(comparison, block, footnotes)
    if none := nothing_shown(comparison, blocks, verdicts):
        yield none
        yield ""
    if footnotes.texts:
        yield from (f"{number}. {escaped(text)}" for text, number in footnotes.texts.items())
        yield ""
    if told := legend(comparison, blocks):
        yield escaped(told)
        yield ""
    for absence in absences(comparison):
        yield f"**{escaped(absence_text(absence))}**"
        yield ""
        yield from _items(absent_cases(absence))
    yield from _items([*problems(comparison), *notes(comparison)])


def _block(comparison: Comparison, block: CompareBlock, footnotes: Footnotes) -> Iterator[str]:
    reference, *others = (side.label for side in comparison.sides)
    best = ["best"] if block.has_best else []
    judged = [
        head
        for label in others
        for head in (f"{label}/{reference} [95% CI]", *best, f"{label} verdict")
    ]
    head = ["case", reference, *others, *judged, "notes"]
    rows = []
    for line, name in zip(block.lines, block.ids, strict=True):
        parts = zip(*value_columns(line.figures, block.scale), strict=True)
        values = [" ".join(filter(None, part)) for part in parts]
        found = line.differences
        assert found is not None
        columns = [ratio_texts(found), *([best_texts(found)] if best else []), verdict_texts(found)]
        findings = chain.from_iterable(islice(zip(*columns, strict=True), 1, None))
        rows.append([name, *values, *findings, footnotes.numbers(line)])
    for text, means in block.means_by_text:
        row = [text, *[""] * (len(head) - 1)]
        width = 2 + len(best)
        for mean in means:
            row[len(comparison.sides) + 1 + width * (mean.side - 1)] = significant(mean.ratio)
        rows.append(row)
    yield from _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield table_row(head)
    yield table_row(["---"] * len(head), plain=True)
    for row in rows:
        yield table_row(row)
    yield ""


def _items(texts: Iterable[str]) -> Iterator[str]:
    yield from (f"- {escaped(text)}" for text in texts)
    yield ""
