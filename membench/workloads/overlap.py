"""Finds the time during which two streams of work overlap, from time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Beside:
    """Two streams of work, victim and aggressor, during the time when both were active.

    Attributes:
        victim_ns: duration of each piece of the victim that ran entirely while the aggressor was
            active.
        aggressor_pieces: number of pieces of the aggressor in ``window_ns``, including fractions.
        window_ns: time from the start of the first to the end of the last piece in ``victim_ns``.
    """

    victim_ns: tuple[float, ...]
    aggressor_pieces: float
    window_ns: float


def beside(victim: Sequence[int] | Stamps, aggressor: Sequence[int] | Stamps) -> Beside | None:
    """The overlap of ``victim`` and ``aggressor``, from time stamps in ns of one clock.

    n + 1 time stamps delimit n pieces without gaps. The result is None if no piece of the victim
    ran entirely while the aggressor was active.
    """
    v, a = (np.asarray(stamps, np.int64) for stamps in (victim, aggressor))
    within = (v[:-1] >= a[0]) & (v[1:] <= a[-1])
    if not within.any():
        return None
    first, last = np.flatnonzero(within)[[0, -1]]
    begin, end = int(v[first]), int(v[last + 1])
    # pieces of the aggressor completed by the begin and by the end of the window
    done = np.interp([begin, end], a, np.arange(a.size))
    durations = np.diff(v)[within]
    return Beside(
        victim_ns=tuple(float(one) for one in durations),
        aggressor_pieces=float(done[1] - done[0]),
        window_ns=float(end - begin),
    )
