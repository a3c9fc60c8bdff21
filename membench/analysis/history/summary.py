"""Find the noise, the levels and the changes of each tier and metric in the runs of a machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from membench.analysis.history.changepoints import ChangePoint, find_changes
from membench.analysis.history.reading import (
    HistoryRun,
    RunRecord,
    RunSeries,
    SeriesKey,
    sidecar_of,
)
from membench.analysis.history.surroundings import (
    RUNS_LOOKED_AT,
    SurroundingChange,
    facts_of,
    switched,
)
from membench.analysis.ladder import represents_tier
from membench.analysis.thresholds import PRESETS, Thresholds
from membench.analysis.verdict import Verdict
from membench.core.errors import NothingMatched
from membench.core.globs import matches, near
from membench.core.record import record
from membench.core.terms import OFF_TIER_FLAGS, Better, Metric, Stat, Tier

Floats = NDArray[np.float64]
Sidecars = Callable[[HistoryRun], Mapping[str, Any]]

BAND = 0.9
"""Share of the runs whose values are within the noise band of their level."""
PAIRS = 0.95
"""Share of the pairs of runs that differ by at most `HistoryLine.offset`.

Each run counts relative to the median of its level.
"""
_OFTEN = 0.9  # minimum share of runs with a case, relative to the tier's most frequent case
_PAIRED = 500  # maximum number of runs to pair, the newest


BANDED = 10
"""Minimum number of values of a noise band.

With a few values, the quantiles exclude the smallest and the largest value, a large share.
"""

_ROUNDING = 1e-9  # exp(log(value)) may differ from the value in its last digits


@record
class Level:
    """Consecutive runs without a change between them.

    Attributes:
        start, end: indices in the series, the end exclusive.
        median: in the unit of the file.
        low, high: ends of the noise band, in the unit of the file. The scatter of the runs in all
            levels decides the width of the band.
    """

    start: int
    end: int
    median: float
    low: float
    high: float


@record
class LevelChange:
    """The change from one level to the next.

    Attributes:
        place: index in the series of the first value of the new level.
        last, first: the last run before the change, and the first run after it.
        ratio: median of the new level / median of the old level.
        p: see `ChangePoint`.
        surroundings: facts about the machine that changed at about the same run, the nearest first.
    """

    place: int
    last: HistoryRun
    first: HistoryRun
    ratio: float
    verdict: Verdict
    p: float
    surroundings: tuple[SurroundingChange, ...]


@record
class HistoryLine:
    """The values of one case, metric and statistic over time.

    Attributes:
        values: the value of each run, in the unit of the key.
        levels: at least one; the last is the present level.
        offset: fraction (see `pair_offset`) that the difference of two runs of the same level
            rarely exceeds; None if no level has two runs.
        failures: number of runs in which the case failed.
        earlier: number of runs of the case with another key, such as another version.
    """

    key: SeriesKey
    runs: tuple[HistoryRun, ...]
    values: tuple[float, ...]
    levels: tuple[Level, ...]
    changes: tuple[LevelChange, ...]
    offset: float | None
    failures: int = 0
    earlier: int = 0

    @property
    def level(self) -> Level:
        return self.levels[-1]

    @property
    def latest(self) -> float:
        return self.values[-1]

    @property
    def has_band(self) -> bool:
        """Whether there are enough runs for a noise band."""
        return len(self.values) >= BANDED

    @property
    def outside(self) -> bool:
        """Whether ``latest`` is outside the noise band; False without a band."""
        low, high = self.level.low * (1 - _ROUNDING), self.level.high * (1 + _ROUNDING)
        return self.has_band and not low <= self.latest <= high


@record
class ExpectedRange:
    """The range in which the next run is expected: the noise band of the present level.

    Attributes:
        low, median, high: in ``key.unit``.
        runs: number of runs in the present level.
        since: the first of these runs.
        change: the change at which this level began; None if the level never changed.
    """

    key: SeriesKey
    low: float
    median: float
    high: float
    runs: int
    since: HistoryRun
    change: LevelChange | None = None


@record
class History:
    """The runs of one machine over time.

    Attributes:
        lines: one per tier and metric; with ``every_case`` of `history_of`, one per case, metric
            and statistic. Ordered by tier and metric.
        thresholds: smallest changes that are reported.
        untested: number of cases, metrics and statistics without a line.
    """

    record: RunRecord
    lines: tuple[HistoryLine, ...]
    thresholds: Thresholds
    untested: int = 0

    @property
    def machine(self) -> str:
        """The machine's name in the newest run."""
        return self.record.runs[-1].machine

    @property
    def changed(self) -> tuple[HistoryLine, ...]:
        return tuple(line for line in self.lines if line.changes)

    def expected(self) -> dict[tuple[Tier, Metric, str, Stat], ExpectedRange]:
        return {
            (line.key.tier, line.key.metric, line.key.case, line.key.stat): ExpectedRange(
                key=line.key,
                low=line.level.low,
                median=line.level.median,
                high=line.level.high,
                runs=line.level.end - line.level.start,
                since=line.runs[line.level.start],
                change=line.changes[-1] if line.changes else None,
            )
            for line in self.lines
        }


