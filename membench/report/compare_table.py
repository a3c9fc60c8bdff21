"""One block of a comparison on the screen, in two layouts: wide, and as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from membench.analyse.compare import Comparison
from membench.analyse.finding import Finding
from membench.analyse.verdict import Verdict
from membench.report.compare_cells import mean_text, ratio_text, value_parts, verdict_text
from membench.report.compare_footnotes import Footnotes
from membench.report.compare_view import CompareBlock
from membench.units import significant

_STYLE = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "bold red",
    Verdict.SAME: "",
    Verdict.UNCLEAR: "yellow",
    Verdict.NA: "dim",
}


def wide_table(
    comparison: Comparison, block: CompareBlock, footnotes: Footnotes, names: Sequence[str]
) -> Table:
    """One line a row: every label's value, then ratio and verdict of all but the reference."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("case", no_wrap=True)
    reference, *others = (side.label for side in comparison.sides)
    for label in (reference, *others):
        table.add_column(Text(label), no_wrap=True)
    for label in others:
        table.add_column(Text(f"{label}/{reference}\n[95% CI]"), no_wrap=True)
        table.add_column("verdict", no_wrap=True)
    table.add_column("notes", no_wrap=True)
    values = zip(
        *(
            _aligned([value_parts(line.entries[side].figure, block.scale) for line in block.lines])
            for side in range(len(comparison.sides))
        ),
        strict=True,
    )
    for line, name, cells in zip(block.lines, names, values, strict=True):
        row = [Text(name), *map(Text, cells)]
        for entry in line.entries[1:]:
            row += [
                Text(ratio_text(entry.finding)),
                _verdict(verdict_text(entry.finding), entry.finding),
            ]
        table.add_row(*row, footnotes.numbers(line))
    for mean in block.means:
        before = [""] * (len(comparison.sides) + 2 * (mean.side - 1))
        name = mean_text(mean, several=block.several_stats)
        table.add_row(Text(name, "dim"), *before, Text(significant(mean.ratio), "dim"))
    return table


def list_lines(
    comparison: Comparison, block: CompareBlock, footnotes: Footnotes, names: Sequence[str]
) -> Iterator[Text]:
    """A line for the id, and one for each label below it: for a narrow terminal or many labels."""
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
            shown = Text(f"  {label}  {next(values)}  {next(ratios)}  ")
            shown.append(_verdict(next(verdicts), entry.finding))
            shown.append(f"  {remark}")
            shown.rstrip()
            yield shown
    for mean in block.means:
        label = comparison.sides[mean.side].label
        words = mean_text(mean, several=block.several_stats)
        yield Text(f"{label}: {words}: {significant(mean.ratio)}", "dim")


def _verdict(text: str, finding: Finding | None) -> Text:
    return Text(text, _STYLE[finding.verdict] if finding is not None else "")


def _aligned(parts: Sequence[tuple[str, ...]]) -> list[str]:
    """A cell for each of ``parts``, their columns below each other; empty columns are left out."""
    widths = [max(map(len, column)) for column in zip(*parts, strict=True)]
    return [
        " ".join(text.rjust(width) for text, width in zip(part, widths, strict=True) if width)
        for part in parts
    ]


def _padded(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return [text.ljust(width) for text in texts]
