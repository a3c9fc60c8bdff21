"""The overlap of two streams of work, from time stamps of the same clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Beside:
    """Two streams of work, restricted to the time in which both were active.

    Attributes:
        victim_ns: durations of those pieces of the victim that lie entirely within the aggressor's
            time.
        aggressor_pieces: number of the aggressor's pieces in the same time, including fractions.
        window_ns: nanoseconds from the start of the first of these victim pieces to the end of the
            last.
    """

    victim_ns: tuple[float, ...]
    aggressor_pieces: float
    window_ns: float


def beside(victim: Sequence[int] | Stamps, aggressor: Sequence[int] | Stamps) -> Beside | None:
    """The overlap of two sequences of pieces without gaps: n + 1 time stamps delimit n pieces.

    None if no piece of the victim lies entirely within the aggressor's time.
    """
    v, a = (np.asarray(stamps, np.int64) for stamps in (victim, aggressor))
    within = (v[:-1] >= a[0]) & (v[1:] <= a[-1])
    if not within.any():
        return None
    first, last = np.flatnonzero(within)[[0, -1]]
    begin, end = int(v[first]), int(v[last + 1])
    # Number of the aggressor's pieces that had ended at a given time, interpolated within a piece.
    done = np.interp([begin, end], a, np.arange(a.size))
    durations = np.diff(v)[within]
    return Beside(
        victim_ns=tuple(float(one) for one in durations),
        aggressor_pieces=float(done[1] - done[0]),
        window_ns=float(end - begin),
    )
