"""Footnotes to the rows of a comparison: flags, sources and other reasons for caution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter

from membench.analysis.alike import likeness_of
from membench.analysis.comparison import Comparison
from membench.analysis.figure import CaseRuns
from membench.analysis.line import Line
from membench.core.terms import FLAGS
from membench.report.screens.compare.cells import count_text
from membench.results.compact.row import Common, read_detail


class Footnotes:
    """The footnotes of a comparison, numbered in the order of first use.

    Attributes:
        texts: text of a footnote -> number of the footnote.
        of_all: flags that every compared row of every label has; such flags get no footnote.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.texts: dict[str, int] = {}
        self.of_all = flags_of_all(comparison)
        self._labels = [side.label for side in comparison.sides]

    def numbers(self, line: Line) -> str:
        """The numbers of the footnotes of ``line``, such as ``1 3``."""
        remarks = [
            *self._flags(line),
            *self._sources(line),
            *self._findings(line),
            *_cases(line, self._labels),
            *_differences(line),
        ]
        numbers = {self.texts.setdefault(text, len(self.texts) + 1) for text in remarks}
        return " ".join(map(str, sorted(numbers)))

    def _flags(self, line: Line) -> Iterator[str]:
        if all(self.of_all.issuperset(one.flags) for one in line.figures.commons):
            return
        labels: dict[str, list[str]] = {}
        for label, flags in zip(self._labels, line.figures.flags, strict=True):
            for code in flags:
                if code not in self.of_all:
                    labels.setdefault(code, []).append(label)
        for code, flag in FLAGS.items() if labels else ():
            yield from (f"{code} in {label}: {flag.meaning}" for label in labels.get(code, ()))

    def _sources(self, line: Line) -> Iterator[str]:
        """The source of each number that membench did not measure."""
        if not any(_is_of_others(one) for one in line.figures.commons):
            return
        for label, rows in zip(self._labels, line.figures.rows, strict=True):
            for row in rows if any(_is_of_others(one.common) for one in rows) else ():
                words = (row.detail.get(key, "") for key in ("source", "note"))
                yield ": ".join((label, row.backend, *filter(None, words)))

    def _findings(self, line: Line) -> Iterator[str]:
        for side, finding in sorted(line.remarkable.items()):
            label = self._labels[side]
            if finding.single_round:
                yield (
                    "single-round: each label has only one round, so its samples are compared "
                    f"(n={count_text(finding)}; confidence interval {finding.confidence:.0%})"
                )
            if finding.detail:
                yield f"{label}: {finding.detail}; {finding.settle}"


def flags_of_all(comparison: Comparison) -> frozenset[str]:
    """The flags that every value in every matched row has; empty for fewer than two rows."""
    if len(comparison.matched) < 2:
        return frozenset()
    sets = {flags for line in comparison.matched for flags in line.figures.flag_sets}
    return frozenset.intersection(*map(frozenset, sets))


def _is_of_others(one: Common) -> bool:
    return one.cited or one.imported


def _differences(line: Line) -> Iterator[str]:
    """Footnotes for numbers that are comparable although the tier or the I/O engine differs."""
    figures = line.figures
    several = len({one.tier for one in figures.commons}) > 1
    engines = set(filter(None, map(_engine, figures.detail_cells)))
    for name, of, differ in (("tier", _tiers, several), ("engine", _engines, len(engines) > 1)):
        values = [of(figure) for figure in figures] if differ else []
        if len({value for value in values if value}) > 1:
            yield f"{name} differs: {' | '.join(value or '-' for value in values)}"


def _cases(line: Line, labels: Sequence[str]) -> Iterator[str]:
    """Footnotes on harmless differences between a measured case and a published case."""
    if not any(one.cited for one in line.figures.commons):
        return
    reference, *others = line.figures
    for label, figure in zip(labels[1:], others, strict=True):
        if reference is None or figure is None or reference.cited == figure.cited:
            continue
        found = likeness_of(reference.rows[0], figure.rows[0])
        if found is not None and found.alike and found.harmless:
            yield f"{label}: alike: {'; '.join(map(str, found.harmless))}"


def _tiers(figure: CaseRuns | None) -> str:
    if figure is None:
        return ""
    commons = figure.commons
    return commons[0].tier if len(commons) == 1 else _joined(one.tier for one in commons)


def _engines(figure: CaseRuns | None) -> str:
    if figure is None:
        return ""
    cells = set(map(attrgetter("detail_cell"), figure.rows))
    return _engine(cells.pop()) if len(cells) == 1 else _joined(map(_engine, cells))


@lru_cache(maxsize=1 << 12)
def _engine(detail_cell: str) -> str:
    return (read_detail(detail_cell) or {}).get("engine", "")


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted({value for value in values if value}))
