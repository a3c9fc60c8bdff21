"""Generate contents for GPU buffers on the host, and add up the words that a kernel reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.errors import VerificationFailed
from membench.gpu.protocol import Buffer, Gpu

if TYPE_CHECKING:
    import numpy.typing as npt

_U32 = 2**32


class BlockSums:
    """One 32-bit sum per thread block, to which a kernel adds the words that the block reads.

    Attributes:
        buffer: the sums in device memory, an argument of the kernels.
    """

    def __init__(self, gpu: Gpu, blocks: int) -> None:
        self._gpu = gpu
        self._blocks = blocks
        self.buffer = gpu.allocate(4 * blocks)
        gpu.fill(self.buffer, 0)

    def each(self) -> npt.NDArray[np.uint32]:
        """The current sum of each block, modulo 2^32."""
        return self._gpu.download(self.buffer, np.uint32, self._blocks)

    def check(self, what: str, expected: int) -> None:
        """Raise `VerificationFailed` if the sums do not add up to ``expected`` modulo 2^32."""
        found = int(self.each().sum(dtype=np.uint64))
        if found % _U32 != expected % _U32:
            raise VerificationFailed(
                f"{what}: the sum of the words is {found % _U32}, not {expected % _U32}"
            )


def repeat(gpu: Gpu, target: Buffer, tile: npt.NDArray[Any]) -> None:
    """Fill ``target`` with copies of ``tile``. The last copy may be incomplete."""
    raw = np.ascontiguousarray(tile).reshape(-1).view(np.uint8)[: target.size]
    gpu.upload(target, raw)
    filled = raw.size
    while filled < target.size:
        size = min(filled, target.size - filled)
        gpu.copy(target.address + filled, target.address, size)
        filled += size


def random_words(count: int, seed: int) -> npt.NDArray[np.uint32]:
    return np.random.default_rng(seed).integers(0, _U32, count, dtype=np.uint32)


class Repeated:
    """Sums over the 32-bit words of a buffer that `repeat` filled with ``tile``."""

    def __init__(self, tile: npt.NDArray[np.uint32]) -> None:
        self._count = np.uint64(tile.size)
        # The sums may overflow: a sum modulo 2^64 is also correct modulo 2^32.
        self._before = np.concatenate(([0], np.cumsum(tile, dtype=np.uint64))).astype(np.uint64)

    def sum(self, first: npt.NDArray[np.uint64], count: int) -> int:
        """Sum over all i of the words ``first[i]`` to ``first[i] + count - 1``, modulo 2^32."""
        ends = self._up_to(first + np.uint64(count))
        return int((ends - self._up_to(first)).sum(dtype=np.uint64)) % _U32

    def _up_to(self, end: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        laps, rest = np.divmod(end, self._count)
        result: npt.NDArray[np.uint64] = laps * self._before[-1] + self._before[rest]
        return result


# Positive and negative numbers with magnitudes in [0.5, 1) and random mantissas. Sums do not
# overflow, and the GPU uses as much power as with real data.
_FORMATS: dict[str, tuple[type[np.unsignedinteger[Any]], int, int]] = {
    "fp32": (np.uint32, 0x807F_FFFF, 0x3F00_0000),
    "bf16": (np.uint16, 0x807F, 0x3F00),
    "fp16": (np.uint16, 0x83FF, 0x3800),
    "fp8": (np.uint8, 0x87, 0x30),
    # A byte has two E2M1 numbers, each +-1 or +-1.5. Products, and sums of thousands of products,
    # are exact.
    "nvfp4": (np.uint8, 0x99, 0x22),
}
_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


def random_numbers(kind: str, count: int, seed: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """``count`` random elements of format ``kind``: fp32, tf32, bf16, fp16, fp8, mxfp8 or nvfp4.

    An element is one number, or for NVFP4 a byte with two numbers. FP8 and MXFP8 are E4M3, and
    NVFP4 is E2M1. The result contains no scales.
    """
    stored, kept, exponent = _FORMATS[{"tf32": "fp32", "mxfp8": "fp8"}.get(kind, kind)]
    bits = np.random.default_rng(seed).integers(
        0, np.iinfo(stored).max, count, stored, endpoint=True
    )
    result: npt.NDArray[np.unsignedinteger[Any]] = (bits & stored(kept)) | stored(exponent)
    return result


def values(kind: str, bits: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.float32]:
    """Decode numbers of format ``kind``. A byte of nvfp4 has two numbers, the lower half first."""
    if kind == "nvfp4":
        halves = np.stack((bits & 0xF, bits >> 4), axis=-1).reshape(-1)
        result4: npt.NDArray[np.float32] = np.where(halves & 8, -1, 1) * _E2M1[halves & 7]
        return result4.astype(np.float32)
    if kind in ("fp32", "tf32"):
        return bits.view(np.float32)
    if kind == "bf16":
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if kind == "fp16":
        return bits.view(np.float16).astype(np.float32)
    exponent, fraction = (bits >> 3) & 0xF, (bits & 7).astype(np.float32)
    size = np.where(exponent > 0, 1 + fraction / 8, fraction / 4) * np.exp2(exponent - 7.0)
    result: npt.NDArray[np.float32] = np.where(bits & 0x80, -size, size).astype(np.float32)
    return result
