"""Finds whether a GPU supports clusters of thread blocks, and how many clusters run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu, Kernel

CLUSTER_CAPABILITY = 90

STATIC_BYTES = 128
"""Bytes of static shared memory of a kernel with `add_block_sum` (device.cuh)."""


def needs_clusters(gpu: Gpu, cluster: int) -> None:
    """Skip the case if the GPU cannot run clusters of ``cluster`` thread blocks.

    A cluster of one thread block runs on every GPU. A larger cluster requires compute capability
    9.0, and at least as many SMs as thread blocks.
    """
    if cluster > 1 and gpu.properties.capability < CLUSTER_CAPABILITY:
        skip("clusters of blocks need compute capability 9.0 or newer")
    if cluster > gpu.properties.sms:
        skip(f"a cluster of {cluster} blocks does not fit into {gpu.properties.sms} SMs")


def alone_on_its_sm(gpu: Gpu, used: int, static: int = STATIC_BYTES) -> int:
    """Bytes of dynamic shared memory with which an SM runs only one thread block.

    Two blocks of a cluster on one SM would read each other's memory without leaving the SM.

    Args:
        used: bytes of dynamic shared memory that a thread block uses.
        static: bytes of static shared memory of the kernel.
    """
    most = gpu.properties.shared_per_block - static
    return max(used, min(gpu.properties.shared_per_sm // 2, most))


def resident_clusters(gpu: Gpu, kernel: Kernel, cluster: int, block: int, shared: int) -> int:
    """Number of clusters that run at the same time. Skip the case if no cluster fits.

    Args:
        block: threads per thread block.
        shared: bytes of dynamic shared memory per thread block.
    """
    found = gpu.clusters(kernel, cluster, block, shared)
    if not found:
        skip(f"no cluster of {cluster} blocks fits into a GPC of this device")
    return found