def history_of(
    record: RunRecord,
    *,
    select: Iterable[str] = (),
    every_case: bool = False,
    thresholds: Thresholds = PRESETS["default"],
) -> History:
    """Find levels and changes in ``record``.

    Args:
        select: globs for case ids; all cases if empty.
        every_case: make a line for each case, metric and statistic. Otherwise make a line for each
            tier and metric, from the best of the cases that nearly all runs have.
        thresholds: smaller changes are not reported.

    Raises:
        NothingMatched: a glob in ``select`` matches no case, or no run has a value.
    """
    series = _selected(record, tuple(select))
    current, earlier = _newest_versions(series)
    if not current:
        raise NothingMatched(
            "no run has a value of a matching case" if select else "no run has a value",
            "'membench report' lists the skipped and failed cases with the reasons",
        )
    chosen = _ordered(current if every_case else _leading(current))
    logs = [np.log(current[key].values) for key in chosen]
    found = find_changes(logs)
    sidecar = cache(sidecar_of)
    lines = [
        _line(record, key, current[key], changes, thresholds, earlier[key], sidecar)
        for key, changes in zip(chosen, found, strict=True)
    ]
    return History(record, tuple(lines), thresholds, untested=len(current) - len(chosen))


def _selected(record: RunRecord, select: Sequence[str]) -> Mapping[SeriesKey, RunSeries]:
    for pattern in select:
        if not any(matches(key.case, pattern) for key in record.series):
            cases = dict.fromkeys(key.case for key in record.series)
            raise NothingMatched(f"no case matches '{pattern}'", near(pattern, cases))
    return {
        key: one
        for key, one in record.series.items()
        if not select or any(matches(key.case, pattern) for pattern in select)
    }


def _newest_versions(
    series: Mapping[SeriesKey, RunSeries],
) -> tuple[dict[SeriesKey, RunSeries], dict[SeriesKey, int]]:
    """For each case, metric and statistic, choose the series that contains the newest run.

    The other series differ in another part of the key, such as the version. The second result maps
    the key of each chosen series to the number of runs of the other series.
    """
    groups: dict[tuple[str, Metric, Stat], list[SeriesKey]] = {}
    for key in series:
        groups.setdefault((key.case, key.metric, key.stat), []).append(key)
    current: dict[SeriesKey, RunSeries] = {}
    earlier: dict[SeriesKey, int] = {}
    for keys in groups.values():
        newest = max(keys, key=lambda key: int(series[key].runs[-1]))
        current[newest] = series[newest]
        earlier[newest] = sum(len(series[key].runs) for key in keys if key != newest)
    return current, earlier


def _leading(series: Mapping[SeriesKey, RunSeries]) -> list[SeriesKey]:
    """For each tier and metric, choose the best of the cases that nearly all runs have.

    Cases that represent the tier (`represents_tier`) are preferred.
    Only medians count. Measurements under load are left out, and so are series whose newest row has
    a flag of `OFF_TIER_FLAGS`.
    """
    groups: dict[tuple[Tier, Metric], list[SeriesKey]] = {}
    for key, one in series.items():
        bench = "/".join(part for part in key.case.split("/") if "=" not in part)
        off = not OFF_TIER_FLAGS.isdisjoint(one.commons[-1].flags)
        if key.stat in (Stat.MEDIAN, Stat.P50) and not bench.endswith("/loaded") and not off:
            groups.setdefault((key.tier, key.metric), []).append(key)
    chosen = []
    for keys in groups.values():
        most = max(len(series[key].runs) for key in keys)
        often = [key for key in keys if len(series[key].runs) >= _OFTEN * most]
        often = [key for key in often if represents_tier(key.case)] or often
        chosen.append(min(often, key=lambda key: (_badness(key, series[key]), key.case)))
    return chosen


