"""The inputs of the simulation (tiers, policy, GPU) and its results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from membench.core.errors import UsageError
from membench.core.record import record
from membench.thesis.models.economics import Shares, drive_writes_per_day, shares

INFINITE = float("inf")


class Inclusion(StrEnum):
    """Whether a block in a fast tier is also in the slower tiers."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class Admission(StrEnum):
    """Which blocks the tiers below the first admit."""

    THROUGH = "write-through"  # every block
    SELECTIVE = "selective"  # a block on its second use


@record(kw_only=True)
class TierSpec:
    """A tier of cache with its measured rates.

    Attributes:
        capacity: number of blocks; fractions are rounded down.
        read, write: B/s between this tier and the GPU, over the whole path.
        latency: seconds until the first byte of a load.
        ttl: seconds after its last use at which a block is dropped.
        shared: whether all GPUs share this tier; otherwise each GPU has its own.
        second: whether a block is admitted only on its second use.
    """

    name: str
    capacity: float
    read: float = INFINITE
    write: float = INFINITE
    latency: float = 0.0
    ttl: float = INFINITE
    shared: bool = False
    second: bool = False

    def __post_init__(self) -> None:
        """Check the values, and round the capacity down to whole blocks."""
        slow = not (self.read > 0 and self.write > 0)
        if slow or not (self.capacity >= 0 and self.latency >= 0 and self.ttl >= 0):
            raise UsageError(
                f"{self.name}: a capacity, latency or TTL below 0, or a bandwidth not above 0",
                "leave out tiers that do not exist",
            )
        if self.capacity < INFINITE:
            object.__setattr__(self, "capacity", float(math.floor(self.capacity)))


@record(kw_only=True)
class PrefillGpu:
    """The inputs for the prefill time of a GPU, a lower bound (see `roofline`).

    Attributes:
        matmul_params, attention_flops: of the model (see `roofline`).
        flops_per_s: achieved FLOP/s of the GPU.
        layers: number of layers of the model; with ``overlap``, the load of all layers but the
            first is hidden.
    """

    matmul_params: float = 0.0
    attention_flops: float = 0.0
    flops_per_s: float = INFINITE
    layers: int = 1
    overlap: bool = True
    fixed_s: float = 0.0


@record(kw_only=True)
class TierUse:
    """The results of one tier, over all GPUs.

    Attributes:
        hits: number of blocks that the tier served.
        written: number of blocks that were put into the tier, also for the GPU's own memory.
        mean_blocks, most_blocks: resident blocks, time average and maximum.
        read_busy, write_busy: share of the time in which the tier moved data; above 1, its
            bandwidth is not enough.
        gaps_s, gap_blocks: [n] seconds since the last use, and the number of served blocks with
            that gap.
        dwpd: how often its capacity is written per day.
    """

    name: str
    hits: int
    written: int
    mean_blocks: float
    most_blocks: int
    read_bytes: float
    written_bytes: float
    read_busy: float
    write_busy: float
    gaps_s: NDArray[np.float64]
    gap_blocks: NDArray[np.float64]
    capacity_bytes: float
    seconds: float

    def bands(self, edges_s: Iterable[float]) -> tuple[Shares, ...]:
        """The served blocks as shares of traffic and residency in each gap band (see `shares`)."""
        return shares(self.gaps_s, self.gap_blocks, edges_s)

    @property
    def dwpd(self) -> float:
        """Drive writes per day."""
        if not self.seconds or not self.written_bytes:
            return 0.0
        return drive_writes_per_day(self.written_bytes / self.seconds, self.capacity_bytes)


@record(kw_only=True)
class TierOutcome:
    """The results of the simulation.

    Attributes:
        references: number of requested blocks.
        tiers: in the order of the input, fastest first.
        ttft_s: [n] seconds to the first token of each request, in the order of arrival.
        gpu_busy: share of the time in which the GPUs computed; above 1, they are too slow.
        seconds: time from the first arrival to the last.
    """

    references: int
    tiers: tuple[TierUse, ...]
    ttft_s: NDArray[np.float64]
    gpu_busy: float
    seconds: float

    @property
    def hits(self) -> int:
        """Number of blocks that any tier served."""
        return sum(tier.hits for tier in self.tiers)

    def ttft(self, *percents: float) -> list[float]:
        """Percentiles of the time to the first token, seconds."""
        return [float(value) for value in np.percentile(self.ttft_s, percents)]
