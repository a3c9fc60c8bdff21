"""multimem: sums over several memories, and writes to several memories, compared with NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from emulator import Counts, OutOfBounds, UnknownInstruction
from emulator.device import Loaded, execute, upload
from emulator.machine import Machine
from ptx_snippets import compiled

ADD = "multimem.red.relaxed.sys.global.add.f32 [%0], %1;"
STORE = "multimem.st.relaxed.sys.global.f32 [%0], %1;"
SOURCE = """
extern "C" __global__ void k(float* all, float* out) {
    float x;
    asm volatile("multimem.ld_reduce.relaxed.sys.global.add.f32 %0, [%1];"
                 : "=f"(x) : "l"(all + threadIdx.x) : "memory");
    out[threadIdx.x] = x;
    asm volatile("OPERATION" :: "l"(all + threadIdx.x), "f"(x) : "memory");
}
"""
Floats = npt.NDArray[np.float32]


def run(text: str, threads: int = 32) -> tuple[Floats, list[Floats], Floats, Counts]:
    """(old contents of three memories, new contents, sums, counts) of a run of ``text``."""
    machine = Machine()
    data = np.random.default_rng(5).integers(0, 100, (3, 32)).astype(np.float32)
    each = tuple(upload(machine, one) for one in data)
    out = upload(machine, np.zeros(threads, np.float32))
    address = np.uint64(machine.memory.multicast(each))
    launch = execute(machine, Loaded(machine, compiled(text).ptx), "k", 1, threads, [address, out])
    left = [one.array.view(np.float32).copy() for one in each]
    return data, left, out.array.view(np.float32).copy(), launch.counts


def test_a_load_is_the_sum_and_an_addition_goes_to_all() -> None:
    data, left, sums, counts = run(SOURCE.replace("OPERATION", ADD))
    assert np.array_equal(sums, data.sum(axis=0))
    assert np.array_equal(left, data + sums)
    assert counts.bytes["multimem.load"] == counts.bytes["multimem.red"] == 4 * 32


def test_a_store_goes_to_all() -> None:
    _, left, sums, counts = run(SOURCE.replace("OPERATION", STORE))
    assert np.array_equal(left, [sums] * 3)
    assert counts.bytes["multimem.store"] == 4 * 32
    assert not counts.bytes["multimem.red"]


def test_beyond_the_memories_there_is_nothing() -> None:
    with pytest.raises(OutOfBounds, match="which is no multicast"):
        run(SOURCE.replace("OPERATION", STORE), threads=64)


def test_what_is_not_emulated_is_refused_by_name() -> None:
    with pytest.raises(UnknownInstruction, match=r"multimem\.ld_reduce.*min"):
        run(
            SOURCE.replace("OPERATION", STORE)
            .replace("add.f32 %0", "min.s32 %0")
            .replace('"=f"(x)', '"=r"(*reinterpret_cast<int*>(&x))')
        )
