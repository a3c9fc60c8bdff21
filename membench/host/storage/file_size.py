"""The size of the scratch file: wanted, and granted by the budget and the free space."""

from __future__ import annotations

from membench.core.units import MIB

CHUNK = 4 * MIB  # one write of the layout; a file is a whole number of them

FREE_SHARE = 0.5
"""Largest share of the free space that the file may take."""

LEAST_CUT = 256 * MIB
"""Least bytes to which a file is reduced by budget or free space: much of a smaller one may be
served from the disk's own cache.
"""


def cut(wanted: int, budget: int, free: int) -> int:
    """Bytes of the file if ``wanted`` are best: at most ``budget`` and half of ``free``.

    A multiple of the chunk size; 0 if less than ``wanted`` and less than `LEAST_CUT` would remain.
    """
    size = min(wanted, budget, int(FREE_SHARE * free))
    if size < min(wanted, LEAST_CUT):
        return 0
    return size if size == wanted else size // CHUNK * CHUNK
