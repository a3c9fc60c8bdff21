"""Clusters of blocks: whether a GPU has them, and how many are resident at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu, Kernel

CLUSTER_CAPABILITY = 90

STATIC_BYTES = 128
"""Shared memory of the kernels' own, for the sums of a block and its mbarriers, at least."""


def needs_clusters(gpu: Gpu, cluster: int) -> None:
    """Skip where no cluster of ``cluster`` blocks can be."""
    if cluster > 1 and gpu.properties.capability < CLUSTER_CAPABILITY:
        skip("clusters of blocks need compute capability 9.0")
    if cluster > gpu.properties.sms:
        skip(f"a cluster of {cluster} blocks needs as many SMs")


def alone_on_its_sm(gpu: Gpu, used: int, static: int = STATIC_BYTES) -> int:
    """Shared memory that a block asks for so that no second one fits beside it.

    Else two blocks of a cluster may share an SM, and what one reads of the other is its own SM's.
    """
    most = gpu.properties.shared_per_block - static
    return max(used, min(gpu.properties.shared_per_sm // 2, most))


def resident_clusters(gpu: Gpu, kernel: Kernel, cluster: int, block: int, shared: int) -> int:
    """Clusters that are resident at once; skips where not one is."""
    found = gpu.clusters(kernel, cluster, block, shared)
    if not found:
        skip(f"no cluster of {cluster} blocks fits into a GPC of this device")
    return found
