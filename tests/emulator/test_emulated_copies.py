"""Asynchronous copies: results, bytes, and mutants with a missing wait or a wrong count."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import (
    BarrierMisuse,
    EmulationError,
    FuelExhausted,
    Misaligned,
    MissingFence,
    MissingWait,
    OutOfBounds,
    Race,
    Uninitialised,
)
from ptx_snippets import Run

# A ring of STAGES tiles, filled by cp.async with one group per tile.
RING = """
constexpr int STAGES = 3;
__device__ __forceinline__ unsigned at(const void* p) {
    return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
extern "C" __global__ void k(const uint4* in, uint4* out, int tiles) {
    __shared__ uint4 ring[STAGES][64];
    auto fetch = [&](int t) {
        if (t < tiles)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                             at(&ring[t % STAGES][threadIdx.x])),
                         "l"(in + 64 * t + threadIdx.x)
                         : "memory");
        asm volatile("cp.async.commit_group;" ::: "memory");
    };
    for (int t = 0; t < STAGES - 1; ++t) fetch(t);
#pragma unroll 1
    for (int t = 0; t < tiles; ++t) {
        asm volatile("cp.async.wait_group 1;" ::: "memory");
        __syncthreads();  // arrived
        out[64 * t + threadIdx.x] = ring[t % STAGES][63 - threadIdx.x];
        fetch(t + STAGES - 1);
    }
    asm volatile("cp.async.wait_all;" ::: "memory");
}
"""


def ring(text: str, arch: str = "90") -> None:
    data = np.random.default_rng(10).integers(0, 2**32, (7, 64, 4), np.uint32)
    run = Run(text, [data, data.nbytes, np.int32(7)], block=64, arch=arch)
    assert np.array_equal(run.result(1, np.uint32).reshape(7, 64, 4), data[:, ::-1])
    assert run.counts.bytes["cp.async"] == run.counts.loaded == data.nbytes
    assert run.counts.sectors["cp.async"] == data.nbytes // 32


@pytest.mark.parametrize("arch", ["80", "90", "120"])
def test_a_ring_of_asynchronous_copies(arch: str) -> None:
    ring(RING, arch)


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ('asm volatile("cp.async.wait_group 1;" ::: "memory");', "", MissingWait),
        ("wait_group 1;", "wait_group 2;", MissingWait),
        ("__syncthreads();  // arrived", "", Race),
        ('asm volatile("cp.async.wait_all;" ::: "memory");', "", None),
        ("fetch(t + STAGES - 1)", "fetch(t + STAGES)", (MissingWait, Race, Uninitialised)),
        ("if (t < tiles)", "", OutOfBounds),
        ("in + 64 * t", "reinterpret_cast<const char*>(in) + 8 + 1024 * t", Misaligned),
    ],
    ids=["no-wait", "wait-too-late", "no-barrier", "empty-groups", "slot", "bound", "alignment"],
)
def test_each_mistake_in_the_ring_is_caught(
    before: str, after: str, error: type[Exception] | tuple[type[Exception], ...] | None
) -> None:
    assert before in RING
    mutant = RING.replace(before, after)
    if error is None:  # the last groups are empty, so no copy is in progress
        ring(mutant)
        return
    with pytest.raises(error):
        ring(mutant)


def test_a_copy_that_nobody_waits_for_is_caught_at_the_end() -> None:
    text = """
    extern "C" __global__ void k(const float* in) {
        __shared__ float v[32];
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(
            (unsigned)__cvta_generic_to_shared(v + threadIdx.x)), "l"(in + threadIdx.x));
    }"""
    with pytest.raises(MissingWait, match=r"ended with cp\.async under way"):
        Run(text, [np.zeros(32, np.float32)])


def test_what_is_not_read_is_zero() -> None:
    text = """
    extern "C" __global__ void k(const unsigned* in, unsigned* out) {
        __shared__ unsigned v[32];
        unsigned to = (unsigned)__cvta_generic_to_shared(v + threadIdx.x);
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to),
            "l"(in + threadIdx.x), "r"(threadIdx.x < 20 ? 4 : 0) : "memory");
        asm volatile("cp.async.wait_all;" ::: "memory");
        out[threadIdx.x] = v[threadIdx.x];
    }"""
    data = np.arange(100, 120, dtype=np.uint32)
    run = Run(text, [data, 128])
    assert np.array_equal(run.result(1, np.uint32), np.append(data, np.zeros(12)))
    assert run.counts.bytes["cp.async"] == 80


# Bulk copies with mbarriers for full and empty stages. Thread 0 fills, all threads read.
BULK = """
constexpr int STAGES = 2, TILE = 512;
__device__ __forceinline__ unsigned at(const void* p) {
    return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
__device__ __forceinline__ void wait(unsigned long long* bar, int parity) {
    asm volatile(
        "{\\n.reg .pred done;\\nAGAIN:\\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\\n"
        "@!done bra AGAIN;\\n}" ::"r"(at(bar)), "r"(parity) : "memory");
}
__device__ __forceinline__ void init(unsigned long long* bar, int count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at(bar)), "r"(count) : "memory");
}
extern "C" __global__ void k(const char* in, uint2* out, int tiles) {
    __shared__ alignas(128) char ring[STAGES][TILE];
    __shared__ unsigned long long full[STAGES], empty[STAGES];
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; ++s) {
            init(full + s, 1);
            init(empty + s, 64);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();  // ready
    auto fetch = [&](int t) {
        const int s = t % STAGES;
        if (t >= STAGES) wait(empty + s, (t / STAGES - 1) & 1);
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at(full + s)),
                     "r"(TILE) : "memory");
        asm volatile(
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
            "[%0], [%1], %2, [%3];" ::"r"(at(ring[s])), "l"(in + TILE * t), "r"(TILE),
            "r"(at(full + s)) : "memory");
    };
    if (threadIdx.x == 0)
        for (int t = 0; t < STAGES - 1; ++t) fetch(t);
