"""Instructions of several threads: atomics, warps, clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from emulator import (
    BadArgument,
    BarrierMisuse,
    EmulationError,
    OutOfBounds,
    Race,
    Uninitialised,
    UnknownInstruction,
)
from ptx_snippets import Run, evaluate

ATOMICS: dict[str, Any] = {
    "add": lambda old, by: old + by,
    "min": min,
    "max": max,
    "and": lambda old, by: old & by,
    "or": lambda old, by: old | by,
    "xor": lambda old, by: old ^ by,
    "exch": lambda _old, by: by,
    "inc": lambda old, by: 0 if old >= by else old + 1,
    "dec": lambda old, by: by if old == 0 or old > by else old - 1,
}
TYPES = {
    "add": ["u32", "s32", "u64", "f32", "f64"],
    "min": ["u32", "s32", "u64", "s64"],
    "max": ["u32", "s32", "u64", "s64"],
    "and": ["b32", "b64"],
    "or": ["b32", "b64"],
    "xor": ["b32", "b64"],
    "exch": ["b32", "b64"],
    "inc": ["u32"],
    "dec": ["u32"],
}
KINDS = [(name, type_) for name, types in TYPES.items() for type_ in types]


@pytest.mark.parametrize("where", ["global", "shared", "generic"])
@pytest.mark.parametrize(("name", "type_"), KINDS)
def test_atomics_act_one_after_the_other(name: str, type_: str, where: str) -> None:
    size = int(type_[1:]) // 8
    dtype: npt.DTypeLike = f"{ {'u': 'u', 'b': 'u', 's': 'i', 'f': 'f'}[type_[0]] }{size}"
    values = (
        np.random.default_rng(14).integers(-40 if type_[0] in "sf" else 0, 90, 64).astype(dtype)
    )
    register = {4: "t", 8: "u"}[size]
    space = "" if where == "generic" else f".{where}"
    # Lanes 0, 5, 10, ... use the same cell: five cells, 12 or 13 lanes each.
    code = """
        .shared .align 8 .b64 cells[5];
        mov.u64 u1, cells; rem.u32 t1, lane, 5; mul.wide.u32 u2, t1, 8; add.u64 u1, u1, u2;
        setp.lt.u32 p, lane, 5; @p st.shared.b64 [u1], 9; bar.sync 0;"""
    if where == "generic":
        code += "cvta.shared.u64 u1, u1;"
    if where == "global":
        code = f"""ld.param.u64 u1, [in_cells]; rem.u32 t1, lane, 5;
            mul.wide.u32 u2, t1, {size}; add.u64 u1, u1, u2;"""
    code += f"atom{space}.{name}.{type_} {register}3, [u1], value; mov.b{8 * size} d, {register}3;"
    start = np.full(64, 9, dtype)
    if where != "global":
        start[:] = np.array([9], np.uint64).view(dtype)[0]
    inputs = {"value": values} | ({"cells": start} if where == "global" else {})
    got = evaluate(code, dtype, **inputs)
    cells = [start[0].item()] * 5
    for lane, (by, found) in enumerate(zip(values.tolist(), got.tolist(), strict=True)):
        assert found == cells[lane % 5], lane
        cells[lane % 5] = ATOMICS[name](cells[lane % 5], by)


def test_compare_and_swap_lets_one_thread_win() -> None:
    text = """extern "C" __global__ void k(unsigned* cell, unsigned* out) {
        out[threadIdx.x] = atomicCAS(cell, 0u, threadIdx.x + 1);
        atomicAdd_system(cell + 1, 1u);
        __shared__ unsigned long long sum;
        if (threadIdx.x == 0) sum = 0;
        __syncthreads();
        atomicAdd(&sum, 2ull);
        __syncthreads();
        out[64 + threadIdx.x] = sum; }"""
    run = Run(text, [np.zeros(2, "u4"), 512], block=64)
    assert run.result(0, "u4").tolist() == [1, 64]
    assert run.result(1, "u4").tolist() == [0] + [1] * 63 + [128] * 64
    counts = run.counts
    assert counts.executed("atom.global") + counts.executed("red.global") == 128
    assert counts.executed("atom.shared") + counts.executed("red.shared") == 64
    assert counts.atomics == 192
    with pytest.raises((Race, Uninitialised)):
        Run(
            text.replace(
                "if (threadIdx.x == 0) sum = 0;\n        __syncthreads();",
                "if (threadIdx.x == 0) sum = 0;",
            ),
            [np.zeros(2, "u4"), 512],
            block=64,
        )
    with pytest.raises(Race):
        Run(
            text.replace(
                "atomicAdd(&sum, 2ull);\n        __syncthreads();", "atomicAdd(&sum, 2ull);"
            ),
            [np.zeros(2, "u4"), 512],
            block=64,
        )


def test_float_vectors_as_atomics_are_refused_by_name() -> None:
    text = """extern "C" __global__ void k(float* a) {
        asm volatile("red.global.add.v2.f32 [%0], {%1, %1};" ::"l"(a), "f"(1.f) : "memory"); }"""
    with pytest.raises(UnknownInstruction, match=r"not emulated: red\.global\.add\.v2"):
        Run(text, [np.zeros(4, "f4")])


LANE = np.arange(32)


@pytest.mark.parametrize(
    ("mode", "by", "control", "source"),
    [
        ("idx", 5, 0x1F, np.full(32, 5)),
        ("up", 3, 0, np.where(LANE >= 3, LANE - 3, LANE)),
        ("down", 4, 0x1F, np.where(LANE + 4 < 32, LANE + 4, LANE)),
        ("bfly", 7, 0x1F, LANE ^ 7),
        ("down", 2, 0x181F, np.where(LANE % 8 < 6, LANE + 2, LANE)),  # segments of 8 lanes
        ("up", 1, 0x1800, np.where(LANE % 8 > 0, LANE - 1, LANE)),
        ("idx", 1, 0x1C1F, LANE // 4 * 4 + 1),
    ],
)
def test_shuffles(mode: str, by: int, control: int, source: npt.NDArray[Any]) -> None:
    value = (LANE * 11 + 3).astype(np.uint32)
    code = f"shfl.sync.{mode}.b32 d, a, {by}, {control}, -1;"
    assert np.array_equal(evaluate(code, np.uint32, a=value), value[source])
    code = f"shfl.sync.{mode}.b32 t0|p, a, {by}, {control}, -1; selp.u32 d, 1, 0, p;"
    inside = (source != LANE) | (mode == "idx")
    assert np.array_equal(evaluate(code, np.uint32, a=value), inside)


def test_a_shuffle_needs_the_lane_that_it_reads() -> None:
    code = """mov.u32 d, 0; setp.lt.u32 p, lane, 16;
        @p shfl.sync.idx.b32 d, lane, 20, 31, 0x0000FFFF;"""
    with pytest.raises(EmulationError, match="shfl reads lane 20, which does not take part"):
        evaluate(code, np.uint32)
    with pytest.raises(EmulationError, match="not in its own membermask, block 0, thread 16"):
        evaluate("shfl.sync.idx.b32 d, lane, 2, 31, 0x0000FFFF;", np.uint32)


def test_parted_threads_meet_at_a_shuffle() -> None:
    text = """extern "C" __global__ void k(unsigned* out) {
        unsigned v = 1;
        for (unsigned i = 0; i < threadIdx.x % 5; ++i) {
            asm volatile("nanosleep.u32 10;" ::: "memory");
            v *= 3; }
        for (int o = 16; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
        out[threadIdx.x] = v; }"""
    total = int((3 ** (LANE % 5)).sum())
    assert Run(text, [128]).result(0, np.uint32).tolist() == [total] * 32


def test_votes_matches_and_reductions() -> None:
    a = (LANE % 5).astype(np.uint32)
    mask = int(sum(1 << lane for lane in LANE.tolist() if lane % 5 > 2))
    setp = "setp.gt.u32 p, a, 2;"
    assert set(evaluate(f"{setp} vote.sync.ballot.b32 d, p, -1;", "u4", a=a).tolist()) == {mask}
    for mode, wanted in {"all": 0, "any": 1, "uni": 0}.items():
        code = f"{setp} vote.sync.{mode}.pred q, p, -1; selp.u32 d, 1, 0, q;"
        assert set(evaluate(code, np.uint32, a=a).tolist()) == {wanted}
    got = evaluate("match.any.sync.b32 d, a, -1;", np.uint32, a=a)
    assert got.tolist() == [sum(1 << k for k in range(32) if k % 5 == v) for v in a.tolist()]
    code = "match.all.sync.b32 t0|p, a, -1; selp.u32 d, t0, 7, p;"
    assert set(evaluate(code, np.uint32, a=a).tolist()) == {7}
    assert set(evaluate(code, np.uint32, a=a * 0).tolist()) == {0xFFFFFFFF}
    signed = (a.astype(np.int32) - 3).view(np.uint32)
    for operation, wanted in {"add": a.sum(), "max": 4, "min": 0, "or": 7, "and": 0}.items():
        kind = "b32" if operation in ("or", "and") else "u32"
        got = evaluate(f"redux.sync.{operation}.{kind} d, a, -1;", np.uint32, a=a)
        assert set(got.tolist()) == {int(wanted)}
    assert set(evaluate("redux.sync.min.s32 d, a, -1;", "i4", a=signed).tolist()) == {-3}
    code = """setp.lt.u32 q, lane, 9; mov.u32 d, 0; @q activemask.b32 d;
        elect.sync t0|p, -1; @p add.u32 d, d, 1000000;"""
    assert evaluate(code, np.uint32).tolist() == [1000511] + [511] * 8 + [0] * 23


# Each block writes its own tile and reads the tile of the next block of the cluster.
CLUSTER = """
__device__ __forceinline__ void meet() {
    asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
}
extern "C" __global__ void __cluster_dims__(4, 1, 1) k(unsigned* out) {
    __shared__ unsigned tile[32];
    unsigned rank, size, other;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    tile[threadIdx.x] = 1000 * blockIdx.x + threadIdx.x;
    meet();  // 1
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(other)
        : "r"((unsigned)__cvta_generic_to_shared(tile + 31 - threadIdx.x)), "r"((rank + 1) % size));
    unsigned v, owner;
    asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(v) : "r"(other) : "memory");
    asm volatile("getctarank.shared::cluster.u32 %0, %1;" : "=r"(owner) : "r"(other));
    meet();  // 2
    tile[threadIdx.x] = 0;
    out[32 * blockIdx.x + threadIdx.x] = v * 10 + owner;
}
"""


def test_blocks_of_a_cluster_read_each_others_shared_memory() -> None:
    run = Run(CLUSTER, [12 * 128], grid=12)
    block = np.arange(12)
    next_ = block // 4 * 4 + (block + 1) % 4
    wanted = (1000 * next_[:, None] + 31 - LANE) * 10 + (next_ % 4)[:, None]
    assert np.array_equal(run.result(0, np.uint32).reshape(12, 32), wanted)
    assert run.counts.bytes["ld.shared"] == 12 * 128


@pytest.mark.parametrize("which", [1, 2])
def test_each_removed_cluster_barrier_is_caught(which: int) -> None:
    call = f"meet();  // {which}"
    assert call in CLUSTER
    with pytest.raises((Race, Uninitialised)):
        Run(CLUSTER.replace(call, ""), [12 * 128], grid=12)


def test_clusters_divide_the_grid_and_end_at_their_size() -> None:
    with pytest.raises(BadArgument, match="10 blocks in clusters of 4"):
        Run(CLUSTER, [12 * 128], grid=10)
    with pytest.raises(BadArgument, match="it prescribes clusters of 4"):
        Run(CLUSTER, [12 * 128], grid=12, cluster=2)
    with pytest.raises(OutOfBounds, match="block 4 of a cluster of 4"):
        Run(CLUSTER.replace("(rank + 1) % size", "(rank + 1) % (size + 1)"), [12 * 128], grid=12)
    waits_only = CLUSTER.replace("barrier.cluster.arrive.aligned;", "")
    with pytest.raises(BarrierMisuse, match=r"without barrier\.cluster\.arrive"):
        Run(waits_only, [12 * 128], grid=12)
