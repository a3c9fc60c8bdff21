"""Little's law for cache tiers: resident bytes equal arrival rate times residence time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resident_bytes(
    bytes_per_s: float,
    gaps_s: NDArray[np.float64],
    weights: NDArray[np.float64],
    ttl_s: float = float("inf"),
) -> float:
    """Bytes that a cache tier contains on average: ``rate * E[min(gap, TTL)]``.

    Args:
        bytes_per_s: bytes of cache that become idle per second (tokens/s times bytes/token).
        gaps_s: [n] seconds until the next use of a part of the cache.
        weights: [n] share or bytes of the cache with each gap.
        ttl_s: idle time in seconds after which the tier drops the cache.
    """
    return bytes_per_s * mean_gap(np.minimum(gaps_s, ttl_s), weights)


def band_traffic(
    bytes_per_s: float,
    gaps_s: NDArray[np.float64],
    weights: NDArray[np.float64],
    low_s: float,
    high_s: float,
) -> float:
    """B/s read from the tier for gaps in ``(low, high]``: ``rate * P(gap in band)``.

    A band that begins at 0 includes gaps of 0. The other arguments are as in `resident_bytes`.
    """
    inside = ((gaps_s > low_s) | ((low_s <= 0) & (gaps_s == 0))) & (gaps_s <= high_s)
    return float(bytes_per_s * weights[inside].sum() / weights.sum())


def mean_gap(gaps_s: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(np.average(gaps_s, weights=weights))


def usable_capacity(capacity_bytes: float, bytes_per_s: float, mean_gap_s: float) -> float:
    """The bytes of a tier that the bandwidth can fill between two uses of the same data.

    The result is at most ``capacity_bytes``.
    """
    return min(capacity_bytes, bytes_per_s * mean_gap_s)


def sessions_held(active: float, duty: float) -> float:
    """Number of open sessions if ``active`` sessions compute at a time: ``active / duty``.

    ``duty`` is the share of time in which a session computes.

    Raises:
        ValueError: ``duty`` is 0 or less, or above 1.
    """
    if not 0 < duty <= 1:
        raise ValueError(f"the duty cycle is {duty}, but must be above 0 and at most 1")
    return active / duty
