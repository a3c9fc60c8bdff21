"""The size of the scratch file, which the disk budget and the free space limit."""

from __future__ import annotations

from membench.core.units import MIB

CHUNK = 4 * MIB  # bytes per write of the layout; a file has a whole number of chunks

FREE_SHARE = 0.5
"""Maximum share of the free space that the file may take."""

LEAST_CUT = 256 * MIB
"""Minimum bytes to which budget or free space reduce a file.

The disk's own cache may serve much of a smaller one.
"""


def cut(wanted: int, budget: int, free: int) -> int:
    """File size in bytes: ``wanted``, but at most ``budget`` and half of ``free``.

    A multiple of the chunk size; 0 if the limits leave less than both ``wanted`` and `LEAST_CUT`.
    """
    size = min(wanted, budget, int(FREE_SHARE * free))
    if size < min(wanted, LEAST_CUT):
        return 0
    return size if size == wanted else size // CHUNK * CHUNK
