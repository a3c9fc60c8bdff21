"""Shared memory: bank conflicts, barriers, and a mutant for every kind of mistake."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import (
    BarrierMisuse,
    Deadlock,
    Machine,
    Misaligned,
    OutOfBounds,
    Race,
    Uninitialised,
)
from emulator.counters import Counts
from hypothesis import given, settings
from hypothesis import strategies as st
from ptx_snippets import Run, evaluate
from sampling import examples

STRIDED = """
extern __shared__ unsigned words[];
extern "C" __global__ void k(unsigned* out, unsigned stride) {
    words[threadIdx.x * stride] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = words[threadIdx.x * stride];
}
"""


@pytest.mark.parametrize(
    ("stride", "wavefronts"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (32, 32), (33, 1), (0, 1)]
)
def test_bank_conflicts_of_words(stride: int, wavefronts: int) -> None:
    machine = Machine(races=stride > 0)  # at stride 0, all threads write the same word
    run = Run(STRIDED, [128, np.uint32(stride)], shared=4 * 33 * 32, machine=machine)
    assert run.counts.wavefronts["ld.shared"] == wavefronts
    assert run.counts.wavefronts["st.shared"] == wavefronts
    assert run.counts.requests["ld.shared"] == 1
    assert run.counts.bytes["ld.shared"] == 128


@pytest.mark.parametrize(("type_", "wavefronts"), [("uint2", 2), ("uint4", 4)])
def test_wide_accesses_take_a_wavefront_for_each_128_bytes(type_: str, wavefronts: int) -> None:
    text = f"""
    extern __shared__ {type_} v[];
    extern "C" __global__ void k({type_}* out) {{
        {type_} x = {{}};
        x.x = threadIdx.x;
        v[threadIdx.x] = x;
        __syncthreads();
        out[threadIdx.x] = v[threadIdx.x];
    }}"""
    run = Run(text, [512], shared=512)
    assert run.counts.wavefronts["ld.shared"] == wavefronts


@settings(max_examples=examples(60))
@given(
    st.lists(st.integers(0, 511), min_size=1, max_size=64),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_wavefronts_are_those_of_the_busiest_bank(indices: list[int], size: int) -> None:
    counts = Counts()
    places = np.array(indices) * size
    threads = np.arange(len(indices))
    counts.count_shared("ld.shared", threads // 32, threads, places, size)
    expected = 0
    lanes = max(1, 32 // max(1, size // 4))
    for start in range(0, len(indices), lanes):
        banks: dict[int, set[int]] = {}
        for place in places[start : start + lanes].tolist():
            for word in range(place // 4, (place + size - 1) // 4 + 1):
                banks.setdefault(word % 32, set()).add(word)
        expected += max(len(words) for words in banks.values())
    assert counts.wavefronts["ld.shared"] == expected


@settings(max_examples=examples(60))
@given(
    st.lists(st.integers(0, 4096), min_size=1, max_size=96), st.sampled_from([1, 2, 4, 8, 16, 32])
)
def test_sectors_are_counted_for_each_warp(indices: list[int], size: int) -> None:
    counts = Counts()
    addresses = 0x7F00_0000_0000 + np.array(indices) * size
    counts.count_global("ld.global", np.arange(len(indices)) // 32, addresses, size)
    expected = sum(
        len({a // 32 for a in addresses[start : start + 32].tolist()})
        for start in range(0, len(indices), 32)
    )
    assert counts.sectors["ld.global"] == expected
    assert counts.requests["ld.global"] == -(-len(indices) // 32)


ROTATE = """
extern "C" __global__ void k(const unsigned* in, unsigned* out, int rounds) {
    __shared__ unsigned tile[128];
    for (int r = 0; r < rounds; ++r) {
        tile[threadIdx.x] = in[128 * (2 * blockIdx.x + r) + threadIdx.x];
        __syncthreads();  // filled
        out[128 * (2 * blockIdx.x + r) + threadIdx.x] = tile[(threadIdx.x + 5) % 128];
        __syncthreads();  // read
    }
}
"""


def rotate(text: str) -> None:
    data = np.random.default_rng(9).integers(0, 2**32, (6, 128), np.uint32)
    run = Run(text, [data, data.nbytes, np.int32(2)], grid=3, block=128)
    assert np.array_equal(run.result(1, np.uint32).reshape(6, 128), np.roll(data, -5, axis=1))
    # Each warp reads 128 bytes per round without conflict, except the warp that wraps around.
    assert run.counts.bytes["ld.shared"] == data.nbytes


def test_rotation_through_shared_memory() -> None:
    rotate(ROTATE)


@pytest.mark.parametrize("comment", ["filled", "read"])
def test_each_removed_barrier_is_a_race(comment: str) -> None:
    with pytest.raises((Race, Uninitialised), match=r"k: .*block \d, thread \d+: (ld|st)\.shared"):
        rotate(ROTATE.replace(f"__syncthreads();  // {comment}", ""))


def test_uninitialised_shared_memory_is_not_read() -> None:
    text = ROTATE.replace("tile[threadIdx.x] = ", "if (threadIdx.x != 77) tile[threadIdx.x] = ")
    with pytest.raises(Uninitialised, match="uninitialised shared memory, block 0, thread 72"):
        rotate(text)


def test_the_end_of_shared_memory_is_watched() -> None:
    with pytest.raises(OutOfBounds, match=r"byte 512 of 512, block 0, thread 123"):
        rotate(ROTATE.replace("(threadIdx.x + 5) % 128", "threadIdx.x + 5"))


def test_misaligned_access() -> None:
    text = """
    extern __shared__ unsigned char bytes[];
    extern "C" __global__ void k(unsigned* out) {
        bytes[threadIdx.x] = 1;
        __syncthreads();
        out[threadIdx.x] = *reinterpret_cast<unsigned*>(bytes + 2);
    }"""
    with pytest.raises(Misaligned, match="misaligned 4-byte access"):
        Run(text, [128], shared=64)


WITHIN_WARP = """
extern "C" __global__ void k(unsigned* out) {
    __shared__ unsigned words[32];
    words[threadIdx.x] = threadIdx.x;
    __syncwarp();  // written
    unsigned got = words[threadIdx.x ^ 1];
    __syncwarp();  // read
    words[threadIdx.x] = got + 1;
    __syncwarp();  // again
    out[threadIdx.x] = words[31 - threadIdx.x];
}
"""


def test_threads_of_a_warp_need_an_order_too() -> None:
    run = Run(WITHIN_WARP, [128])
    assert np.array_equal(run.result(0, np.uint32), ((31 - np.arange(32)) ^ 1) + 1)
    for comment in ("written", "read", "again"):
        with pytest.raises((Race, Uninitialised)):
            Run(WITHIN_WARP.replace(f"__syncwarp();  // {comment}", ""), [128])


def test_two_threads_that_write_one_word_race() -> None:
    text = """
    extern "C" __global__ void k(unsigned* out) {
        __shared__ unsigned word;
        word = threadIdx.x;
        __syncthreads();
        out[threadIdx.x] = word;
    }"""
    with pytest.raises(Race, match="in the same instruction"):
        Run(text, [128])


def test_bytes_next_to_each_other_do_not_race() -> None:
    text = """
    extern "C" __global__ void k(unsigned* out) {
        __shared__ unsigned char bytes[64];
        bytes[threadIdx.x] = threadIdx.x;
        bytes[threadIdx.x] += 3;
        __syncthreads();
        out[threadIdx.x] = bytes[63 - threadIdx.x];
    }"""
    run = Run(text, [256], block=64)
    assert np.array_equal(run.result(0, np.uint32), 66 - np.arange(64))


# Warps 0 and 1 pass a tile to warps 2 and 3 and get the tile back, with numbered barriers.
HANDED_OVER = """
__device__ void sync(int id) { asm volatile("bar.sync %0, 128;" ::"r"(id) : "memory"); }
__device__ void arrive(int id) { asm volatile("bar.arrive %0, 128;" ::"r"(id) : "memory"); }
extern "C" __global__ void k(unsigned* out) {
    __shared__ unsigned tile[64];
    const unsigned lane = threadIdx.x % 64;
    if (threadIdx.x < 64) {
        for (unsigned r = 0; r < 3; ++r) {
            sync(2);  // empty
            tile[lane] = 100 * r + lane;
            arrive(1);
        }
    } else {
        arrive(2);
        for (unsigned r = 0; r < 3; ++r) {
            sync(1);  // full
            out[64 * r + lane] = tile[63 - lane];
            if (r < 2) arrive(2);
        }
    }
}
"""


def test_producers_and_consumers_meet_at_numbered_barriers() -> None:
    run = Run(HANDED_OVER, [3 * 256], block=128)
    wanted = np.array([100 * r + 63 - lane for r in range(3) for lane in range(64)])
    assert np.array_equal(run.result(0, np.uint32), wanted)


@pytest.mark.parametrize("comment", ["empty", "full"])
def test_an_arrival_instead_of_a_wait_is_a_race(comment: str) -> None:
    number = {"empty": 2, "full": 1}[comment]
    text = HANDED_OVER.replace(f"sync({number});  // {comment}", f"arrive({number});")
    with pytest.raises((Race, Uninitialised, Deadlock)):
        Run(text, [3 * 256], block=128)


def test_a_barrier_that_part_of_the_block_waits_for_is_a_deadlock() -> None:
    text = """
    extern "C" __global__ void k(unsigned* out) {
        if (threadIdx.x < 32) asm volatile("bar.sync 1, 64;" ::: "memory");
        out[threadIdx.x] = 1;
    }"""
    with pytest.raises(Deadlock, match=r"32 threads wait at a barrier of the block .*thread 0"):
        Run(text, [256], block=64)
    with pytest.raises(BarrierMisuse, match="whole warps"):
        evaluate("bar.sync 0, 40; mov.u32 d, 0;", np.uint32)


def test_threads_that_ended_are_not_waited_for() -> None:
    text = """
    extern "C" __global__ void k(unsigned* out) {
        if (threadIdx.x >= 40) return;
        __shared__ unsigned words[40];
        words[threadIdx.x] = threadIdx.x;
        __syncthreads();
        out[threadIdx.x] = words[39 - threadIdx.x];
    }"""
    run = Run(text, [256], block=64)
    assert np.array_equal(run.result(0, np.uint32)[:40], 39 - np.arange(40))


def test_blocks_do_not_see_each_others_shared_memory() -> None:
    text = """
    extern "C" __global__ void k(unsigned* out) {
        __shared__ unsigned word;
        if (threadIdx.x == 0) word = blockIdx.x;
        __syncthreads();
        out[blockDim.x * blockIdx.x + threadIdx.x] = word;
    }"""
    run = Run(text, [4 * 96 * 20], grid=20, block=96)
    assert np.array_equal(run.result(0, np.uint32), np.repeat(np.arange(20), 96))
