"""Compute cache capacities, near and far L2 latencies, load curves and bank conflicts from rows.

Every value names the cases from which it was computed. Only `ok` rows with a value are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from membench.analysis.derive.load import LoadCurve, load_curve
from membench.analysis.derive.steps import Step, climbs, falls
from membench.core.case_id import split_case
from membench.core.record import record
from membench.core.terms import Metric, Stat, Status
from membench.results.schema import Row

L1_MOST = 1 << 20
"""Size in bytes above every GPU's L1 cache and below every GPU's L2 cache."""

L2_MOST = 1 << 30
"""Size in bytes above every GPU's L2 cache; beyond, address translation adds latency."""

APART = 1.1
"""Minimum ratio of far to near latency; below, all lines of the L2 cache count as one level."""


@record
class CapacityRange:
    """The range of sizes within which a cache level ends.

    Attributes:
        level: ``l1``, ``l2`` or ``l2 near`` (the near half of an L2 cache with two halves).
        inside: largest size in bytes that still fitted.
        outside: smallest size in bytes that did not fit.
        by: ``latency`` or ``bandwidth``: the metric whose curve shows the end of the level.
    """

    level: str
    inside: float
    outside: float
    by: str
    cases: tuple[str, ...]


@record
class NearFar:
    """Median latencies of the near and far lines of an L2 cache, from a case of ``l2/map``.

    ``far_share`` is the fraction of the samples that are of far lines.
    """

    near_ns: float
    far_ns: float
    far_share: float
    case: str


@record
class Share:
    """Bandwidth of ``case`` / bandwidth of ``of``, which is the best case of ``hbm/read``."""

    case: str
    of: str
    share: float


@record
class Loads:
    """Latency under load for one mix of reads and writes.

    Attributes:
        bench: ``hbm/loaded`` or ``host/loaded``.
        reads: percentage of reads in the traffic, as in the case ids.
    """

    bench: str
    reads: str
    curve: LoadCurve
    cases: tuple[str, ...]


@record
class Conflict:
    """The slow-down of shared memory when threads access it with a stride.

    Attributes:
        case: a case of ``smem/read`` or ``smem/write``.
        of: the case of the same width with stride 1.
        times: factor by which ``case`` is slower than ``of``.
        predicted: the factor predicted from the banks, as text from the row; may be empty.
    """

    case: str
    of: str
    times: float
    predicted: str


def capacities(rows: Iterable[Row]) -> tuple[CapacityRange, ...]:
    """Capacities of L1 and L2, from pointer-chase latencies and from falling bandwidths."""
    rows = tuple(rows)
    found: list[CapacityRange] = []
    chase = _over_size(rows, "gpu/chase", Metric.LATENCY, order="random", hint="plain")
    steps = climbs(*_curve(chase))
    cases = tuple(row.case for row in chase.values())
    found += [_capacity("l1", s, "latency", cases) for s in steps if s.inside < L1_MOST][:1]
    beyond = [step for step in steps if L1_MOST <= step.inside < L2_MOST]
    for place, step in enumerate(beyond):
        level = "l2" if place == len(beyond) - 1 else "l2 near"
        found.append(_capacity(level, step, "latency", cases))
    for name in ("l1/read", "l2/read", "l2/write"):
        level = name.partition("/")[0]
        hint = {"hint": "plain"} if level == "l1" else {}
        over = _over_size(rows, name, Metric.BANDWIDTH, **hint)
        cases = tuple(row.case for row in over.values())
        ends = [s for s in falls(*_curve(over)) if (s.inside < L1_MOST) == (level == "l1")]
        # The first fall is the end of L1. The last fall is the transition from L2 to memory.
        chosen = ends[:1] if level == "l1" else ends[-1:]
        found += [_capacity(level, step, "bandwidth", cases) for step in chosen]
    return tuple(found)


def near_and_far(rows: Iterable[Row]) -> tuple[NearFar, ...]:
    """Near and far latencies of each ``l2/map`` case, from its samples in two groups.

    If the means of the groups differ by less than the factor `APART`, the case has no result.
    """
    result = []
    for row in _good(rows, "l2/map", Metric.LATENCY, Stat.MEDIAN):
        samples = np.sort([sample for round_ in row.samples for sample in round_])
        cut = _cut(samples)
        near, far = samples[:cut], samples[cut:]
        if not near.size or far.mean() < APART * near.mean():
            continue
        result.append(
            NearFar(
                float(np.median(near)), float(np.median(far)), far.size / samples.size, row.case
            )
        )
    return tuple(result)


