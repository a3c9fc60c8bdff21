"""The cost of keeping cache: five-minute rule, keep or recompute, cheapest tier, endurance.

All prices are in one currency, times in seconds, rents in currency per byte and second of storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record

GB = 1e9
HOUR = 3600.0
YEAR = 31.5e6  # seconds; the year used in the published examples
RECOMPUTE = "recompute"


def gray_interval(
    pages_per_mb: float, ios_per_s: float, disk_price: float, memory_price_per_mb: float
) -> float:
    """Reuse interval below which a page belongs in memory, seconds (Gray and Putzolu, 1987).

    ``(pages/MB / IOPS) * (price of a disk / price of a MB of memory)``.
    """
    return pages_per_mb / ios_per_s * disk_price / memory_price_per_mb


def streaming_interval(
    drive_price: float,
    drive_bytes_per_s: float,
    memory_price_per_gb: float,
    *,
    block_bytes: float | None = None,
    drive_ios_per_s: float | None = None,
) -> float:
    """The five-minute rule for large blocks, in seconds: cost of bandwidth over cost of capacity.

    A block smaller than ``bandwidth / IOPS`` bytes costs one operation whatever its size; for such
    blocks this is Gray's rule.
    """
    rate = drive_bytes_per_s
    if block_bytes is not None and drive_ios_per_s is not None:
        rate = min(rate, block_bytes * drive_ios_per_s)
    return drive_price / (rate / GB) / memory_price_per_gb


def rent(
    price_per_gb: float,
    life_years: float = 5.0,
    watts_per_gb: float = 0.0,
    price_per_kwh: float = 0.0,
) -> float:
    """Price of keeping one byte for one second: depreciation and power."""
    power = watts_per_gb / 1000 * price_per_kwh / HOUR
    return (price_per_gb / (life_years * YEAR) + power) / GB


def load_cost(
    gpu_price_per_s: float, unhidden_s: float, link_price_per_s: float = 0.0, load_s: float = 0.0
) -> float:
    """Price of one restore: the GPU waits for the unhidden part; the link is busy for all."""
    return gpu_price_per_s * unhidden_s + link_price_per_s * load_s


def keep_interval(
    gpu_price_per_s: float,
    recompute_s: float,
    kv_bytes: float,
    rent_per_byte_s: float,
    loading: float = 0.0,
) -> float:
    """Seconds for which keeping a prefix is cheaper than recomputing it; 0 if one load costs more.

    ``tau = (c_gpu T_recompute - load) / (kv rent)``: keep the prefix if it is reused sooner than
    tau.
    """
    return max(0.0, gpu_price_per_s * recompute_s - loading) / (kv_bytes * rent_per_byte_s)


@record
class Keeping:
    """A place to keep a prefix: its rent (per byte and second) and the cost of one restore.

    Recomputing is modelled as a place with zero rent, whose restore costs GPU time.
    """

    name: str
    rent: float
    loading: float

    def cost(self, kv_bytes: float, gap_s: float) -> float:
        """Price of keeping ``kv_bytes`` for ``gap_s`` and restoring them once."""
        return self.rent * kv_bytes * gap_s + self.loading


@record
class Band:
    """The range of gaps, from ``low`` to ``high`` seconds, for which ``name`` is cheapest."""

    name: str
    low: float
    high: float


def cheapest_bands(places: Sequence[Keeping], kv_bytes: float) -> tuple[Band, ...]:
    """The cheapest place for each gap from 0 to infinity: the lower envelope of the costs.

    The cost is linear in the gap, so each place is cheapest in at most one interval. Of places with
    equal cost the first one is taken.
    """
    if not places:
        raise ValueError("no places to keep a prefix")
    bands: list[Band] = []
    low = 0.0
    here = min(places, key=lambda place: (place.loading, place.rent))
    while True:
        crossings = [
            ((other.loading - here.loading) / ((here.rent - other.rent) * kv_bytes), other)
            for other in places
            if other.rent < here.rent
        ]
        if not crossings:
            return (*bands, Band(here.name, low, float("inf")))
        high, other = min(crossings, key=lambda item: (item[0], item[1].rent))
        high = max(low, high)
        if high > low:
            bands.append(Band(here.name, low, high))
        low, here = high, other


@record
class Shares:
    """Shares of one gap band: of re-read bytes (traffic), and of idle byte-seconds (residency)."""

    low: float
    high: float
    traffic: float
    residency: float


def shares(
    gaps_s: NDArray[np.float64], weights: NDArray[np.float64], edges_s: Iterable[float]
) -> tuple[Shares, ...]:
    """The shares of re-reads and of idle byte-seconds in each gap band.

    Bands are ``(edge, next edge]``; the first one starts at 0.

    Args:
        gaps_s: [n] seconds between two uses.
        weights: [n] bytes (or tokens, or blocks) that were reused after that gap.
        edges_s: ascending upper edges; gaps beyond the last edge form the last band.
    """
    bounds = np.array([*edges_s], np.float64)
    place = np.searchsorted(bounds, gaps_s, side="left")
    traffic = np.bincount(place, weights, len(bounds) + 1).astype(np.float64)
    residency = np.bincount(place, weights * gaps_s, len(bounds) + 1).astype(np.float64)
    spans = pairwise((0.0, *bounds.tolist(), float("inf")))
    return tuple(
        Shares(low, high, float(moved), float(idle))
        for (low, high), moved, idle in zip(
            spans, _normalised(traffic), _normalised(residency), strict=True
        )
    )


def drive_writes_per_day(write_bytes_per_s: float, capacity_bytes: float) -> float:
    """DWPD: full writes per day of a drive of ``capacity_bytes``."""
    return write_bytes_per_s * 86400 / capacity_bytes


def sustainable_write_rate(capacity_bytes: float, rated_dwpd: float) -> float:
    """The write rate (B/s) that a drive rated at ``rated_dwpd`` sustains over its rated life."""
    return rated_dwpd * capacity_bytes / 86400


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total else values
