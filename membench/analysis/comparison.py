"""The comparison of runs: matched rows, their verdicts, and rows without a match."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from membench.analysis.alike import put_alike_together, put_beside_figures
from membench.analysis.facts import Fact, compare_facts
from membench.analysis.figure import CaseRuns, figure
from membench.analysis.finding import CasePair, Difference, find
from membench.analysis.in_turns import pair_ids, paired_values
from membench.analysis.sides import Side
from membench.analysis.sources import check_strictly
from membench.analysis.statistics import geometric_mean
from membench.analysis.thresholds import PRESETS, Thresholds
from membench.analysis.verdict import Verdict
from membench.core.errors import NothingMatched, SchemaError
from membench.core.notebook import html_table
from membench.core.record import record
from membench.core.registry import matches, near
from membench.core.terms import Metric, Stat, Status, Tier
from membench.core.units import format_value, significant
from membench.results.cells import VALUES
from membench.results.compact.row import Measurement, distinct

if TYPE_CHECKING:
    import pandas as pd

    from membench.analysis.history.offsets import RunOffsets

OF_PEAK = "fraction-of-peak"
"""The unit of normalized values."""

Key = tuple[str, Metric, Stat]


@dataclass(frozen=True, slots=True)
class ComparisonCell:
    """The cell of one label in a line.

    Attributes:
        figure: its number, or None.
        finding: difference to the reference; None for the reference itself, or if either has no
            number.
        failures, skips: the reasons of its failed and skipped rows; a label with several runs may
            have them as well as a figure.
    """

    figure: CaseRuns | None
    finding: Difference | None = None
    failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, ``failed``, ``skipped``, or ``missing`` if there is no row at all."""
        if self.figure is not None:
            return str(Status.OK)
        return (
            str(Status.FAILED if self.failures else Status.SKIPPED) if self.reasons else "missing"
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is no number, or no number for some runs."""
        return self.failures + self.skips


@dataclass(frozen=True, slots=True)
class Line:
    """One (case, metric, stat) on all sides.

    Attributes:
        row: the first ok row, otherwise the first row; it gives tier, unit and direction.
        threshold: fraction above which a difference matters.
        entries: one per side, the reference first.
    """

    row: Measurement
    threshold: float
    entries: tuple[ComparisonCell, ...]

    @property
    def key(self) -> Key:
        return self.row.case, self.row.metric, self.row.stat

    @property
    def findings(self) -> tuple[Difference, ...]:
        """The differences of all labels that could be compared with the reference."""
        return tuple(entry.finding for entry in self.entries if entry.finding is not None)


@record
class Mean:
    """The geometric mean of one label's ratios to the reference: for orientation, not a verdict.

    Attributes:
        side: index of the label.
        count: number of comparable lines in the mean.
    """

    tier: Tier
    metric: Metric
    stat: Stat
    side: int
    ratio: float
    count: int


@dataclass(frozen=True, repr=False)
class Comparison:
    """Several sides compared with the first; a notebook shows the matched lines as a table.

    Attributes:
        lines: one per (case, metric, stat) of any side, in the order of first occurrence.
        normalized: whether values and peaks are fractions of the peak.
        offsets: offsets between other runs of the machine, if known.
    """

    sides: tuple[Side, ...]
    lines: tuple[Line, ...]
    thresholds: Thresholds
    normalized: bool = False
    offsets: RunOffsets | None = None

    @cached_property
    def matched(self) -> tuple[Line, ...]:
        """The lines for which the reference and another side have a number."""
        return tuple(line for line in self.lines if line.findings)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The facts about machine and run for matched rows (for all rows if none matched)."""
        lines = self.matched or self.lines
        rows = [
            [row for line in lines if (one := line.entries[side].figure) for row in one.rows]
            for side in range(len(self.sides))
        ]
        return tuple(
            compare_facts(rows, [[one.facts for one in side.sources] for side in self.sides])
        )

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """The means by tier, metric, statistic and label."""
        ratios: dict[tuple[Tier, Metric, Stat, int], list[float]] = {}
        for line in self.matched:
            for side, entry in enumerate(line.entries):
                finding = entry.finding
                if finding is not None and finding.ratio and finding.verdict is not Verdict.NA:
                    key = (line.row.tier, line.row.metric, line.row.stat, side)
                    ratios.setdefault(key, []).append(finding.ratio)
        return tuple(
            Mean(*key, ratio=geometric_mean(several), count=len(several))
            for key, several in ratios.items()
        )

    def to_frame(self) -> pd.DataFrame:
        """The matched lines as a data frame: see `membench.analysis.frame.comparison_frame`."""
        from membench.analysis.frame import comparison_frame

        return comparison_frame(self)

    def __repr__(self) -> str:
        reference, *others = self.sides
        found = [
            f"{side.label}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
            for side, counts in ((one, self.counts(n)) for n, one in enumerate(others, 1))
        ]
        return f"<Comparison with {reference.label}; {'; '.join(found)}>"

    def _repr_html_(self) -> str:
        labels = [side.label for side in self.sides]
        head = ["case", "metric", labels[0]]
        for label in labels[1:]:
            head += [label, "ratio", "verdict"]
        cells = [
            [
                line.row.case,
                f"{line.row.metric} {line.row.stat}",
                *(cell for entry in line.entries for cell in self._cells(line, entry)),
            ]
            for line in self.matched
        ]
        numbers = [2, *(place for place in range(3, len(head)) if place % 3 != 2)]
        return html_table(repr(self)[1:-1], head, cells, numbers)

    def _cells(self, line: Line, entry: ComparisonCell) -> list[str]:
        """The cells of one side: its value, and except for the reference its ratio and verdict."""
        value = "" if entry.figure is None else self._value(line.row.metric, entry.figure.value)
        if entry is line.entries[0]:
            return [value]
        found = entry.finding
        if found is None:
            return [value or entry.status, "", ""]
        ratio = "" if found.ratio is None else significant(found.ratio, 3)
        return [value, ratio, str(found.verdict)]

    def _value(self, metric: Metric, value: float) -> str:
        return f"{100 * value:.1f}%" if self.normalized else format_value(metric, value)

    def counts(self, side: int) -> Counter[Verdict]:
        """The number of lines with each verdict for the label of index ``side``."""
        findings = (line.entries[side].finding for line in self.matched)
        return Counter(finding.verdict for finding in findings if finding is not None)


def compare(
    sides: Sequence[Side],
    *,
    select: Iterable[str] = (),
    thresholds: Thresholds = PRESETS["default"],
    normalize: bool = False,
    offsets: RunOffsets | None = None,
) -> Comparison:
    """Compare ``sides`` with the first of them.

    Args:
        sides: two or more.
        select: globs for case ids; all cases if empty.
        normalize: compare shares of the peak; a row without a peak counts as skipped.
        offsets: from `offsets_of`; a verdict on one run per side then names the offset between
            runs.

    Raises:
        NothingMatched: a glob in ``select`` matches no case.
        SchemaError: the values of a row contradict each other, with file and line.
    """
    try:
        compared = _compared(sides, tuple(select), thresholds, normalize=normalize)
    except SchemaError:  # a lazily read cell of a row without file and line
        for side in sides:
            check_strictly(side.sources)
        raise
    if offsets is None:
        return compared
    lines = tuple(_with_offsets(line, offsets) for line in compared.lines)
    return replace(compared, lines=lines, offsets=offsets)


def _with_offsets(line: Line, offsets: RunOffsets) -> Line:
    """``line`` with the offset added to each of its findings on one run per side."""
    first = line.entries[0].figure
    if first is None or len(first.rows) > 1:
        return line
    offset = offsets.of(first.rows[0].common)
    cells = tuple(_with_offset(cell, offset) for cell in line.entries)
    return replace(line, entries=cells)


def _with_offset(cell: ComparisonCell, offset: float | None) -> ComparisonCell:
    """``cell`` with the offset in a finding on one run; in paired rounds the offset cancels."""
    figure, finding = cell.figure, cell.finding
    if figure is None or finding is None or len(figure.rows) > 1 or finding.in_turns:
        return cell
    return replace(cell, finding=replace(finding, offset=offset))


def _compared(
    sides: Sequence[Side], select: tuple[str, ...], thresholds: Thresholds, *, normalize: bool
) -> Comparison:
    if normalize:
        sides = [replace(side, rows=tuple(map(_of_peak, side.rows))) for side in sides]
    wanted = _selector(sides, select)
    tables = [_table(side.rows, wanted) for side in sides]
    put_beside_figures(tables)
    put_alike_together(tables)
    keys: dict[Key, Measurement] = {}
    for table in tables:
        for key, rows in table.items():
            # An ok row has more information than a skipped one that comes first.
            if key not in keys or (keys[key].status is not Status.OK):
                keys[key] = next((row for row in rows if row.status is Status.OK), rows[0])
    absent = [_absent(side.rows) for side in sides]
    lines = []
    for key, row in keys.items():
        threshold = thresholds.of(row.tier, row.metric)
        entries = [
            _entry(table.get(key, ()), gone.get(key[0], ()))
            for table, gone in zip(tables, absent, strict=True)
        ]
        lines.append(Line(row, threshold, tuple(entries)))
    partners = pair_ids(source for side in sides for source in side.sources)
    return Comparison(tuple(sides), tuple(_judged(lines, partners)), thresholds, normalize)


def _of_peak(row: Measurement) -> Measurement:
    """``row`` as a fraction of its peak, with a peak of 1; skipped if it has no peak."""
    if row.value is None:
        return row
    if row.peak is None:
        reason = "no peak is known to normalize by"
        lost = row.common._replace(status=Status.SKIPPED, reason=reason)
        return row._replace(common=lost, value=None)
    return row._replace(
        common=row.common._replace(unit=OF_PEAK, peak=1.0),
        value=row.value / row.peak,
        best=None if row.best is None else row.best / row.peak,
        rounds_cell=VALUES.to_cell(tuple(value / row.peak for value in row.round_values)),
        samples_cell="",
    )


def _selector(sides: Sequence[Side], patterns: Sequence[str]) -> frozenset[str]:
    cases = {one.case for side in sides for one in distinct(side.rows)}
    chosen = set[str]()
    for pattern in patterns:
        found = {case for case in cases if matches(case, pattern)}
        if not found:
            raise NothingMatched(f"no case matches '{pattern}'", near(pattern, cases))
        chosen |= found
    return frozenset(chosen if patterns else cases)


def _table(rows: Iterable[Measurement], wanted: Container[str]) -> dict[Key, list[Measurement]]:
    """Group the ``rows`` of the ``wanted`` cases by (case, metric, stat)."""
    alike: defaultdict[int, list[Measurement]] = defaultdict(list)
    for row in rows:
        alike[id(row.common)].append(row)
    table: dict[Key, list[Measurement]] = {}
    for several in alike.values():
        one = several[0].common
        if one.case in wanted:
            table.setdefault((one.case, one.metric, one.stat), []).extend(several)
    return table


def _absent(rows: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """The failed and skipped rows by case."""
    table: dict[str, list[Measurement]] = {}
    if any(one.status is not Status.OK for one in distinct(rows)):
        for row in rows:
            if row.status is not Status.OK:
                table.setdefault(row.case, []).append(row)
    return table


def _entry(rows: Sequence[Measurement], absent: Sequence[Measurement]) -> ComparisonCell:
    """The cell for the ``rows`` of one key, whose case has the failed or skipped rows ``absent``.

    A failed case has no rows for its statistics, so a run without a row for the key takes the
    failure or skip of the case.
    """
    if not absent and all(one.status is Status.OK for one in distinct(rows)):
        return ComparisonCell(figure(rows) if rows else None)
    runs = {row.run_id for row in rows}
    lost = [row for row in rows if row.status is not Status.OK]
    lost += [row for row in absent if row.run_id not in runs]
    good = [row for row in rows if row.status is Status.OK]
    return ComparisonCell(
        figure=figure(good) if good else None,
        failures=_reasons(lost, Status.FAILED),
        skips=_reasons(lost, Status.SKIPPED),
    )


def _reasons(rows: Iterable[Measurement], status: Status) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.reason for row in rows if row.status is status))


def _judged(lines: Sequence[Line], partners: Mapping[str, str]) -> Iterator[Line]:
    """``lines`` with a finding wherever the reference and another side have a figure.

    ``partners`` is the result of `pair_ids`.
    """
    pairs = [
        CasePair(reference, figure, line.threshold, paired_values(reference, figure, partners))
        for line in lines
        if (reference := line.entries[0].figure)
        for entry in line.entries[1:]
        if (figure := entry.figure)
    ]
    findings = iter(find(pairs))
    for line in lines:
        first, *others = line.entries
        if first.figure is None:
            yield line
        else:
            judged = (
                ComparisonCell(one.figure, next(findings), one.failures, one.skips)
                if one.figure
                else one
                for one in others
            )
            yield Line(line.row, line.threshold, (first, *judged))
