"""The C library's memset, as a case of membench."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from membench.core.case import axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import BytesConvention
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend

BYTE = 0x5A


@bench("ddr/memset", version=1, seconds=0.5, memory=lambda size: size)
@axis("size", quick="256MiB", full="64MiB..1GiB *4")
def memset(cpu: CpuBackend, size: int) -> Work:
    """One thread sets a buffer to one byte; counted are the bytes written."""
    (target,) = cpu.arrays("thp", [size])

    def fill(iterations: int) -> None:
        for _ in range(iterations):
            ctypes.memset(target.ctypes.data, BYTE, size)

    def run(iterations: int) -> None:
        cpu.launch([lambda slot: slot.timed(lambda: fill(iterations))])

    def verify(_iterations: int) -> None:
        if not (target.view("u1") == BYTE).all():
            raise VerificationFailed("a byte differs from the one that was set")

    cpu.each(1, lambda _thread: target.fill(0))
    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.RW_SUM,
    )
