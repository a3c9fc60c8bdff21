"""What advice reads from rows: rates with their intervals, paths to the GPU, copy methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from membench.analyse.derive.links import parameters
from membench.errors import UsageError
from membench.machine.model import Machine
from membench.record.schema import Row
from membench.terms import Metric, Stat
from membench.thesis.assumptions import Entry
from membench.thesis.evidence import SI, Found, find, origin, trusted
from membench.thesis.kvshape import Pieces
from membench.thesis.ledger import Input
from membench.units import parse_size

NEAR_BEST = 0.9
"""A block size that reaches this share of the best rate is large enough."""


@dataclass(frozen=True)
class Rate:
    """A rate or a time with the range of its rounds, in SI units.

    Attributes:
        rows: what it stands on.
        shared: the rate is that of a device that all ranks share.
    """

    low: float
    value: float
    high: float
    rows: tuple[Row, ...] = ()
    shared: bool = False

    @classmethod
    def of_values(cls, values: Sequence[float], rows: Sequence[Row] = ()) -> Rate:
        """The median of ``values`` (at least one) and their ends."""
        ordered = sorted(values)
        middle = len(ordered) // 2
        value = ordered[middle]
        if len(ordered) % 2 == 0:
            value = (ordered[middle - 1] + value) / 2
        return cls(ordered[0], value, ordered[-1], tuple(rows))

    def times(self, factor: float) -> Rate:
        """``factor`` of them at once."""
        return Rate(self.low * factor, self.value * factor, self.high * factor, self.rows)

    def seconds(self, time: Callable[[float], float]) -> Rate:
        """What takes ``time(rate)``: the highest rate gives the low end."""
        return Rate(time(self.high), time(self.value), time(self.low), self.rows)


@dataclass(frozen=True)
class Choice:
    """One way to the first token.

    Attributes:
        name: recompute, ddr or ssd.
        ttft: seconds to the first token, with the range that the rounds give it.
        rate: B/s of the path, or FLOP/s.
        crossover: tokens of the prefix from which on restoring beats recomputing; None for never
            or not known.
        flips_at: B/s of the path below which recomputing would be as fast; None where unknown.
    """

    name: str
    ttft: Rate
    rate: Rate
    crossover: int | None = None
    flips_at: float | None = None


@dataclass(frozen=True)
class Capacity:
    """``contexts`` of the asked length that fit ``bytes`` of a tier; ``counted`` says of what."""

    tier: str
    bytes: float
    contexts: int
    counted: str


@dataclass(frozen=True)
class Method:
    """How KV blocks move fastest here.

    Attributes:
        name: of the fastest copy at the block size nearest to the piece.
        block: that size in bytes.
        row: its measurement.
        enough: the smallest measured block, in bytes, that reaches `NEAR_BEST` of the best.
        enough_row: its measurement.
    """

    name: str
    block: int
    row: Row
    enough: int
    enough_row: Row


def rate_of(need: Input, rows: Sequence[Row], missing: list[str]) -> Rate | None:
    """The best case of ``need``; where there is none, ``missing`` gets why."""
    found = find(need, rows)
    if not found.rows:
        missing.append(found.missing)
        return None
    return _rate(found)


def _rate(found: Found) -> Rate:
    return Rate.of_values(found.rounds, found.rows)


def block_of(row: Row) -> int | None:
    """Bytes of the block that a case moves, None where it names none."""
    try:
        return parse_size(parameters(row.case)["block"])
    except (KeyError, UsageError):
        return None


def moves(rows: Sequence[Row], bench: str) -> list[tuple[int, Row]]:
    """(bytes of a block, row) of the bandwidths of ``bench``: the nearest origin alone."""
    usable = [
        row
        for row in trusted(rows)
        if row.case.startswith(f"{bench}/")
        and row.metric is Metric.BANDWIDTH
        and row.stat is Stat.MEDIAN
    ]
    nearest = min(map(origin, usable), default=0)
    return [
        (size, row)
        for row in usable
        if origin(row) == nearest and (size := block_of(row)) is not None
    ]


def _nearest(found: Sequence[tuple[int, Row]], size: int) -> list[tuple[int, Row]]:
    """The largest block that is no larger than ``size``, else the smallest there is."""
    below = [block for block, _ in found if block <= size]
    chosen = max(below) if below else min(block for block, _ in found)
    return [one for one in found if one[0] == chosen]


def fastest_near(rows: Sequence[Row], bench: str, piece: Pieces) -> Rate | None:
    """The best case of ``bench`` at the block size nearest to ``piece``."""
    found = [one for one in moves(rows, bench) if parameters(one[1].case).get("method") != "contig"]
    if not found:
        return None
    _, row = max(_nearest(found, piece.bytes), key=lambda one: one[1].value or 0.0)
    return _rate(Found((row,)))


def kv_path(
    rows: Sequence[Row], piece: Pieces, inputs: Mapping[str, Input], missing: list[str]
) -> Rate | None:
    """Host memory to GPU in pieces: KV blocks of about that size, else large copies."""
    if (rate := fastest_near(rows, "kv/h2d", piece)) is not None:
        return rate
    missing.append(find(inputs["kv-h2d"], rows).missing or "KV blocks to the GPU at any block size")
    return rate_of(inputs["h2d"], rows, missing)


def ssd_path(
    rows: Sequence[Row],
    piece: Pieces,
    inputs: Mapping[str, Input],
    link: Rate | None,
    missing: list[str],
) -> Rate | None:
    """Disk to GPU: the pipeline, else the slower of its two legs."""
    if (rate := fastest_near(rows, "paging/ssd-hbm", piece)) is not None:
        return Rate(rate.low, rate.value, rate.high, rate.rows, shared=True)
    missing.append(find(inputs["ssd-hbm"], rows).missing or "pages from disk to GPU")
    source = rate_of(inputs["ssd-read"], rows, missing)
    if source is None or link is None:
        return None
    slower = min(source, link, key=lambda rate: rate.value)
    shared = slower is source
    return Rate(slower.low, slower.value, slower.high, (*source.rows, *link.rows), shared)


def choose_method(rows: Sequence[Row], piece: Pieces) -> Method | None:
    """The fastest copy at the block size nearest to ``piece``, and the size that is enough."""
    found = [
        one for one in moves(rows, "kv/h2d") if parameters(one[1].case).get("method") != "contig"
    ]
    if not found:
        return None
    block, row = max(_nearest(found, piece.bytes), key=lambda one: one[1].value or 0.0)
    best = max(other.value or 0.0 for _, other in found)
    enough = [one for one in found if (one[1].value or 0.0) >= NEAR_BEST * best]
    size, enough_row = min(enough, key=lambda one: (one[0], -(one[1].value or 0.0)))
    return Method(parameters(row.case).get("method", "copy"), block, row, size, enough_row)


def device_memory(machine: Machine | None, entry: Entry | None) -> float | None:
    """Bytes of one GPU: as the machine says, else as its specification does."""
    if machine is not None and machine.gpus.devices:
        return float(min(gpu.memory for gpu in machine.gpus.devices))
    return entry.value * entry.scale if entry is not None else None


def gb_per_s(rate: float) -> float:
    """B/s as GB/s."""
    return rate / SI[Metric.BANDWIDTH]
