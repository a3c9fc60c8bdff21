"""Prints one block of a comparison in one of two layouts: wide, or as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from rich.text import Text

from membench.analysis.comparison import Comparison, Line
from membench.analysis.finding import Difference
from membench.analysis.verdict import Verdict
from membench.core.text import counted
from membench.core.units import significant
from membench.report.screens.compare.cells import (
    best_text,
    mean_text,
    ratio_text,
    value_parts,
    verdict_text,
)
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.view import CompareBlock

_STYLE = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "bold red",
    Verdict.SAME: "",
    Verdict.UNCLEAR: "yellow",
    Verdict.NA: "dim",
}
_GAP = "  "


def wide_lines(
    comparison: Comparison,
    block: CompareBlock,
    footnotes: Footnotes,
    names: Sequence[str],
    width: int,
) -> list[Text] | None:
    """The wide layout: one line per row, with every label's value and then the findings.

    A finding is the ratio to the reference, the ratio of the best samples if the block has any, and
    the verdict. None if the lines are wider than ``width``. Rich is not used, because it measures
    and draws each cell separately, which is slow.
    """
    best = block.has_best
    more = _more(block)
    heads = _heads([side.label for side in comparison.sides], best=best)
    values = zip(*_values(comparison, block), strict=True)
    rows = [
        [name, *cells, *_judged(line, best=best), footnotes.numbers(line)]
        for line, name, cells in zip(block.lines, names, values, strict=True)
    ]
    means = [
        (
            mean_text(mean, several=block.several_stats),
            _ratio_column(comparison, mean.side, best=best),
            significant(mean.ratio),
        )
        for mean in block.means
    ]
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
    for name, column, ratio in means:
        widths[0] = max(widths[0], len(name))
        widths[column] = max(widths[column], len(ratio))
    *starts, whole = accumulate(widths, lambda start, one: start + one + len(_GAP), initial=0)
    if whole - len(_GAP) > width:
        return None
    made = [_whole(_row(cells, widths), "dim") for cells in heads]
    for line, cells in zip(block.lines, rows, strict=True):
        shown = _whole(_row(cells, widths))
        for side, entry in enumerate(line.entries[1:], start=1):
            column = _ratio_column(comparison, side, best=best) + 1 + best
            _mark(shown, entry.finding, starts[column], widths[column])
        made.append(shown)
    below = [f"{name:{starts[column]}}{ratio}" for name, column, ratio in means]
    if below and more and len(below[-1]) + len(_GAP) + len(more) <= width:
        below[-1] = f"{below[-1]}{_GAP}{more}"
    elif more:
        below.append(more)
    return [*made, *(_whole(text, "dim") for text in below)]


def _more(block: CompareBlock) -> str:
    """The number of lines that were left out; empty if there are none."""
    if not block.left_out:
        return ""
    return f"and {counted(block.left_out, 'more row')}, nearer to the reference (--all)"


def _heads(labels: Sequence[str], *, best: bool) -> list[list[str]]:
    """The header above the columns of `wide_lines`: two lines if there are several ratios."""
    reference, *others = labels
    if len(others) == 1:
        return [
            [
                "case",
                *labels,
                "ratio to ref [95% CI]",
                *(["best"] if best else []),
                "verdict",
                "notes",
            ]
        ]
    above = ["" for _ in ("case", *labels)]
    below = ["case", *labels]
    for label in others:
        above += [f"{label}/{reference}", *([""] if best else []), ""]
        below += ["[95% CI]", *(["best"] if best else []), "verdict"]
    return [[*above, ""], [*below, "notes"]]


def _ratio_column(comparison: Comparison, side: int, *, best: bool) -> int:
    """The column of the ratio of label ``side``, left of ``best`` and verdict."""
    return 1 + len(comparison.sides) + (2 + best) * (side - 1)


def _values(comparison: Comparison, block: CompareBlock) -> Iterator[list[str]]:
    for side in range(len(comparison.sides)):
        figures = (line.entries[side].figure for line in block.lines)
        yield _aligned([value_parts(figure, block.scale) for figure in figures])


def _judged(line: Line, *, best: bool) -> Iterator[str]:
    for entry in line.entries[1:]:
        yield ratio_text(entry.finding)
        if best:
            yield best_text(entry.finding)
        yield verdict_text(entry.finding)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(map(str.ljust, cells, widths)).rstrip()


def _whole(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ignore")


def list_lines(
    comparison: Comparison, block: CompareBlock, footnotes: Footnotes, names: Sequence[str]
) -> Iterator[Text]:
    """The list layout: a line for the id, and below it a line per label.

    It is for narrow terminals or many labels.
    """
    entries = [entry for line in block.lines for entry in line.entries]
    labels = _padded([side.label for side in comparison.sides])
    values = iter(_aligned([value_parts(entry.figure, block.scale) for entry in entries]))
    ratios = iter(_padded([ratio_text(entry.finding) for entry in entries]))
    verdicts = iter(_padded([verdict_text(entry.finding) for entry in entries]))
    for line, name in zip(block.lines, names, strict=True):
        yield Text(name, overflow="fold")
        remarks = ["" for _ in labels]
        remarks[-1] = footnotes.numbers(line)
        for label, entry, remark in zip(labels, line.entries, remarks, strict=True):
            start = f"  {label}  {next(values)}  {next(ratios)}  "
            verdict = next(verdicts)
            shown = Text(f"{start}{verdict}  {remark}".rstrip())
            _mark(shown, entry.finding, len(start), len(verdict))
            yield shown
    for mean in block.means:
        label = comparison.sides[mean.side].label
        words = mean_text(mean, several=block.several_stats)
        yield Text(f"{label}: {words}: {significant(mean.ratio)}", "dim")
    if more := _more(block):
        yield Text(more, "dim")


def _mark(shown: Text, finding: Difference | None, start: int, length: int) -> None:
    """Colour the verdict that begins at ``start``."""
    if finding is not None and _STYLE[finding.verdict]:
        shown.stylize(_STYLE[finding.verdict], start, start + length)


def _aligned(parts: Sequence[tuple[str, ...]]) -> list[str]:
    """One text for each of ``parts``, with aligned columns; empty columns are left out."""
    widths = [max(map(len, column)) for column in zip(*parts, strict=True)]
    return [
        " ".join(text.rjust(width) for text, width in zip(part, widths, strict=True) if width)
        for part in parts
    ]


def _padded(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return [text.ljust(width) for text in texts]
