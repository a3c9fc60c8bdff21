"""The inputs and results of the simulation of cache tiers."""

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
    """The rule by which all tiers after the first admit blocks (see also `TierSpec.second`)."""

    THROUGH = "write-through"  # admits every block
    SELECTIVE = "selective"  # admits a block on the second use


@record(kw_only=True)
class TierSpec:
    """A cache tier of the simulation.

    Attributes:
        capacity: number of blocks, rounded down.
        read, write: B/s between this tier and the GPU, over the whole path.
        latency: seconds until the first byte of a load.
        ttl: seconds of idle time after which the tier drops a block.
        shared: whether all GPUs share the tier. If not, each GPU has its own.
        second: whether the tier admits a block only on the second use.

    Raises:
        UsageError: a value is negative, or a bandwidth is not above 0.
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
        for name in ("read", "write"):
            if not getattr(self, name) > 0:
                raise UsageError(
                    f"tier {self.name}: '{name}' is {getattr(self, name):g} B/s",
                    "use a bandwidth above 0, or leave out a tier that does not exist",
                )
        for name in ("capacity", "latency", "ttl"):
            if not getattr(self, name) >= 0:
                raise UsageError(
                    f"tier {self.name}: '{name}' is {getattr(self, name):g}", "use 0 or more"
                )
        if self.capacity < INFINITE:
            object.__setattr__(self, "capacity", float(math.floor(self.capacity)))


@record(kw_only=True)
class PrefillGpu:
    """A GPU and a model, for the lower bound of the prefill time (see `roofline`).

    Attributes:
        matmul_params, attention_flops: as in `prefill_flops`.
        flops_per_s: achieved FLOP/s of the GPU.
        layers: number of equal layers, as in `restored_ttft`.
        overlap: whether the GPU computes a layer while later layers load.
        fixed_s: seconds per request that depend on neither FLOPs nor bytes.
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
        hits, written: number of blocks.
        mean_blocks: resident blocks, averaged over time.
        most_blocks: maximum of the resident blocks. If each GPU has its own tier, the sum of the
            maxima of these tiers.
        read_bytes: bytes loaded to the GPU; 0 for the first tier.
        read_busy, write_busy: time that the reads (or writes) need, divided by ``seconds``. Above
            1, the bandwidth is not enough.
        gaps_s: [n] seconds since the last use of the blocks that hit.
        gap_blocks: [n] number of blocks with each gap in ``gaps_s``.
        seconds: time from the first arrival to the last.
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
        """The shares of traffic and residency in each band of gaps (see `shares`)."""
        return shares(self.gaps_s, self.gap_blocks, edges_s)

    @property
    def dwpd(self) -> float:
        """Drive writes per day.

        The result is 0 if nothing was written, or if all requests have the same time. Otherwise,
        the result is infinite if the capacity is 0.
        """
        if not self.seconds or not self.written_bytes:
            return 0.0
        if not self.capacity_bytes:
            return INFINITE
        return drive_writes_per_day(self.written_bytes / self.seconds, self.capacity_bytes)


@record(kw_only=True)
class TierOutcome:
    """The results of the simulation.

    Attributes:
        references: number of requested blocks.
        tiers: fastest first.
        ttft_s: [n] seconds to the first token of each request, in the order of arrival.
        gpu_busy: mean prefill time per GPU, divided by ``seconds``. Above 1, the GPUs are too slow
            for the request rate.
        seconds: time from the first arrival to the last.
    """

    references: int
    tiers: tuple[TierUse, ...]
    ttft_s: NDArray[np.float64]
    gpu_busy: float
    seconds: float

    @property
    def hits(self) -> int:
        return sum(tier.hits for tier in self.tiers)

    def ttft(self, *percents: float) -> list[float]:
        """Percentiles of the seconds to the first token; ``percents`` are from 0 to 100."""
        return [float(value) for value in np.percentile(self.ttft_s, percents)]
