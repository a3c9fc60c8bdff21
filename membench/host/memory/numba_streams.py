"""The compiled engine for STREAM's kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import llvmlite.binding as llvm

from membench.core.errors import skip
from membench.host.compiled.pattern import CODES, SALT_A, SALT_B, STREAM_KERNELS
from membench.host.memory.kernels import host_streams
from membench.host.memory.streams import Doubles
from membench.host.memory.thread_pool import ThreadSlot


def vector_bits(features: Mapping[str, bool]) -> int:
    """Bits of a vector register of a CPU with LLVM's ``features``; 0 if unknown."""
    if features.get("avx512f"):
        return 512
    if features.get("avx"):
        return 256
    return 128 if features.get("sse2") or features.get("neon") else 0


class NumbaStreams:
    """Implements `membench.host.memory.streams.Streams` with compiled kernels."""

    name = "numba"

    def __init__(self) -> None:
        self.vector_bits = vector_bits(llvm.get_host_cpu_features())

    def prepare(self, operation: str, stores: str) -> None:
        if (operation, stores) not in STREAM_KERNELS:
            skip(f"{operation} has no variant with {stores} stores")
        for name in (STREAM_KERNELS[operation, stores], "fill", "poison", "check"):
            getattr(host_streams, name)

    def run(
        self,
        slot: ThreadSlot,
        operation: str,
        stores: str,
        arrays: Sequence[Doubles],
        iterations: int,
    ) -> int:
        entry = getattr(host_streams, STREAM_KERNELS[operation, stores])
        addresses = [array.ctypes.data for array in arrays]
        return int(entry(*slot.barrier, iterations, *addresses, arrays[0].nbytes))

    def fill(self, array: Doubles, first: int, salt: int) -> None:
        host_streams.fill(array.ctypes.data, first, array.size, salt)

    def poison(self, array: Doubles) -> None:
        host_streams.poison(array.ctypes.data, array.size)

    def check(self, operation: str, array: Doubles, first: int) -> int:
        return int(
            host_streams.check(
                CODES[operation], array.ctypes.data, first, array.size, SALT_A, SALT_B
            )
        )
