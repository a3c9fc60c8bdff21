"""Clusters of blocks: whether a GPU supports them, and how many are resident at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu, Kernel

CLUSTER_CAPABILITY = 90

STATIC_BYTES = 128
"""Minimum static shared memory of the kernels, in bytes, for block sums and mbarriers."""


def needs_clusters(gpu: Gpu, cluster: int) -> None:
    """Skip the case if the GPU cannot run a cluster of ``cluster`` blocks."""
    if cluster > 1 and gpu.properties.capability < CLUSTER_CAPABILITY:
        skip("clusters of blocks need compute capability 9.0")
    if cluster > gpu.properties.sms:
        skip(f"a cluster of {cluster} blocks needs {cluster} SMs")


def alone_on_its_sm(gpu: Gpu, used: int, static: int = STATIC_BYTES) -> int:
    """Bytes of shared memory that a block must request so that no second block fits on its SM.

    Otherwise two blocks of a cluster may run on the same SM, and one would read the other's data
    from its own SM.
    """
    most = gpu.properties.shared_per_block - static
    return max(used, min(gpu.properties.shared_per_sm // 2, most))


def resident_clusters(gpu: Gpu, kernel: Kernel, cluster: int, block: int, shared: int) -> int:
    """Number of clusters that are resident at once; skips the case if none fits."""
    found = gpu.clusters(kernel, cluster, block, shared)
    if not found:
        skip(f"no cluster of {cluster} blocks fits into a GPC of this device")
    return found