def _badness(key: SeriesKey, one: RunSeries) -> float:
    median = float(np.median(one.values))
    return -median if key.better is Better.HIGHER else median


def _ordered(keys: Iterable[SeriesKey]) -> list[SeriesKey]:
    tiers, metrics, stats = list(Tier), list(Metric), list(Stat)
    return sorted(
        keys,
        key=lambda key: (
            tiers.index(key.tier),
            metrics.index(key.metric),
            key.case,
            stats.index(key.stat),
        ),
    )


def _line(
    record: RunRecord,
    key: SeriesKey,
    series: RunSeries,
    changes: Sequence[ChangePoint],
    thresholds: Thresholds,
    earlier: int,
    sidecar: Sidecars,
) -> HistoryLine:
    runs = tuple(record.runs[place] for place in series.runs.tolist())
    logs = np.log(series.values)
    kept = _large_enough(logs, changes, math.log1p(thresholds.of(key.tier, key.metric)))
    ends = [0, *(one.place for one in kept), len(logs)]
    medians = [float(np.median(logs[start:end])) for start, end in pairwise(ends)]
    apart = np.concatenate(
        [
            logs[start:end] - median
            for (start, end), median in zip(pairwise(ends), medians, strict=True)
        ]
    )
    low, high = (float(end) for end in np.quantile(apart, [(1 - BAND) / 2, (1 + BAND) / 2]))
    levels = tuple(
        Level(start, end, math.exp(median), math.exp(median + low), math.exp(median + high))
        for (start, end), median in zip(pairwise(ends), medians, strict=True)
    )
    return HistoryLine(
        key=key,
        runs=runs,
        values=tuple(series.values.tolist()),
        levels=levels,
        changes=tuple(
            _change(key, series, runs, one, after - before, ends[number : number + 3], sidecar)
            for number, (one, (before, after)) in enumerate(
                zip(kept, pairwise(medians), strict=True)
            )
        ),
        offset=pair_offset(apart) if max(np.diff(ends)) > 1 else None,
        failures=record.failures.get(key.case, 0),
        earlier=earlier,
    )


def _large_enough(logs: Floats, changes: Sequence[ChangePoint], limit: float) -> list[ChangePoint]:
    """Remove changes smaller than ``limit`` (a log ratio), one by one, the smallest first."""
    kept = list(changes)
    while kept:
        ends = [0, *(one.place for one in kept), len(logs)]
        medians = [np.median(logs[start:end]) for start, end in pairwise(ends)]
        sizes = [abs(float(after - before)) for before, after in pairwise(medians)]
        smallest = min(range(len(kept)), key=lambda place: sizes[place])
        if sizes[smallest] > limit:
            break
        del kept[smallest]
    return kept


def _change(
    key: SeriesKey,
    series: RunSeries,
    runs: Sequence[HistoryRun],
    change: ChangePoint,
    log_ratio: float,
    ends: Sequence[int],
    sidecar: Sidecars,
) -> LevelChange:
    """The change between two levels.

    ``ends`` are the start of the old level, the start of the new level, and the (exclusive) end of
    the new level. ``log_ratio`` is log(new level / old level).
    """
    start, place, end = ends
    sides = [
        [
            facts_of(series.commons[one], sidecar(runs[one]))
            for one in range(max(low, place - RUNS_LOOKED_AT), min(high, place + RUNS_LOOKED_AT))
        ]
        for low, high in ((start, place), (place, end))
    ]
    rose = log_ratio > 0
    better = rose == (key.better is Better.HIGHER)
    return LevelChange(
        place=place,
        last=runs[place - 1],
        first=runs[place],
        ratio=math.exp(log_ratio),
        verdict=Verdict.BETTER if better else Verdict.WORSE,
        p=change.p,
        surroundings=tuple(switched(*sides)),
    )


def pair_offset(logs: Floats) -> float:
    """The `PAIRS` quantile of the relative differences between two runs, as a fraction.

    Only the last `_PAIRED` runs count. ``logs`` are the logarithms of the values, of shape (n,)
    with n > 1.
    """
    few = logs[-_PAIRED:]
    first, second = np.triu_indices(len(few), 1)
    return math.expm1(float(np.quantile(np.abs(few[first] - few[second]), PAIRS)))
