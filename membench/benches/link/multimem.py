"""Operations of the NVLink switch (NVLS, multimem): sums over all GPUs, and writes to all GPUs.

This code has not yet run on a machine with several GPUs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention
from membench.core.units import GIB, MIB
from membench.core.work import Timed, Work
from membench.gpu.units import VECTOR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Buffer, Gpu

BLOCK = 512
CAPABILITY = 90

TILE = 65_537
"""Number of values after which the data repeat; a prime, so that no two pages are equal."""

LARGEST = 15
"""Upper bound of the values in the buffers, which are integers.

So sums of a million values are exact in single precision.
"""

ENTRY = {"ld-reduce": "multimem_reduce", "st": "multimem_store", "red": "multimem_add"}
_SEED = 47


def numbers(gpu: int) -> npt.NDArray[np.float32]:
    """The values that are repeated in the memory of the GPU with index ``gpu``.

    Index -1 stands for the values that the kernel stores to all GPUs, or adds to their values.
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED + gpu).integers(0, LARGEST, TILE, endpoint=True)
    return drawn.astype(np.float32)


@bench(
    "peer/multimem",
    version=1,
    needs=(Needs.GPU, Needs.TWO_GPUS),
    profiles=("full",),
    seconds=lambda size, **_: 0.3 + 4.0 * size / GIB,
    gpu_memory=lambda size, **_: 2 * size + MIB,
    grid=("op",),
)
@axis("size", quick="256MiB", step=VECTOR)
@axis("op", quick=("ld-reduce", "st", "red"))
def multimem(gpu: Gpu, size: int, op: str) -> Work:
    """Reductions and broadcasts over all GPUs in the NVLink switch, requested by this GPU alone.

    - ``op=ld-reduce``: loads the sum of all GPUs' values.
    - ``op=st``: stores to all GPUs.
    - ``op=red``: adds to the values of all GPUs.

    The bandwidth counts the bytes on this GPU's link, which are ``size`` bytes for any number of
    GPUs. The values are in single precision.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import repeat

    if gpu.properties.capability < CAPABILITY:
        skip("multimem needs compute capability 9.0 or newer")
    all_of_them = gpu.links.multicast(size)
    own = gpu.allocate(size)
    tiles = [numbers(place) for place in range(len(all_of_them.each))]
    given = numbers(-1)
    for memory, tile in zip(all_of_them.each, tiles, strict=True):
        repeat(gpu, own, tile)
        gpu.copy(memory.address, own.address, size)
    repeat(gpu, own, given)
    gpu.synchronize()
    kernel = gpu.kernel(KernelVariant.of("multimem.cu"), ENTRY[op])
    blocks = gpu.properties.sms * gpu.occupancy(kernel, BLOCK)
    ends = (own.address, all_of_them.address)
    target, source = ends if op == "ld-reduce" else ends[::-1]
    args = (np.uint64(target), np.uint64(source), np.uint64(size // 16))

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args)

    def verify(iterations: int) -> None:
        if op == "ld-reduce":
            _check(gpu, own, own.address, np.sum(tiles, axis=0, dtype=np.float32))
            return
        for memory, tile in zip(all_of_them.each, tiles, strict=True):
            left = given if op == "st" else tile + np.float32(iterations) * given
            _check(gpu, own, memory.address, left)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=10,
        detail={"gpus": len(all_of_them.each), "registers": kernel.registers},
    )


def _check(gpu: Gpu, own: Buffer, address: int, tile: npt.NDArray[np.float32]) -> None:
    import numpy as np

    if address != own.address:  # memory of another GPU is first copied to this GPU
        gpu.copy(own.address, address, own.size)
    found = gpu.download(own, np.float32, own.size // 4)
    if wrong := int(np.count_nonzero(found != np.resize(tile, found.size))):
        raise VerificationFailed(f"peer/multimem: {wrong} numbers of the result are wrong")
