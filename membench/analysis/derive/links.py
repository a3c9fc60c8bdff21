"""Compute start-up times, bytes in flight and transfer policies from rows of the link benches.

Only `ok` rows with a median are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from membench.analysis.derive.load import pareto_front
from membench.analysis.derive.policy import MethodRule, TransferCell, policy, policy_line
from membench.analysis.derive.transfer import TransferFit, fit_transfer
from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.terms import Metric, Stat, Status
from membench.core.units import parse_size
from membench.results.schema import Row, is_whole

WAYS = ("h2d", "d2h", "d2d")


def parameters(case: str) -> dict[str, str]:
    """Parse a case id: ``kv/h2d/block=4KiB/count=16`` -> ``{"block": "4KiB", "count": "16"}``."""
    parts = (part.partition("=") for part in case.split("/"))
    return {key: value for key, equals, value in parts if equals}


def of_bench(rows: Iterable[Row], bench: str, metric: Metric) -> list[tuple[dict[str, str], Row]]:
    """Pairs (parameters of the case, row) for each `ok` row with a median of ``metric`` above 0."""
    return [
        (parameters(row.case), row)
        for row in rows
        if row.status is Status.OK
        and row.value
        and row.metric is metric
        and row.stat is Stat.MEDIAN
        and row.case.startswith(f"{bench}/")
    ]


# Transfers of KV blocks.


def moved(rows: Iterable[Row], way: str) -> tuple[TransferCell, ...]:
    """Collect bandwidths of ``kv/<way>`` with blocks in random order and no limit on the grid."""
    found = []
    for params, row in of_bench(rows, f"kv/{way}", Metric.BANDWIDTH):
        if params.get("order") != "random" or "grid" in params:
            continue
        size, count = _size(params.get("block", "")), params.get("count", "")
        if size and is_whole(count):
            found.append(TransferCell(size, int(count), params.get("method", ""), row.value or 0.0))
    return tuple(found)


@record
class TransferPolicy:
    """Rules that choose the transfer method of KV blocks, for one direction."""

    way: str
    rules: tuple[MethodRule, ...]

    @property
    def line(self) -> str:
        """The policy as one line for a configuration file."""
        return policy_line(self.way, self.rules)

    @property
    def loss(self) -> float:
        """Largest fraction of the best bandwidth that the policy loses in a measured case."""
        return max(rule.loss for rule in self.rules)


def policies(rows: Iterable[Row]) -> tuple[TransferPolicy, ...]:
    rows = list(rows)
    found = ((way, policy(moved(rows, way))) for way in WAYS)
    return tuple(TransferPolicy(way, rules) for way, rules in found if rules)


# Plain copies.


@record
class LinkFit:
    """A fit of copy time as a function of size, for copies in one direction by one engine.

    ``engine`` is ``ce`` for the copy engine, or ``sm`` for a kernel.
    """

    bench: str
    engine: str
    fit: TransferFit


def link_fits(rows: Iterable[Row]) -> tuple[LinkFit, ...]:
    """Fit pinned copies in one stream, for each direction and engine (see `fit_transfer`)."""
    rows = list(rows)
    found = []
    for way in ("h2d", "d2h"):
        bench = f"link/{way}"
        for engine in ("ce", "sm"):
            points = [
                (_size(params["size"]), row.value or 0.0)
                for params, row in of_bench(rows, bench, Metric.BANDWIDTH)
                if params.get("mem") == "pinned"
                and params.get("engine") == engine
                and params.get("streams") == "1"
                and _size(params.get("size", ""))
            ]
            fit = fit_transfer(*zip(*points, strict=True)) if points else None
            if fit is not None:
                found.append(LinkFit(bench, engine, fit))
    return tuple(found)


# Zero-copy.


@record
class InFlight:
    """Bytes in flight on the host link, computed as bandwidth x round-trip time (Little's law).

    Attributes:
        case: a case of ``zerocopy/read``.
        gbs: bandwidth of the case in GB/s.
    """

    case: str
    gbs: float
    bytes: float


def in_flight(rows: Iterable[Row]) -> tuple[InFlight, ...]:
    """Compute the bytes in flight for each case of ``zerocopy/read``.

    The round trip is the latency of ``zerocopy/chase`` with 64 MiB. Without this latency, the
    result is empty.
    """
    rows = list(rows)
    trips = [
        row.value or 0.0
        for params, row in of_bench(rows, "zerocopy/chase", Metric.LATENCY)
        if params.get("size") == "64MiB"
    ]
    if not trips:
        return ()
    # 1 GB/s is 1 byte per nanosecond.
    return tuple(
        InFlight(row.case, row.value or 0.0, (row.value or 0.0) * trips[0])
        for _, row in of_bench(rows, "zerocopy/read", Metric.BANDWIDTH)
    )


# Interference.


@record
class Cost:
    """An aggressor (competing traffic), and its effect on the victim (the measured work).

    Attributes:
        gbs: bandwidth of the aggressor in GB/s.
        slowdown: time of the victim beside the aggressor / time of the victim alone.
    """

    aggressor: str
    gbs: float
    slowdown: float


@record
class Front:
    """The Pareto front of the aggressors that slow one victim.

    Attributes:
        best: the Pareto-optimal aggressors, by ascending slow-down.
        others: all other aggressors.
    """

    victim: str
    best: tuple[Cost, ...]
    others: tuple[Cost, ...]


def fronts(rows: Iterable[Row]) -> tuple[Front, ...]:
    costs: dict[str, list[Cost]] = {}
    for params, row in of_bench(rows, "interference/link", Metric.BANDWIDTH):
        slowdown = _number(row.detail.get("slowdown", ""))
        if slowdown is None:
            continue
        grid = f" grid {params['grid']}" if "grid" in params else ""
        name = f"{params.get('aggressor', '')}{grid}"
        costs.setdefault(params.get("victim", ""), []).append(
            Cost(name, row.value or 0.0, slowdown)
        )
    return tuple(_front(victim, found) for victim, found in costs.items())


def _front(victim: str, found: Sequence[Cost]) -> Front:
    chosen = pareto_front([one.slowdown for one in found], [one.gbs for one in found])
    return Front(
        victim,
        tuple(found[index] for index in chosen),
        tuple(one for index, one in enumerate(found) if index not in chosen),
    )


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except UsageError:
        return 0


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