def load_curves(rows: Iterable[Row]) -> tuple[Loads, ...]:
    """Curves of latency over bandwidth from ``hbm/loaded`` and ``host/loaded``.

    Each mix of reads and writes with at least three points has a curve.
    """
    rows = tuple(rows)
    result = []
    for bench in ("hbm/loaded", "host/loaded"):
        latency = {row.case: row for row in _good(rows, bench, Metric.LATENCY, Stat.MEDIAN)}
        mixes: dict[str, list[Row]] = {}
        for row in _good(rows, bench, Metric.BANDWIDTH, Stat.MEDIAN):
            if row.case in latency:
                mixes.setdefault(split_case(row.case)[1].get("reads", ""), []).append(row)
        for reads, several in mixes.items():
            curve = load_curve(
                [row.value or 0.0 for row in several],
                [latency[row.case].value or 0.0 for row in several],
            )
            if curve is not None:
                result.append(Loads(bench, reads, curve, tuple(row.case for row in several)))
    return tuple(result)


def shares_of_read(rows: Iterable[Row]) -> tuple[Share, ...]:
    """Bandwidths of benches of GPU memory, divided by the best bandwidth of ``hbm/read``.

    Rows that a cache served are left out.
    """
    rows = [row for row in rows if "cache-served" not in row.flags]
    reads = list(_good(rows, "hbm/read", Metric.BANDWIDTH, Stat.MEDIAN))
    if not reads:
        return ()
    best = max(reads, key=lambda row: row.value or 0.0)
    names = ("hbm/gather", "hbm/async", "decode/attn", "decode/weights")
    return tuple(
        Share(row.case, best.case, (row.value or 0.0) / (best.value or 1.0))
        for name in names
        for row in _good(rows, name, Metric.BANDWIDTH, Stat.MEDIAN)
    )


def bank_conflicts(rows: Iterable[Row]) -> tuple[Conflict, ...]:
    """The slow-down of each stride of ``smem/read`` and ``smem/write`` relative to stride 1."""
    rows = tuple(rows)
    result = []
    for name in ("smem/read", "smem/write"):
        found = list(_good(rows, name, Metric.BANDWIDTH, Stat.MEDIAN))
        straight = {
            params.get("width"): row
            for row in found
            if (params := split_case(row.case)[1]).get("stride") == "1"
        }
        for row in found:
            params = split_case(row.case)[1]
            one = straight.get(params.get("width"))
            if params.get("stride", "1") != "1" and one is not None:
                times = (one.value or 0.0) / (row.value or 1.0)
                result.append(Conflict(row.case, one.case, times, row.detail.get("conflict", "")))
    return tuple(result)


def _good(rows: Iterable[Row], name: str, metric: Metric, stat: Stat) -> Iterator[Row]:
    for row in rows:
        wanted = row.status is Status.OK and row.value is not None and row.value > 0
        if wanted and row.metric is metric and row.stat is stat and split_case(row.case)[0] == name:
            yield row


def _over_size(rows: Iterable[Row], name: str, metric: Metric, **fixed: str) -> Mapping[int, Row]:
    """Map sizes in bytes (ascending) to rows of bench ``name`` with the axis values ``fixed``."""
    found = {}
    for row in _good(rows, name, metric, Stat.MEDIAN):
        params = split_case(row.case)[1]
        if row.array_bytes and all(params.get(key) == value for key, value in fixed.items()):
            found[row.array_bytes] = row
    return dict(sorted(found.items()))


def _curve(rows: Mapping[int, Row]) -> tuple[Sequence[float], Sequence[float]]:
    return list(rows), [row.value or 0.0 for row in rows.values()]


def _capacity(level: str, step: Step, by: str, cases: tuple[str, ...]) -> CapacityRange:
    return CapacityRange(level, step.inside, step.outside, by, cases)


def _cut(samples: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """The length of the lower of two groups of sorted numbers; 0 for fewer than two numbers.

    The split minimizes the sum of squared distances from the means of the groups.
    """
    count = samples.size
    if count < 2:
        return 0
    sums, squares = np.cumsum(samples), np.cumsum(samples**2)
    sizes = np.arange(1, count)
    left = squares[:-1] - sums[:-1] ** 2 / sizes
    right = squares[-1] - squares[:-1] - (sums[-1] - sums[:-1]) ** 2 / (count - sizes)
    return int(np.argmin(left + right)) + 1
