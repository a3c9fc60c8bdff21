"""Arrange the rows of a comparison for display: group, sort and select."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from membench.analysis.comparison import Comparison, Mean
from membench.analysis.line import Line
from membench.analysis.verdict import Verdict
from membench.core.record import record
from membench.core.terms import Metric, Stat
from membench.core.units import Scale, common_scale
from membench.report.screens.blocks import Block, blocks, full_name
from membench.report.screens.compare.cells import mean_text
from membench.results.compact.row import Measurement


@record
class CompareBlock:
    """The matched lines of one tier and one metric.

    Attributes:
        lines: the lines to show.
        names: the names of ``lines`` from ``block.names``.
        means: the geometric means over all matched lines of the block, shown or not.
        left_out: number of lines that `shortened` removed.
    """

    block: Block[Measurement]
    scale: Scale
    lines: tuple[Line, ...]
    names: tuple[str, ...]
    means: tuple[Mean, ...]
    left_out: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(full_name(line.row) for line in self.lines)

    @property
    def has_best(self) -> bool:
        return any(one is not None for line in self.lines for one in line.bests)

    @cached_property
    def several_stats(self) -> bool:
        return len({mean.stat for mean in self.means}) > 1

    @property
    def means_by_text(self) -> list[tuple[str, list[Mean]]]:
        """The means, grouped by a text such as ``geomean, 2 cases``."""
        groups: dict[str, list[Mean]] = {}
        for mean in self.means:
            text = mean_text(mean, several=self.several_stats)
            groups.setdefault(text, []).append(mean)
        return [*groups.items()]

    @property
    def title(self) -> str:
        """A title such as ``ddr bandwidth, GB/s (higher is better)``."""
        block = self.block
        return f"{block.tier} {block.metric}, {self.scale.unit} ({block.better} is better)"


def _by_ratio(line: Line) -> float:
    return -next((one for one in line.ratios if one is not None), 0.0)


def _by_peak(line: Line) -> float:
    figure = line.figures.at(0)
    return -(figure.peak_share or 0.0) if figure is not None else 0.0


def _by_value(line: Line) -> float:
    reference = line.figures.at(0)
    return -reference.value if reference is not None else 0.0


_PEAK = Scale(0.01, "% of peak")

SORTS: Mapping[str, Callable[[Line], float] | None] = MappingProxyType(
    {"case": None, "ratio": _by_ratio, "value": _by_value, "peak": _by_peak}
)
"""Sort keys for the lines of a block, by the value of `compare --sort`.

None keeps the order of the case ids. All keys sort descending: by the ratio of the first label, by
the value of the reference, or by the reference's share of the peak.
"""


def arrange(
    comparison: Comparison, verdicts: Collection[Verdict] = (), sort: str = "case"
) -> list[CompareBlock]:
    """The matched lines as blocks.

    Args:
        verdicts: show only lines with one of these verdicts; empty to show every line.
        sort: a key of `SORTS`.
    """
    lines = {line.key: line for line in comparison.matched}
    made = []
    for block in blocks(line.row for line in lines.values()):
        pairs = [
            (lines[row.case, row.metric, row.stat], name)
            for row, name in zip(block.rows, block.names, strict=True)
        ]
        shown = [(line, name) for line, name in pairs if _shown(line, verdicts)]
        key = SORTS[sort]
        if key is not None:
            shown.sort(key=lambda pair: key(pair[0]))
        known = (list(filter(None, line.figures.values)) for line, _ in pairs)
        smallest = map(min, filter(None, known))
        if shown:
            made.append(
                CompareBlock(
                    block=block,
                    scale=_PEAK if comparison.normalized else common_scale(block.metric, smallest),
                    lines=tuple(line for line, _ in shown),
                    names=tuple(name for _, name in shown),
                    means=tuple(
                        mean
                        for mean in comparison.means
                        if (mean.tier, mean.metric) == (block.tier, block.metric)
                    ),
                )
            )
    return made


def shortened(blocks: Sequence[CompareBlock], most: int) -> list[CompareBlock]:
    """``blocks`` reduced to about ``most`` lines in total, with at least one line per kept block.

    Lines with a verdict are preferred, then lines far from the reference. Tail percentiles are
    left out if the block has a median. Blocks of IOPS and rates are left out if the tier has a
    bandwidth.
    """
    made = []
    rated = {block.block.tier for block in blocks if block.block.metric is Metric.BANDWIDTH}
    wanted = [
        block
        for block in blocks
        if block.block.metric not in (Metric.IOPS, Metric.RATE) or block.block.tier not in rated
    ]
    each = max(1, most // max(1, len(wanted)))
    for block in wanted:
        pairs = [*zip(block.lines, block.names, strict=True)]
        middle = [pair for pair in pairs if pair[0].row.stat in (Stat.MEDIAN, Stat.P50)]
        ranked = sorted(middle or pairs, key=lambda pair: _distance(pair[0]), reverse=True)[:each]
        kept = [pair for pair in pairs if pair in ranked]
        stats = {line.row.stat for line, _ in kept}
        made.append(
            replace(
                block,
                lines=tuple(line for line, _ in kept),
                names=tuple(name for _, name in kept),
                means=tuple(mean for mean in block.means if mean.stat in stats),
                left_out=len(pairs) - len(kept),
            )
        )
    return made


def _distance(line: Line) -> tuple[bool, float]:
    """Sort key: whether the line has a verdict, and the largest absolute log of a ratio."""
    judged = any(one not in (None, Verdict.NA) for one in line.verdicts)
    return judged, max((abs(math.log(one)) for one in line.ratios if one), default=0)


def _shown(line: Line, verdicts: Collection[Verdict]) -> bool:
    return not verdicts or any(one in verdicts for one in line.verdicts)


def ordered(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict] = ()
) -> list[Line]:
    """The lines of ``blocks``, then the unmatched lines if ``verdicts`` is empty."""
    lines = [line for block in blocks for line in block.lines]
    unmatched = [line for line in comparison.lines if not line.matched]
    return lines if verdicts else lines + unmatched
