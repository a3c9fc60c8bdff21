"""The size of the scratch file. The disk budget and the free space limit this size."""

from __future__ import annotations

from membench.core.units import MIB

CHUNK = 4 * MIB  # bytes per write when the file is first filled; a reduced file has whole chunks

ON_A_LOCAL_DISK = "choose a directory on a local disk (in a container: on a volume): --scratch DIR"
"""Hint for a directory in which no disk can be measured."""

FREE_SHARE = 0.5
"""Maximum share of the free space for the scratch file."""

LEAST_CUT = 256 * MIB
"""Minimum bytes of a scratch file whose size the budget or the free space has reduced.

The disk's own cache may contain much of a smaller file.
"""


def cut(wanted: int, budget: int, free: int) -> int:
    """File size in bytes: ``wanted``, but at most ``budget`` and half of ``free``.

    A reduced size is a multiple of `CHUNK`. The result is 0 if a reduced size would be below
    `LEAST_CUT`.
    """
    size = min(wanted, budget, int(FREE_SHARE * free))
    if size < min(wanted, LEAST_CUT):
        return 0
    return size if size == wanted else size // CHUNK * CHUNK
