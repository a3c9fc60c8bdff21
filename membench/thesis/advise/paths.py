"""Finds the inputs of advice in result rows: rates, paths to the GPU, and copy methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from membench.analysis.derive.links import of_bench
from membench.analysis.derive.policy import REFERENCE, measured_for
from membench.core.errors import UsageError
from membench.core.messages import tr
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.core.terms import Metric
from membench.core.units import parse_size
from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumption
from membench.thesis.claims.evidence import SI, EvidenceRows, find, origin, trusted
from membench.thesis.claims.ledger import Input
from membench.thesis.models.kv_shape import Pieces

_LARGE = 4
"""A piece at least this many times as large as every measured block counts as one large copy."""
NEAR_BEST = 0.9
"""Share of the best rate at which a block size is large enough."""


@record
class Rate:
    """A rate (or a time) in SI units, with a range.

    Attributes:
        low, value, high: minimum, median and maximum.
        shared: whether all ranks share the device that limits the rate.
        contiguous: whether the rate is that of the host link, measured with one large copy instead
            of an engine's blocks.
    """

    low: float
    value: float
    high: float
    rows: tuple[Row, ...] = ()
    shared: bool = False
    contiguous: bool = False

    @classmethod
    def of_values(cls, values: Sequence[float], rows: Sequence[Row] = ()) -> Rate:
        """The median, minimum and maximum of ``values``, which must not be empty."""
        ordered = sorted(values)
        middle = len(ordered) // 2
        value = ordered[middle]
        if len(ordered) % 2 == 0:
            value = (ordered[middle - 1] + value) / 2
        return cls(ordered[0], value, ordered[-1], tuple(rows))

    def times(self, factor: float) -> Rate:
        """The total rate of ``factor`` equal devices."""
        return Rate(self.low * factor, self.value * factor, self.high * factor, self.rows)

    def seconds(self, time: Callable[[float], float]) -> Rate:
        """The seconds that ``time`` gives for each rate. The highest rate gives the lowest time."""
        return Rate(time(self.high), time(self.value), time(self.low), self.rows)


@record
class Choice:
    """One way to get the KV cache of a prefix: recompute, or restore from DDR or SSD.

    Attributes:
        name: recompute, ddr or ssd.
        ttft: lower bound on the seconds to the first token, with a range.
        rate: B/s of the path, or FLOP/s for recompute.
        crossover: shortest prefix, in tokens, for which restoring is faster than recomputing; None
            if restoring 2^24 tokens is not faster. Also None for ``recompute``, and if the FLOP/s
            are unknown.
        flips_at: B/s of the path at which loading the whole context takes as long as recomputing
            it. None for ``recompute``, and if the FLOP/s are unknown.
    """

    name: str
    ttft: Rate
    rate: Rate
    crossover: int | None = None
    flips_at: float | None = None


@record
class Capacity:
    """The capacity of a memory tier for KV caches.

    Attributes:
        bytes: HBM of all ranks, host memory up to the limit of the control group, or free space of
            a disk.
        usable: bytes that KV caches may use: ``bytes`` without a reserve and, in HBM, without the
            model weights.
        contexts: number of contexts that fit into ``usable``.
        counted: a text that explains which bytes are not usable.
    """

    tier: str
    bytes: float
    usable: float
    contexts: int
    counted: str


@record
class Method:
    """The fastest method to copy KV blocks on this machine.

    Attributes:
        name: the fastest copy method at ``block``.
        block: bytes of the largest measured block that is no larger than a piece; the smallest
            measured block if all are larger.
        row: the measurement of ``name`` at ``block``.
        enough: bytes of the smallest measured block with at least `NEAR_BEST` of the best rate.
        enough_row: the fastest measurement at ``enough``.
    """

    name: str
    block: int
    row: Row
    enough: int
    enough_row: Row


class Sought(NamedTuple):
    """The result of a search for a rate in result rows.

    Attributes:
        rate: None if no row has the rate.
        missing: one line for each missing measurement that would be better evidence.
    """

    rate: Rate | None
    missing: tuple[str, ...] = ()


def rate_of(need: Input, rows: Sequence[Row]) -> Sought:
    """The rate of the best case that the input ``need`` selects from ``rows``."""
    found = find(need, rows)
    return Sought(_rate(found)) if found.rows else Sought(None, (found.missing,))


def _rate(found: EvidenceRows) -> Rate:
    return Rate.of_values(found.rounds, found.rows)


@record
class _Copy:
    """A measured copy of blocks of ``block`` bytes."""

    block: int
    method: str
    row: Row

    @property
    def rate(self) -> float:
        return self.row.value or 0.0


def _copies(rows: Sequence[Row], bench: str) -> list[_Copy]:
    """The copies of ``bench`` with methods that an engine can use, all of one origin.

    membench's own copies take precedence over imported ones, and imported ones over cited ones.
    """
    usable = [
        _Copy(block, parameters.get("method", "copy"), row)
        for parameters, row in of_bench(trusted(rows), bench, Metric.BANDWIDTH)
        if (block := _block(parameters)) is not None and parameters.get("method") != REFERENCE
    ]
    nearest = min((origin(copy.row) for copy in usable), default=0)
    return [copy for copy in usable if origin(copy.row) == nearest]


def _block(parameters: Mapping[str, str]) -> int | None:
    """Bytes of the axis ``block``; None if it is missing or invalid."""
    try:
        return parse_size(parameters["block"])
    except (KeyError, UsageError):
        return None


def _fastest(copies: Sequence[_Copy], piece: Pieces) -> _Copy | None:
    if not copies:
        return None
    block = measured_for((one.block for one in copies), piece.bytes)
    return max((one for one in copies if one.block == block), key=lambda one: one.rate)


def fastest_near(rows: Sequence[Row], bench: str, piece: Pieces) -> Rate | None:
    """The rate of the fastest copy of ``bench``; None if no copy was measured.

    Only the block size that `Method.block` defines for ``piece`` counts.
    """
    best = _fastest(_copies(rows, bench), piece)
    return None if best is None else _rate(EvidenceRows((best.row,)))


def kv_path(rows: Sequence[Row], piece: Pieces, inputs: Mapping[str, Input]) -> Sought:
    """The rate of KV blocks from host memory to the GPU, in pieces of ``piece.bytes`` bytes.

    The result is the rate of one large copy in two cases:

    - No copy of blocks was measured.
    - The pieces are large compared with the measured blocks (`_LARGE`), and one large copy is at
      least as fast as the copies of blocks.
    """
    blocks = fastest_near(rows, "kv/h2d", piece)
    largest = max((one.block for one in _copies(rows, "kv/h2d")), default=0)
    if blocks is not None and piece.bytes < _LARGE * largest:
        return Sought(blocks)
    whole, lacks = rate_of(inputs["h2d"], rows)
    if blocks is not None:
        faster = whole is not None and whole.value >= blocks.value
        return Sought(_contiguous(whole) if whole is not None and faster else blocks)
    first = find(inputs["kv-h2d"], rows).missing or tr(
        "KV blocks from host to GPU: not measured at any block size"
    )
    return Sought(None if whole is None else _contiguous(whole), (first, *lacks))


def _contiguous(rate: Rate) -> Rate:
    return Rate(rate.low, rate.value, rate.high, rate.rows, contiguous=True)


def disk_rate(rows: Sequence[Row], block: Pieces, inputs: Mapping[str, Input]) -> Sought:
    """The rate of random reads of whole blocks from the disks into host memory.

    If `paging/ssd-ddr` was not measured, the result is the rate of `ssd/read`.

    Args:
        block: the piece with all layers of one block on one rank. Engines store and read these
            together: SGLang in one file per page, LMCache in one file per chunk.
    """
    paged = fastest_near(rows, "paging/ssd-ddr", block)
    return Sought(paged) if paged is not None else rate_of(inputs["ssd-read"], rows)


def ssd_path(
    rows: Sequence[Row],
    block: Pieces,
    inputs: Mapping[str, Input],
    link: Rate | None,
    share: float,
) -> Sought:
    """The rate of KV blocks from disk to the GPU, at the slowest of these limits.

    - ``link`` limits each rank, because an engine copies the pieces of a block to the GPU.
    - If copies from disk to one GPU were measured, their rate limits each rank too.
    - The rate of the disks (`disk_rate`) limits all ranks together. If this rate is unknown or
      below the rate of the copies from disk to one GPU, the rate of these copies replaces it.

    If copies from disk to one GPU were not measured, the result has no rate if ``link`` or the rate
    of the disks is unknown.

    Args:
        block: as in `disk_rate`.
        link: rate from host memory to the GPU; None if unknown.
        share: share of the KV cache (0 to 1) that each rank loads over its own link.
    """
    source, lacks = disk_rate(rows, block, inputs)
    copies = fastest_near(rows, "paging/ssd-hbm", block)
    if copies is None:
        first = find(inputs["ssd-hbm"], rows).missing or tr("pages from disk to GPU: not measured")
        lacks = (first, *lacks)
        if source is None or link is None:
            return Sought(None, lacks)
        disk, each = source, link
    else:
        disk = copies if source is None or source.value < copies.value else source
        each = copies if link is None or copies.value <= link.value else link
    shared = disk.value * share < each.value
    slower = disk if shared else each
    if slower is copies and not shared:
        return Sought(copies)
    rows_used = disk.rows if disk is each else (*disk.rows, *each.rows)
    ends = (slower.low, slower.value, slower.high)
    return Sought(Rate(*ends, rows_used, shared, slower.contiguous), lacks)


def choose_method(rows: Sequence[Row], piece: Pieces) -> Method | None:
    """The fastest copy method for ``piece``; None if no copy was measured."""
    copies = _copies(rows, "kv/h2d")
    here = _fastest(copies, piece)
    if here is None:
        return None
    best = max(one.rate for one in copies)
    near = (one for one in copies if one.rate >= NEAR_BEST * best)
    enough = min(near, key=lambda one: (one.block, -one.rate))
    return Method(here.method, here.block, here.row, enough.block, enough.row)


def device_memory(machine: Machine | None, entry: Assumption | None) -> float | None:
    """Bytes of memory of the smallest GPU in ``machine``, or else the assumption ``entry``.

    None if both are unknown.
    """
    if machine is not None:
        known = [gpu.memory for gpu in machine.gpus.devices if gpu.memory]  # 0 in old sidecars
        if known:
            return float(min(known))
    return entry.value * entry.scale if entry is not None else None


def gb_per_s(rate: float) -> float:
    return rate / SI[Metric.BANDWIDTH]
