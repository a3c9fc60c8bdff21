"""Replaces ids of any type by small whole numbers, in the order of first use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from membench.thesis.replay.trace import Ints


def numbered(ids: NDArray[Any]) -> Ints:
    """[n] for each id, a number from 0 in the order of first use.

    So new blocks of a request get consecutive numbers, which form a run.
    """
    _, firsts, places = np.unique(ids, return_index=True, return_inverse=True)
    fresh = np.empty(firsts.size, np.int64)
    fresh[np.argsort(firsts)] = np.arange(firsts.size)
    found: Ints = fresh[places]
    return found


def runs_of(ids: Ints, bounds: Ints) -> tuple[Ints, Ints, Ints]:
    """Divide requests into runs of consecutive ids.

    Args:
        ids: [n] ids of all requests, one request after the other.
        bounds: [k + 1] the start of each request in ``ids``; the last element is n.

    Returns:
        offsets [k + 1], first [m], last [m], as in `Trace`.
    """
    begins = np.ones(ids.size, np.bool_)
    begins[1:] = np.diff(ids) != 1
    begins[bounds[:-1][np.diff(bounds) > 0]] = True
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], ids.size) - 1
    return np.searchsorted(starts, bounds), ids[starts], ids[ends] if ids.size else ids
