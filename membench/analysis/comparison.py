"""Compare the results of several labels case by case, and judge the differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from membench.analysis.alike import put_alike_together, put_beside_figures
from membench.analysis.differences import Differences
from membench.analysis.facts import Fact, compare_facts
from membench.analysis.figures import Figures
from membench.analysis.finding import CasePair, find
from membench.analysis.in_turns import pair_ids, paired_values
from membench.analysis.line import NOTHING_LOST, ComparisonCell, Key, Line, Lost
from membench.analysis.sides import Side
from membench.analysis.sources import check_strictly
from membench.analysis.statistics import geometric_mean
from membench.analysis.tables import TableMaker, absent, lost, rows_by_key
from membench.analysis.thresholds import PRESETS, Thresholds
from membench.analysis.verdict import Verdict
from membench.core.errors import NothingMatched, SchemaError
from membench.core.globs import matches, near
from membench.core.notebook import html_table
from membench.core.record import record
from membench.core.terms import Metric, Stat, Status, Tier
from membench.core.units import format_value, significant
from membench.results.cells import VALUES
from membench.results.compact.row import Measurement, commons_of

if TYPE_CHECKING:
    import pandas as pd

    from membench.analysis.history.offsets import RunOffsets

OF_PEAK = "fraction-of-peak"


@record
class Mean:
    """The geometric mean of ``count`` ratios of the label with index ``side``."""

    tier: Tier
    metric: Metric
    stat: Stat
    side: int
    ratio: float
    count: int


@record
class Comparison:
    """The results of several labels, each compared with the first label, the reference.

    Attributes:
        lines: one for each (case, metric, stat) that any label has.
        normalized: whether the values are divided by the peak.
        offsets: differences between unchanged runs of the machine; None if unknown.
    """

    sides: tuple[Side, ...]
    lines: tuple[Line, ...]
    thresholds: Thresholds
    normalized: bool = False
    offsets: RunOffsets | None = None

    @cached_property
    def matched(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.matched)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Facts about machine and software, from the matched lines, or from all if none matched."""
        lines = self.matched or self.lines
        of_sides = zip(*(line.figures.rows for line in lines), strict=True)
        rows = [list(chain.from_iterable(several)) for several in of_sides]
        return tuple(
            compare_facts(rows, [[one.facts for one in side.sources] for side in self.sides])
        )

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """The geometric mean of the ratios for each tier, metric, statistic and label.

        Ratios with the verdict `n/a` are left out. The reference has no mean.
        """
        groups: dict[tuple[Tier, Metric, Stat], dict[int, list[float | None]]] = {}
        for place, line in enumerate(self.matched):
            group = groups.setdefault((line.row.tier, line.row.metric, line.row.stat), {})
            group[place] = [
                None if verdict is Verdict.NA else ratio
                for ratio, verdict in zip(line.ratios, line.verdicts, strict=True)
            ]
        found: list[tuple[int, Mean]] = []
        for key, group in groups.items():
            for side, ratios in enumerate(zip(*group.values(), strict=True)):
                several = list(filter(None, ratios))
                if several:
                    first = next(place for place, ratio in zip(group, ratios, strict=True) if ratio)
                    mean = Mean(*key, side, ratio=geometric_mean(several), count=len(several))
                    found.append((first, mean))
        return tuple(mean for _, mean in sorted(found, key=lambda one: (one[0], one[1].side)))

    @cached_property
    def in_turns(self) -> bool:
        """Whether all differences are from paired rounds.

        Differences with the verdict `n/a` do not count. False if no difference counts.
        """
        lines = self.matched
        if all(line.in_turns for line in lines):
            return bool(lines)
        findings = (one for line in lines for one in line.findings)
        judged = (one.in_turns for one in findings if one.verdict is not Verdict.NA)
        return all(judged) and any({*line.verdicts} - {None, Verdict.NA} for line in lines)

    def to_frame(self) -> pd.DataFrame:
        """The matched lines as a data frame (`membench.analysis.frame.comparison_frame`)."""
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
                *(
                    cell
                    for side, entry in enumerate(line.entries)
                    for cell in self._cells(line, side, entry)
                ),
            ]
            for line in self.matched
        ]
        numbers = [2, *(place for place in range(3, len(head)) if place % 3 != 2)]
        return html_table(repr(self)[1:-1], head, cells, numbers)

    def _cells(self, line: Line, side: int, entry: ComparisonCell) -> list[str]:
        value = "" if entry.figure is None else self._value(line.row.metric, entry.figure.value)
        if not side:
            return [value]
        found = entry.finding
        if found is None:
            return [value or entry.status, "", ""]
        ratio = "" if found.ratio is None else significant(found.ratio, 3)
        return [value, ratio, str(found.verdict)]

    def _value(self, metric: Metric, value: float) -> str:
        return f"{100 * value:.1f}%" if self.normalized else format_value(metric, value)

    def counts(self, side: int) -> Counter[Verdict]:
        """Count the lines by verdict for the label of index ``side``."""
        return self._counts[side]

    @cached_property
    def _counts(self) -> list[Counter[Verdict]]:
        columns = zip(*(line.verdicts for line in self.matched), strict=True)
        counts = [Counter(filter(None, column)) for column in columns]
        return counts or [Counter() for _ in self.sides]


