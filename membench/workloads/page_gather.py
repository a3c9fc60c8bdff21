"""Makes page tables for a kernel that reads scattered pages of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCK = 512

_SEED = 0x9A9E


def page_table(kind: str, pages: int, count: int) -> npt.NDArray[np.uint32]:
    """An array of ``count`` page numbers below ``pages``, with the distribution ``kind``.

    - ``uniform``: independent and uniformly distributed.
    - ``zipf``: the k-th most popular page occurs about in proportion to 1/k. The rank k is pages^u,
      rounded down, with u uniformly distributed from 0 to 1. Popular pages are scattered over the
      pool.
    - ``seq``: ascending from 0, and again from 0 after the last page.
    """
    import numpy as np

    random = np.random.default_rng(_SEED)
    if kind == "uniform":
        return random.integers(0, pages, count, dtype=np.uint32)
    if kind == "zipf":
        rank = np.power(float(pages), random.random(count)).astype(np.uint64) - np.uint64(1)
        return (rank * np.uint64(0x9E3779B1) % np.uint64(pages)).astype(np.uint32)
    return (np.arange(count) % pages).astype(np.uint32)
