"""Lay out one block of a comparison as a wide table, or as a list with one line per label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, repeat

from membench.analysis.comparison import Comparison
from membench.analysis.differences import Differences
from membench.analysis.line import Line
from membench.analysis.verdict import Verdict
from membench.core.text import counted
from membench.core.units import significant
from membench.report.screens.compare.cells import (
    best_texts,
    mean_text,
    ratio_texts,
    value_columns,
    verdict_texts,
)
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.view import CompareBlock
from membench.report.screens.styled import Styled

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
) -> list[Styled] | None:
    """One line per row, with the value of every label and then the findings.

    A finding has the ratio to the reference, the ratio of the best samples (if the block has such
    ratios) and the verdict. The result is None if a line is wider than ``width``. The layout does
    not use the tables of Rich, which measure each cell and are slow.
    """
    best = block.has_best
    more = _more(block)
    heads = _heads([side.label for side in comparison.sides], best=best)
    values = zip(*_values(block), strict=True)
    rows = [
        [name, *cells, *_judged(_differences(line), best=best), footnotes.numbers(line)]
        for line, name, cells in zip(block.lines, names, values, strict=True)
    ]
    means = [
        (
            text,
            {
                _ratio_column(comparison, mean.side, best=best): significant(mean.ratio)
                for mean in group
            },
        )
        for text, group in block.means_by_text
    ]
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
    for name, ratios in means:
        widths[0] = max(widths[0], len(name))
        for column, ratio in ratios.items():
            widths[column] = max(widths[column], len(ratio))
    *starts, whole = accumulate(widths, lambda start, one: start + one + len(_GAP), initial=0)
    if whole - len(_GAP) > width:
        return None
    made = [_whole(_row(cells, widths), "dim") for cells in heads]
    for line, cells in zip(block.lines, rows, strict=True):
        shown = _whole(_row(cells, widths))
        for side, verdict in enumerate(line.verdicts[1:], start=1):
            column = _ratio_column(comparison, side, best=best) + 1 + best
            _mark(shown, verdict, starts[column], widths[column])
        made.append(shown)
    below = [
        _row([name, *(ratios.get(column, "") for column in range(1, len(widths)))], widths)
        for name, ratios in means
    ]
    if below and more and len(below[-1]) + len(_GAP) + len(more) <= width:
        below[-1] = f"{below[-1]}{_GAP}{more}"
    elif more:
        below.append(more)
    return [*made, *(_whole(text, "dim") for text in below)]


def _more(block: CompareBlock) -> str:
    if not block.left_out:
        return ""
    return f"and {counted(block.left_out, 'more row')}, with smaller differences (see --all)"


def _heads(labels: Sequence[str], *, best: bool) -> list[list[str]]:
    """The header of `wide_lines`: one line, or two lines for three or more labels."""
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
    return 1 + len(comparison.sides) + (2 + best) * (side - 1)


def _values(block: CompareBlock) -> Iterator[list[str]]:
    """For each label, the aligned value cells of all rows."""
    lines = [value_columns(line.figures, block.scale) for line in block.lines]
    for side in zip(*(zip(*columns, strict=True) for columns in lines), strict=True):
        yield _aligned(zip(*side, strict=True))


def _judged(differences: Differences, *, best: bool) -> Iterator[str]:
    """The cells (ratio, best, verdict) of every label except the reference."""
    columns = [ratio_texts(differences), verdict_texts(differences)]
    if best:
        columns.insert(1, best_texts(differences))
    for cells in list(zip(*columns, strict=True))[1:]:
        yield from cells


def _differences(line: Line) -> Differences:
    assert line.differences is not None
    return line.differences


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(map(str.ljust, cells, widths)).rstrip()


def _whole(text: str, style: str = "") -> Styled:
    return Styled(text, style, no_wrap=True, overflow="ignore")


def list_lines(
    comparison: Comparison,
    block: CompareBlock,
    footnotes: Footnotes,
    names: Sequence[str],
    *,
    coloured: bool,
) -> Iterator[Styled]:
    """The layout for a narrow terminal or many labels: the case id, then a line per label.

    The first line has the names of the columns. The lines of all labels of a row are one `Styled`.
    ``coloured`` adds colours to the verdicts.
    """
    differences = [_differences(line) for line in block.lines]
    verdicts = list(map(verdict_texts, differences))
    ratios = _flat(map(ratio_texts, differences))
    title = "ratio [95% CI]" if any("[" in text for text in ratios) else "ratio"
    title, *ratios = _padded([title, *ratios])
    value, *values = _padded(["value", *_aligned_values(block)])
    if block.has_best:
        best_title, *bests = _padded(["best", *_flat(map(best_texts, differences))])
        title = f"{title}  {best_title}"
        ratios = [f"{ratio}  {best}" for ratio, best in zip(ratios, bests, strict=True)]
    head, *labels = _padded(["", *(side.label for side in comparison.sides)])
    every = set(chain.from_iterable(verdicts))
    width = max(map(len, [*every, "verdict"]))
    yield Styled(f"  {head}  {value}  {title}  {'verdict':{width}}  notes", "dim")
    columns = zip(values, ratios, strict=True)
    for line, name, found in zip(block.lines, names, verdicts, strict=True):
        yield Styled(name, overflow="fold")
        starts = [
            f"  {label}  {value}  {ratio}  "
            for label, (value, ratio) in zip(labels, columns, strict=False)
        ]
        remark = footnotes.numbers(line)
        after = f"{' ' * (width - len(found[-1]))}  {remark}" if remark else ""
        yield _of_labels(starts, found, after, line.verdicts if coloured else ())
    for mean in block.means:
        label = comparison.sides[mean.side].label
        words = mean_text(mean, several=block.several_stats)
        yield Styled(f"{label}: {words}: {significant(mean.ratio)}", "dim")
    if more := _more(block):
        yield Styled(more, "dim")


def _aligned_values(block: CompareBlock) -> list[str]:
    """The value cells, aligned, in the order of rows and then labels."""
    lines = [value_columns(line.figures, block.scale) for line in block.lines]
    return _aligned(map(_flat, zip(*lines, strict=True)))


def _of_labels(
    starts: Sequence[str], texts: Sequence[str], after: str, verdicts: Sequence[Verdict | None]
) -> Styled:
    """Join the lines of all labels of a row; ``after`` is the end of the last line.

    A line is an entry of ``starts`` followed by an entry of ``texts``. ``verdicts`` sets colours.
    """
    lines = [
        start + text if text else start.rstrip() for start, text in zip(starts, texts, strict=True)
    ]
    if after:
        lines[-1] = f"{starts[-1]}{texts[-1]}{after}"
    shown = Styled("\n".join(lines))
    end = 0
    for one, line, start, text in zip(verdicts, lines, starts, texts, strict=False):
        _mark(shown, one, end + len(start), len(text))
        end += len(line) + 1
    return shown


def _flat(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(chain.from_iterable(lists))


def _mark(shown: Styled, verdict: Verdict | None, start: int, length: int) -> None:
    if verdict is not None and _STYLE[verdict]:
        shown.stylize(_STYLE[verdict], start, start + length)


def _aligned(columns: Iterable[Sequence[str]]) -> list[str]:
    """One text per row, with cells aligned right. Columns without any text are left out."""
    found = [(column, max(map(len, column))) for column in columns]
    padded = [map(str.rjust, column, repeat(width)) for column, width in found if width]
    return list(map(" ".join, zip(*padded, strict=True)))


def _padded(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return list(map(str.ljust, texts, repeat(width)))
