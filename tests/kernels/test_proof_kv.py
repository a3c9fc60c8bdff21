"""Moving KV blocks on the emulator: every byte, the unmoved blocks, and the declared bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, small
from emulator.links import EmulatedLinks
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import mutant
from proof import prove
from sampling import examples

from membench.benches import registry
from membench.benches.link.kv import COUNTS, LARGEST, METHODS
from membench.core.axes import OMITTED, Value
from membench.core.errors import Skip, VerificationFailed
from membench.core.units import KIB
from membench.machine import snapshot
from membench.workloads.kv_move import UNROLL, pool_blocks

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
WAYS = ("h2d", "d2h", "d2d")
TILE = 512 * UNROLL


def params(**others: Value) -> dict[str, Value]:
    return {
        "block": 3 * KIB,
        "count": 12,
        "method": "sm",
        "order": "random",
        "grid": OMITTED,
        **others,
    }


def tables(method: str, block: int, count: int) -> int:
    """Bytes of the two block tables that a launch reads."""
    if method == "sm":  # two words for each lane of a tile
        return -(-block // TILE) * count * 32 * 8
    if method == "bulk":  # two words for each piece of 8 KiB
        return -(-block // 8192) * count * 8
    return 0


@pytest.mark.parametrize("arch", ["90", "120"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
def test_blocks_arrive_and_the_bytes_are_those_declared(way: str, method: str, arch: str) -> None:
    gpu = EmulatedGpu(small(2, arch))
    proven = prove(BENCHES[f"kv/{way}"], params(method=method), gpu)
    payload = 12 * 3 * KIB * proven.iterations
    assert proven.declared == payload
    if method in ("sm", "bulk"):
        beside = tables(method, 3 * KIB, 12) * proven.iterations
        assert proven.counts.loaded - beside == payload
        assert proven.counts.stored == payload
        assert proven.counts.executed("st.global") == (payload // 16 if method == "sm" else 0)
    else:
        assert (proven.counts.loaded, proven.counts.stored) == (0, 0)
    assert proven.work.size_bytes == 12 * 3 * KIB


@pytest.mark.parametrize("grid", [1, 2, 7])
@pytest.mark.parametrize("method", ["sm", "bulk"])
def test_a_grid_is_a_cap_and_changes_nothing_else(method: str, grid: int) -> None:
    gpu = EmulatedGpu(small(2))
    proven = prove(BENCHES["kv/h2d"], params(method=method, grid=grid, block=16 * KIB), gpu)
    grids = {ran.grid for ran in gpu.ran if ran.entry in ("kv_move", "kv_bulk")}
    # 96 tiles are 6 blocks of 16 warps. Three bulk blocks of 64 KiB fit on an SM.
    assert grids == {min(grid, 6)} == {proven.work.detail["grid"]}
    beside = tables(method, 16 * KIB, 12) * proven.iterations
    assert proven.counts.loaded - beside == proven.declared == proven.counts.stored


@settings(max_examples=examples(12), deadline=None)
@given(
    sixteenths=st.integers(1, 1200),
    count=st.integers(1, 9),
    method=st.sampled_from(["sm", "bulk"]),
    grid=st.integers(1, 4),
)
def test_any_block_size_and_number(sixteenths: int, count: int, method: str, grid: int) -> None:
    gpu = EmulatedGpu(small(1))
    block = 16 * sixteenths
    proven = prove(
        BENCHES["kv/d2d"], params(block=block, count=count, method=method, grid=grid), gpu
    )
    beside = tables(method, block, count) * proven.iterations
    assert proven.counts.loaded - beside == proven.declared == proven.counts.stored


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", METHODS)
def test_a_block_that_was_not_moved_is_found(method: str) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES["kv/h2d"].build(gpu, params(method=method))
    with pytest.raises(VerificationFailed, match=f"h2d by {method}"):
        work.verify(1)
    work.run(1)
    work.verify(1)


@pytest.mark.parametrize("way", WAYS)
def test_one_wrong_byte_anywhere_is_found(way: str) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES[f"kv/{way}"].build(gpu, params(method="loop"))
    work.run(1)
    work.verify(1)
    pools = [one for one in gpu._given if one.size == 3 * KIB * pool_blocks(12)]
    target = pools[0] if way == "h2d" else pools[1]  # pools[0] is device memory
    seen = gpu.download(target, np.uint8, target.size)
    poisoned = np.flatnonzero((seen.reshape(-1, 3 * KIB) == 0xA5).all(axis=1))
    assert poisoned.size == pool_blocks(12) - 12  # the other blocks are unchanged
    untouched = int(poisoned[0]) * 3 * KIB
    for place in (untouched + 5, int(np.flatnonzero(seen != 0xA5)[-1])):
        kept = gpu.download(target, np.uint8, 1, place)
        gpu.upload(target, kept ^ np.uint8(1), place)
        with pytest.raises(VerificationFailed, match=r"1 of \d+ words are wrong"):
            work.verify(1)
        gpu.upload(target, kept, place)
    work.verify(1)


def test_the_order_of_the_copies_of_a_batch_is_not_relied_on() -> None:
    gpu = EmulatedGpu(small(1))  # the emulator copies in reverse order
    proven = prove(BENCHES["kv/h2d"], params(method="batch"), gpu, iterations=3)
    assert proven.work.detail["batch"] == "13.0"
    assert proven.work.detail["source_order"] == "stream"
    for method in ("batch-any", "batch-overlap"):
        work = prove(BENCHES["kv/h2d"], params(method=method), gpu).work
        assert not work.may_block
    assert gpu.links.batches == [("stream", False), ("any", False), ("stream", True)]
    assert not proven.work.may_block


def test_a_driver_without_the_batch_copy_is_a_skip_with_the_reason() -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links = EmulatedLinks(gpu, batches=False)
    with pytest.raises(Skip, match="no batch copy"):
        BENCHES["kv/h2d"].build(gpu, params(method="batch"))


def test_bulk_copies_begin_with_hopper() -> None:
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        BENCHES["kv/h2d"].build(EmulatedGpu(small(1, "89")), params(method="bulk"))


def test_the_host_s_share_is_noted() -> None:
    proven = prove(BENCHES["kv/h2d"], params(method="loop"), EmulatedGpu(small(1)))
    share = proven.work.detail["host_us"]
    assert isinstance(share, float)
    assert share > 0


# Each mutant is one edit of the source. The proof must detect each mutant.

MUTANTS = [
    ("static_cast<size_t>(to[block])", "static_cast<size_t>(block)", "sm"),
    ("static_cast<size_t>(from[block]) * vectors", "static_cast<size_t>(block) * vectors", "sm"),
    ("tile < all; tile", "tile + 1 < all; tile", "sm"),
    ("if (first + 32 * k < vectors) got", "if (first + 32 * k + 32 < vectors) got", "sm"),
    ("out[32 * k] = got[k]", "out[32 * k] = got[0]", "sm"),
    ("(vectors + kTile - 1) / kTile", "vectors / kTile", "sm"),
    ("min(kStageBytes, bytes - part(p))", "kStageBytes", "bulk"),
    ("p < count + kAhead", "p + 1 < count + kAhead", "bulk"),
    ("await(filled + 8 * s, ", "if (p == count) await(filled + 8 * s, ", "bulk"),
    ('"n"(kStages - kAhead - 1)', '"n"(kStages - 1)', "bulk"),
    ('asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");', "", "bulk"),
    ("static_cast<unsigned>(q / kStages) & 1", "0u", "bulk"),
    ('asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");', "", "bulk"),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("before", "after", "method"), MUTANTS)
def test_a_mutant_is_caught(before: str, after: str, method: str) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("kv.cu", before, after), fuel=200_000)
    many = params(method=method, block=20 * KIB if method == "bulk" else 3 * KIB, grid=1)
    with pytest.raises((VerificationFailed, EmulationError)):
        prove(BENCHES["kv/d2d"], many, gpu)


# Tests of the plan.


def cases(way: str, profile: str) -> list[Mapping[str, Value]]:
    bench = BENCHES[f"kv/{way}"]
    return [bench.arguments(dict(case.params)) for case in bench.cases(profile, snapshot())]


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("way", WAYS)
def test_no_case_moves_more_than_4_gib(way: str, profile: str) -> None:
    for case in cases(way, profile):
        assert int(case["block"]) * int(case["count"]) <= LARGEST


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_sources_are_read_at_any_time_from_the_host_only(profile: str) -> None:
    for way in WAYS:
        methods = {case["method"] for case in cases(way, profile)}
        assert ("batch-any" in methods) == (way == "h2d")


def test_the_full_map_has_every_step_number_method_and_the_cliff() -> None:
    found = cases("h2d", "full")
    steps = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64, 128, 256, 512, 1024, 2048)
    assert {case["block"] for case in found} == {step * KIB for step in steps}
    assert {case["count"] for case in found} == set(COUNTS)
    assert {case["method"] for case in found} == set(METHODS)
    assert {case["order"] for case in found} == {"random", "seq"}
    assert len({case["grid"] for case in found if case["method"] == "sm"}) == 5
    cliff = {
        (case["block"], case["count"])
        for case in found
        if case["method"] == "batch" and case["count"] == 100_000
    }
    assert {(24 * KIB, 100_000), (28 * KIB, 100_000)} <= cliff
