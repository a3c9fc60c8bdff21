"""Formulas for the cost of keeping a KV cache, the five-minute rule, and the endurance of drives.

All prices are in one currency. Times are in seconds unless a name gives another unit. A rent is a
price per byte and second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record

GB = 1e9
HOUR = 3600.0
YEAR = 31.5e6  # seconds, as in the published examples
RECOMPUTE = "recompute"


def gray_interval(
    pages_per_mb: float, ios_per_s: float, disk_price: float, memory_price_per_mb: float
) -> float:
    """Seconds between two uses below which a page belongs in memory instead of on disk.

    ``(pages/MB / IOPS) * (price of a disk / price of a MB of memory)``: the five-minute rule of
    Gray and Putzolu, 1987.
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
    """The five-minute rule for large blocks, in seconds between two uses.

    The interval is the price of the drive per B/s, divided by the price of memory per byte. The
    IOPS limit the rate of blocks smaller than ``bandwidth / IOPS``. For these blocks, the result
    equals `gray_interval`. If ``block_bytes`` or ``drive_ios_per_s`` is None, the IOPS do not
    limit the rate.
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
    """Price of keeping one byte for one second: depreciation plus electric power."""
    power = watts_per_gb / 1000 * price_per_kwh / HOUR
    return (price_per_gb / (life_years * YEAR) + power) / GB


def load_cost(
    gpu_price_per_s: float, unhidden_s: float, link_price_per_s: float = 0.0, load_s: float = 0.0
) -> float:
    """Price of one restore.

    Args:
        unhidden_s: seconds of the load during which the GPU waits.
        load_s: seconds of the load during which the link is busy.
    """
    return gpu_price_per_s * unhidden_s + link_price_per_s * load_s


def keep_interval(
    gpu_price_per_s: float,
    recompute_s: float,
    kv_bytes: float,
    rent_per_byte_s: float,
    loading: float = 0.0,
) -> float:
    """Seconds for which keeping a prefix is cheaper than recomputing the prefix.

    The result is 0 if one load costs more than recomputing.

    Args:
        recompute_s: GPU seconds to recompute the prefix.
        loading: price of one load of the prefix.
    """
    return max(0.0, gpu_price_per_s * recompute_s - loading) / (kv_bytes * rent_per_byte_s)


@record
class Keeping:
    """A way to get a prefix back, such as a tier of memory.

    Recomputing is also a `Keeping`: the rent is 0, and the restore costs GPU time.

    Attributes:
        rent: price per byte and second.
        loading: price of one restore.
    """

    name: str
    rent: float
    loading: float

    def cost(self, kv_bytes: float, gap_s: float) -> float:
        """Price of keeping ``kv_bytes`` for ``gap_s`` seconds, plus one restore."""
        return self.rent * kv_bytes * gap_s + self.loading


@record
class Band:
    """A range of gaps between two uses, and the `Keeping` that is cheapest for these gaps.

    Attributes:
        name: name of the `Keeping`.
        low, high: shortest and longest gap in seconds.
    """

    name: str
    low: float
    high: float


def cheapest_bands(places: Sequence[Keeping], kv_bytes: float) -> tuple[Band, ...]:
    """The cheapest of ``places`` for each gap between two uses, from 0 s to infinity.

    Raises:
        ValueError: ``places`` is empty.
    """
    if not places:
        raise ValueError("at least one place to keep a prefix is required")
    # costs are linear in the gap, so each place is cheapest in at most one interval
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
    """The shares of reuse and of idle time that fall into one band of gaps.

    Attributes:
        low, high: the edges of the band in seconds.
        traffic: share (0 to 1) of the cache (in bytes, tokens or blocks) with a gap in the band.
        residency: as ``traffic``, but each part of the cache is weighted by its gap.
    """

    low: float
    high: float
    traffic: float
    residency: float


def shares(
    gaps_s: NDArray[np.float64], weights: NDArray[np.float64], edges_s: Iterable[float]
) -> tuple[Shares, ...]:
    """The shares of reuse and of idle time in each band of gaps.

    A band is ``(edge, next edge]``. The first band includes 0. The last band has no upper edge.

    Args:
        gaps_s: [n] seconds between two uses.
        weights: [n] bytes, tokens or blocks with each gap.
        edges_s: upper edges of the bands, ascending.
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
    """Drive writes per day (DWPD): bytes written per day divided by ``capacity_bytes``."""
    return write_bytes_per_s * 86400 / capacity_bytes


def sustainable_write_rate(capacity_bytes: float, rated_dwpd: float) -> float:
    """The mean write rate (B/s) of ``rated_dwpd`` drive writes per day."""
    return rated_dwpd * capacity_bytes / 86400


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total else values