def compare(
    sides: Sequence[Side],
    *,
    select: Iterable[str] = (),
    thresholds: Thresholds = PRESETS["default"],
    normalize: bool = False,
    offsets: RunOffsets | None = None,
) -> Comparison:
    """Compare each of ``sides`` with the first side, the reference.

    Args:
        select: globs for case ids; all cases if empty.
        normalize: compare fractions of the peak; a row without a peak counts as skipped.
        offsets: a result of `offsets_of`; see `Difference.offset`.

    Raises:
        NothingMatched: a glob in ``select`` matches no case.
        SchemaError: the values of a row contradict each other.
    """
    try:
        compared = _compared(sides, tuple(select), thresholds, normalize=normalize)
    except SchemaError:  # the row was parsed late, without file and line
        for side in sides:
            check_strictly(side.sources)
        raise
    if offsets is None:
        return compared
    lines = tuple(_with_offsets(line, offsets) for line in compared.lines)
    return replace(compared, lines=lines, offsets=offsets)


def _with_offsets(line: Line, offsets: RunOffsets) -> Line:
    first = line.figures.rows[0]
    if len(first) != 1 or line.differences is None:
        return line
    offset = offsets.of(first[0].common)
    return replace(line, differences=line.differences.with_offset(line.figures, offset))


def _compared(
    sides: Sequence[Side], select: tuple[str, ...], thresholds: Thresholds, *, normalize: bool
) -> Comparison:
    if normalize:
        sides = [replace(side, rows=tuple(map(_of_peak, side.rows))) for side in sides]
    maker = TableMaker(_selector(sides, select) if select else None)
    tables = [maker.table(side.rows) for side in sides]
    if maker.any_cited:
        put_beside_figures(tables)
    put_alike_together(tables)
    keys: dict[Key, Measurement] = {}
    for table in tables:
        if maker.every_ok and table.keys() <= keys.keys():
            continue
        for key, rows in table.items():
            # An ok row is preferred, because only an ok row has a value.
            if key not in keys or (keys[key].status is not Status.OK):
                keys[key] = next((row for row in rows if row.status is Status.OK), rows[0])
    gone = [] if maker.every_ok else [absent(side.rows) for side in sides]
    lines = [
        _line(key, row, thresholds, rows, gone)
        for (key, row), rows in zip(keys.items(), rows_by_key(keys, tables), strict=True)
    ]
    partners = pair_ids(source for side in sides for source in side.sources)
    return Comparison(tuple(sides), tuple(_judged(lines, partners)), thresholds, normalize)


def _line(
    key: Key,
    row: Measurement,
    thresholds: Thresholds,
    rows: Sequence[Sequence[Measurement]],
    gone: Sequence[Mapping[str, Sequence[Measurement]]],
) -> Line:
    """Make the line of ``key``, without the differences from the reference.

    ``rows`` has the rows of ``key`` for each label. ``gone`` has the failed and skipped rows of
    each label by case id, or is empty if every row is ok.
    """
    losses: dict[int, Lost] = {}
    if gone:
        pairs = zip(rows, (one.get(key[0], ()) for one in gone), strict=True)
        found = {side: lost(*pair) for side, pair in enumerate(pairs)}
        losses = {side: one for side, one in found.items() if one is not NOTHING_LOST}
        rows = [tuple(one for one in several if one.status is Status.OK) for several in rows]
    return Line(row, thresholds.of(row.tier, row.metric), Figures(rows), losses)


def _of_peak(row: Measurement) -> Measurement:
    """``row`` with its values as fractions of its peak; `skipped` if the peak is unknown."""
    if row.value is None:
        return row
    if row.peak is None:
        reason = "the peak is unknown, so the value cannot be normalized"
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
    cases = {one.case for side in sides for one in commons_of(side.rows)}
    chosen = set[str]()
    for pattern in patterns:
        found = {case for case in cases if matches(case, pattern)}
        if not found:
            raise NothingMatched(f"no case matches '{pattern}'", near(pattern, cases))
        chosen |= found
    return frozenset(chosen)


def _judged(lines: Sequence[Line], partners: Mapping[str, str]) -> Iterator[Line]:
    """Yield each line with its differences; ``partners`` is a result of `pair_ids`."""
    at_once = [None if partners else _estimated(one) for one in lines]
    pairs = [
        CasePair(reference, figure, line.threshold, paired_values(reference, figure, partners))
        for line, done in zip(lines, at_once, strict=True)
        if done is None and (reference := line.figures.at(0))
        for figure in islice(line.figures, 1, None)
        if figure
    ]
    findings = iter(find(pairs))
    for line, done in zip(lines, at_once, strict=True):
        if done is not None or not line.figures.rows[0]:
            yield replace(line, differences=done)
        else:
            others = [next(findings) if rows else None for rows in line.figures.rows[1:]]
            yield replace(line, differences=Differences([None, *others]))


def _estimated(line: Line) -> Differences | None:
    if line.figures.rounds is None:
        return None
    from membench.analysis.many_differences import estimated  # few labels do not need it

    return estimated(line.figures, line.threshold)