#pragma unroll 1
    for (int t = 0; t < tiles; ++t) {
        if (threadIdx.x == 0 && t + STAGES - 1 < tiles) fetch(t + STAGES - 1);
        wait(full + t % STAGES, (t / STAGES) & 1);
        out[64 * t + threadIdx.x] = reinterpret_cast<uint2*>(ring[t % STAGES])[63 - threadIdx.x];
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at(empty + t % STAGES))
                     : "memory");
    }
}
"""


def bulk(text: str, arch: str = "90") -> None:
    data = np.random.default_rng(11).integers(0, 2**32, (9, 64, 2), np.uint32)
    run = Run(text, [data, data.nbytes, np.int32(9)], block=64, arch=arch, fuel=20_000)
    assert np.array_equal(run.result(1, np.uint32).reshape(9, 64, 2), data[:, ::-1])
    assert run.counts.bytes["bulk.load"] == run.counts.loaded == data.nbytes
    assert run.counts.stored == data.nbytes


@pytest.mark.parametrize("arch", ["90", "100", "120"])
def test_bulk_copies_with_full_and_empty_barriers(arch: str) -> None:
    bulk(BULK, arch)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("wait(full + t % STAGES, (t / STAGES) & 1);", "", (MissingWait, Uninitialised)),
        ('"@!done bra AGAIN;', '"', (MissingWait, Uninitialised)),
        ("if (t >= STAGES) wait(empty + s, (t / STAGES - 1) & 1);", "", (Race, MissingWait)),
        ("(t / STAGES - 1) & 1", "(t / STAGES) & 1", (Race, MissingWait, FuelExhausted)),
        (
            '"r"(TILE) : "memory");\n        asm',
            '"r"(TILE - 16) : "memory");\n        asm',
            FuelExhausted,
        ),
        ("init(empty + s, 64)", "init(empty + s, 65)", FuelExhausted),
        ("init(empty + s, 64)", "init(empty + s, 32)", (Race, FuelExhausted)),
        ("init(full + s, 1);", "", BarrierMisuse),
        ("__syncthreads();  // ready", "", (Race, BarrierMisuse)),
        ('asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");', "", MissingFence),
        ("in + TILE * t", "in + TILE * t + 8", Misaligned),
        ("if (threadIdx.x == 0 && t + STAGES - 1 < tiles)", "if (threadIdx.x == 0)", OutOfBounds),
    ],
    ids=[
        "no-wait",
        "wait-once",
        "no-empty-wait",
        "empty-parity",
        "expected-bytes",
        "arrivals-65",
        "arrivals-32",
        "no-init",
        "no-barrier",
        "no-fence",
        "alignment",
        "bound",
    ],
)
def test_each_mistake_with_bulk_copies_is_caught(
    before: str, after: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    assert before in BULK
    with pytest.raises(error):
        bulk(BULK.replace(before, after))


STORE = """
extern "C" __global__ void k(char* out) {
    __shared__ alignas(128) unsigned tile[64];
    tile[threadIdx.x] = threadIdx.x + 100 * blockIdx.x;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();  // written
    if (threadIdx.x == 0) {
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 256;" ::"l"(
            out + 256 * blockIdx.x), "r"((unsigned)__cvta_generic_to_shared(tile)) : "memory");
        asm volatile("cp.async.bulk.commit_group;" ::: "memory");
        asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
    }
    __syncthreads();  // read
    tile[threadIdx.x] = 0;
}
"""


def test_bulk_copies_to_global_memory() -> None:
    run = Run(STORE, [5 * 256], grid=5, block=64)
    wanted = np.arange(64) + 100 * np.arange(5)[:, None]
    assert np.array_equal(run.result(0, np.uint32).reshape(5, 64), wanted)
    assert run.counts.stored == run.counts.bytes["bulk.store"] == 5 * 256


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ('asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");', "", MissingWait),
        ('asm volatile("cp.async.bulk.commit_group;" ::: "memory");', "", MissingWait),
        ("wait_group.read 0", "wait_group.read 1", MissingWait),
        ("__syncthreads();  // read", "", (MissingWait, Race)),
        ("__syncthreads();  // written", "", (Race, Uninitialised)),
        ('asm volatile("fence.proxy.async.shared::cta;" ::: "memory");', "", MissingFence),
        ("fence.proxy.async.shared::cta", "fence.mbarrier_init.release.cluster", MissingFence),
        ("256 * blockIdx.x), ", "256 * blockIdx.x + 16), ", OutOfBounds),
        ("out + 256 * blockIdx.x", "out + 8 + 256 * blockIdx.x", Misaligned),
    ],
    ids=[
        "no-wait",
        "no-commit",
        "wait-too-late",
        "overwritten",
        "no-barrier",
        "no-fence",
        "other-fence",
        "bound",
        "alignment",
    ],
)
def test_each_mistake_with_bulk_stores_is_caught(
    before: str, after: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    assert before in STORE
    with pytest.raises(error):
        Run(STORE.replace(before, after), [5 * 256], grid=5, block=64)


def test_cache_hints_of_bulk_copies_are_refused_by_name() -> None:
    text = STORE.replace(
        'bulk_group [%0], [%1], 256;"', 'bulk_group.L2::cache_hint [%0], [%1], 256, %2;"'
    ).replace("cvta_generic_to_shared(tile)) :", 'cvta_generic_to_shared(tile)), "l"(0ull) :')
    with pytest.raises(EmulationError, match=r"not emulated: cp\.async\.bulk\.global.*cache_hint"):
        Run(text, [5 * 256], grid=5, block=64)


FENCE = 'asm volatile("fence.proxy.async.shared::cta;" ::: "memory");'
WRITTEN = "__syncthreads();  // written"


def store(between: str) -> Run:
    """Run the bulk store with ``between`` instead of the fence and the barrier after the fence."""
    return Run(STORE.replace(FENCE, "").replace(WRITTEN, between), [256], grid=1, block=64)


@pytest.mark.parametrize(
    "between",
    [
        f"{WRITTEN}\n if (threadIdx.x == 0) {FENCE}",  # the thread that starts the copy
        f"{WRITTEN}\n {FENCE}",  # every thread, including the thread that starts the copy
        f"{WRITTEN}\n if (threadIdx.x == 40) {FENCE} __syncthreads();",
        f"{WRITTEN}\n if (threadIdx.x == 5) {FENCE} __syncwarp();",
        f"{FENCE} {WRITTEN}\n if (threadIdx.x == 40) {FENCE}",  # one fence more than necessary
    ],
    ids=["own", "all", "barrier", "warp-barrier", "twice"],
)
def test_a_fence_that_is_ordered_before_its_copy_is_enough(between: str) -> None:
    assert np.array_equal(store(between).result(0, np.uint32), np.arange(64))


@pytest.mark.parametrize(
    "between",
    [
        f"{WRITTEN}\n if (threadIdx.x == 40) {FENCE}",
        f"{WRITTEN}\n if (threadIdx.x >= 32) {FENCE}",
        f"{WRITTEN}\n if (threadIdx.x == 5) {FENCE}",  # another thread of the same warp
        f"{WRITTEN}\n if (threadIdx.x == 5) {FENCE} if (threadIdx.x >= 32) __syncwarp();",
    ],
    ids=["other-warp", "whole-other-warp", "same-warp", "barrier-of-others"],
)
def test_a_fence_of_another_thread_needs_a_barrier_before_the_copy(between: str) -> None:
    with pytest.raises(MissingFence, match="no barrier between this bulk copy and the fence"):
        store(between)


def test_a_write_after_the_fence_needs_another_one() -> None:
    again = f"{FENCE} __syncthreads(); if (threadIdx.x == 40) tile[3] = 7; {WRITTEN}\n"
    with pytest.raises(MissingFence, match=r"with no fence\.proxy\.async since"):
        store(again)


OWNER = "if (threadIdx.x == 0) {\n        for"
INIT_FENCE = 'asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");'


@pytest.mark.parametrize("ordered", [True, False])
def test_an_mbarrier_is_fenced_and_then_a_barrier_passed(ordered: bool) -> None:
    """Thread 32 initialises the mbarriers, and thread 0 copies after the fence."""
    ready = "__syncthreads();  // ready"
    late = f"{ready}\n if (threadIdx.x == 32) {INIT_FENCE}{' __syncthreads();' * ordered}"
    assert all(part in BULK for part in (OWNER, INIT_FENCE, ready))
    text = BULK.replace(OWNER, OWNER.replace("== 0", "== 32"))
    text = text.replace(INIT_FENCE, "").replace(ready, late)
    if ordered:
        bulk(text)
        return
    with pytest.raises(MissingFence, match="no barrier between a bulk copy and the fence"):
        bulk(text)


# One bulk read for every block of a cluster.
MULTICAST = """
extern "C" __global__ void __cluster_dims__(4) k(const uint4* in, uint4* out) {
    __shared__ __align__(128) uint4 tile[16];
    __shared__ unsigned long long arrived;
    const unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(tile));
    const unsigned barrier = static_cast<unsigned>(__cvta_generic_to_shared(&arrived));
    if (threadIdx.x == 0) {
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier) : "memory");
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                     "r"(blockIdx.x % 4 % 2 ? 256 : 0)
                     : "memory");
    }
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
    if (threadIdx.x == 0 && blockIdx.x == 2)
        asm volatile(
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
            "[%0], [%1], 256, [%2], %3;" ::"r"(at),
            "l"(__cvta_generic_to_global(in)), "r"(barrier),
            "h"(static_cast<unsigned short>(0xa))
            : "memory");
    unsigned done = 0;
    while (done == 0)
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0; "
                     "selp.u32 %0, 1, 0, p; }"
                     : "=r"(done)
                     : "r"(barrier)
                     : "memory");
    if (blockIdx.x % 2) out[16 * blockIdx.x + threadIdx.x] = tile[threadIdx.x];
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
"""


def test_a_multicast_reaches_the_blocks_of_its_mask_and_no_other() -> None:
    data = np.random.default_rng(11).integers(0, 2**32, (16, 4), np.uint32)
    out = np.zeros((4, 16, 4), np.uint32)
    run = Run(MULTICAST, [data, out], block=16, grid=4)
    found = run.result(1, np.uint32).reshape(out.shape)
    assert np.array_equal(found[1::2], [data, data])
    assert not found[::2].any()
    assert (run.counts.bytes["bulk.load"], run.counts.bytes["bulk.arrived"]) == (256, 512)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("0xa", "0x1a", EmulationError),  # a block outside the cluster
        ("0xa", "0xb", EmulationError),  # a block that does not expect a copy
        ("0xa", "0x2", FuelExhausted),  # a block that waits for ever
        ("? 256", "? 240", EmulationError),
    ],
)
def test_each_mistake_in_a_multicast_is_caught(
    before: str, after: str, error: type[Exception]
) -> None:
    data = np.ones((16, 4), np.uint32)
    with pytest.raises(error):
        Run(
            MULTICAST.replace(before, after),
            [data, np.zeros((4, 16, 4), np.uint32)],
            block=16,
            grid=4,
            fuel=20_000,
        )
