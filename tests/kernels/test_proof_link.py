"""Link copies, zero-copy accesses and peer copies on the emulator: bytes, contents, overlap."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, small
from emulator.links import EmulatedLinks
from mutants import mutant
from proof import observe, prove

from membench.benches import registry
from membench.benches.link import peer, zerocopy
from membench.core.axes import OMITTED, Value
from membench.core.errors import Skip, VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import KIB
from membench.gpu.link_protocol import MEMORY_KINDS, link_detail, link_flags
from membench.gpu.verify import walk as gpu_walk
from membench.machine import snapshot

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
SIZE = 64 * KIB + 48
"""Whole tiles of 8 x 512 vectors, and 3 more vectors."""


def one_way(**others: Value) -> dict[str, Value]:
    usual: dict[str, Value] = {
        "size": SIZE,
        "mem": "pinned",
        "engine": "ce",
        "streams": 1,
        "numa": OMITTED,
    }
    return {**usual, **others}


@pytest.mark.parametrize("arch", ["80", "90", "120"])
@pytest.mark.parametrize("way", ["h2d", "d2h"])
def test_a_kernel_copies_what_its_case_declares(way: str, arch: str) -> None:
    proven = prove(BENCHES[f"link/{way}"], one_way(engine="sm"), EmulatedGpu(small(2, arch)))
    assert proven.counts.loaded == proven.counts.stored == proven.declared == 2 * SIZE
    assert 32 * proven.counts.sectors["ld.global"] == -(-SIZE // 32) * 32 * 2
    # No load may be served by a cache.
    assert (
        proven.counts.executed("ld.volatile.global.cv") + proven.counts.executed("ld.global.cv")
        == proven.declared // 16
    )


@pytest.mark.parametrize("way", ["h2d", "d2h"])
def test_every_gpu_is_copied_to_or_from_at_once(way: str) -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links = EmulatedLinks(gpu, gpus=3)
    work: Any = BENCHES["link/all"].build(gpu, {"size": 4 * KIB, "dir": way})
    with pytest.raises(VerificationFailed, match="copy of GPU 0 has wrong bytes"):
        work.verify(1)
    proven = prove(BENCHES["link/all"], {"size": 4 * KIB, "dir": way}, gpu)
    assert proven.declared == 2 * 3 * 4 * KIB
    assert proven.work.detail["gpus"] == 3
    gpu.links = EmulatedLinks(gpu, gpus=1)
    with pytest.raises(Skip, match="needs 2 GPUs, but membench may use only 1"):
        BENCHES["link/all"].build(gpu, {"size": 4 * KIB, "dir": way})


@pytest.mark.sampled(3)
@pytest.mark.parametrize("mem", MEMORY_KINDS)
@pytest.mark.parametrize("way", ["h2d", "d2h"])
def test_every_kind_of_memory_is_copied_whole(way: str, mem: str) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES[f"link/{way}"].build(gpu, one_way(mem=mem))
    with pytest.raises(VerificationFailed, match=way):
        work.verify(1)
    if way == "d2h":  # the check itself copied poison to the device
        work = BENCHES[f"link/{way}"].build(gpu, one_way(mem=mem))
    work.run(2)
    work.verify(2)
    assert work.bytes_moved == SIZE
    # Work that waits for the device must not be queued behind a blocking kernel.
    assert work.may_block == (mem not in ("pageable", "managed"))


@pytest.mark.parametrize("streams", [2, 4])
def test_streams_share_the_bytes_and_the_measured_queue_waits_for_all(streams: int) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES["link/h2d"].build(gpu, one_way(size=64 * KIB, streams=streams))
    before = len(gpu.log)
    work.run(3)
    copies = [event for event in gpu.log[before:] if event.kind == "copy"]
    assert [int(event.detail) for event in copies] == [64 * KIB // streams] * streams * 3
    work.verify(3)


@pytest.mark.parametrize("numa", ["near", "far"])
def test_a_node_that_is_unknown_is_a_skip(numa: str) -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links.near = gpu.links.far = None
    with pytest.raises(
        Skip, match=f"numa={numa}: .* does not report which node the GPU belongs to"
    ):
        BENCHES["link/h2d"].build(gpu, one_way(mem="registered", numa=numa))


def test_a_single_node_of_host_memory_is_a_skip_of_the_far_node() -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links.far = None
    with pytest.raises(Skip, match="numa=far: no node except the GPU's has host memory"):
        BENCHES["link/h2d"].build(gpu, one_way(mem="registered", numa="far"))
    BENCHES["link/h2d"].build(gpu, one_way(mem="registered", numa="near"))


def test_a_process_on_another_node_is_flagged() -> None:
    links = EmulatedLinks(EmulatedGpu(small(1)))
    assert link_flags(links) == ()
    assert link_detail(links) == {"numa_node": "0", "gpu_node": "0"}
    links.nodes_here = "0+1"
    assert link_flags(links) == ("unpinned-numa",)
    # If the NUMA node of the GPU is unknown, the rows get no flag.
    links.near = None
    assert link_flags(links) == ()


@pytest.mark.parametrize("engine", ["ce", "sm"])
@pytest.mark.parametrize("way", ["sum", "h2d", "d2h"])
def test_both_directions_arrive(way: str, engine: str) -> None:
    params: dict[str, Value] = {"size": SIZE, "dir": way, "engine": engine}
    proven = prove(BENCHES["link/bidir"], params, EmulatedGpu(small(2)))
    assert proven.declared == (4 if way == "sum" else 2) * SIZE
    if engine == "sm":
        # Each counted copy has four copies in the other direction, which do not count.
        moved = 4 * SIZE if way == "sum" else 2 * SIZE * (1 + 4)
        assert proven.counts.loaded == proven.counts.stored == moved


def test_a_direction_that_was_not_always_beside_is_refused() -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES["link/bidir"].build(gpu, {"size": SIZE, "dir": "h2d", "engine": "ce"})
    work.run(1)
    gpu.links.between = lambda first, last: -1.0  # type: ignore[method-assign]
    with pytest.raises(VerificationFailed, match="the d2h copies ended before the h2d copies"):
        work.verify(1)


# Tests of zero-copy accesses.


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zerocopy, "SIZE", 32 * KIB)
    for module in (zerocopy, peer):
        monkeypatch.setattr(module, "HOPS", 64)
        monkeypatch.setattr(module, "LAUNCHES", 2)
    monkeypatch.setattr(gpu_walk, "SINGLE_HOPS", 16)


def access(**others: Value) -> dict[str, Value]:
    return {"block": 4 * KIB, "grid": 16, "unroll": 4, "order": "rand", **others}


@pytest.mark.parametrize(
    ("block", "unroll", "order"),
    [(16, 4, "rand"), (128, 1, "rand"), (4 * KIB, 2, "seq"), (32 * KIB, 4, "rand")],
)
@pytest.mark.parametrize("operation", ["read", "write"])
def test_every_word_of_host_memory_is_accessed_once(
    operation: str, block: int, unroll: int, order: str
) -> None:
    params = access(block=block, unroll=unroll, order=order)
    proven = prove(BENCHES[f"zerocopy/{operation}"], params, EmulatedGpu(small(2)))
    moved = (proven.counts.loaded, proven.counts.stored)
    assert moved == ((proven.declared, 0) if operation == "read" else (0, proven.declared))


@pytest.mark.parametrize("blocks", [8, 2048, 1 << 23])
def test_blocks_are_visited_once_and_neighbours_far_apart(blocks: int) -> None:
    order = np.arange(min(blocks, 4096)) * zerocopy.far_apart(blocks) % blocks
    assert np.unique(order).size == order.size
    assert np.abs(np.diff(order)).min() > blocks // 4


@pytest.mark.parametrize("operation", ["read", "write"])
def test_accesses_that_did_not_happen_are_found(operation: str) -> None:
    work: Any = BENCHES[f"zerocopy/{operation}"].build(EmulatedGpu(small(1)), access())
    with pytest.raises(VerificationFailed, match=operation):
        work.verify(1)


def test_the_round_trip_is_of_loads_that_fetch_anew() -> None:
    gpu = EmulatedGpu(small(1))
    _, observation = observe(BENCHES["zerocopy/chase"], {"size": 8 * KIB}, gpu)
    assert len(observation.samples[Metric.LATENCY, Stat.MEDIAN]) == 2
    assert len(observation.samples[Metric.LATENCY, Stat.P99]) == 32
    loads = sum(
        counts.executed("ld.volatile.global.cv") + counts.executed("ld.global.cv")
        for counts in gpu.counts.values()
    )
    assert loads == 3 * 64 + 2 * 16


# Tests of copies between GPUs.


@pytest.mark.parametrize("engine", ["ce", "sm"])
@pytest.mark.parametrize("operation", ["read", "write", "bidir"])
def test_what_goes_to_another_gpu_and_back_is_whole(operation: str, engine: str) -> None:
    gpu = EmulatedGpu(small(2))
    proven = prove(BENCHES[f"peer/{operation}"], {"size": SIZE, "engine": engine}, gpu)
    assert proven.declared == (4 if operation == "bidir" else 2) * SIZE
    pair = {"read": {"src": "1", "dst": "0"}, "write": {"src": "0", "dst": "1"}}
    assert proven.work.detail == {"engine": engine, **pair.get(operation, {"gpus": "0+1"})}
    if engine == "sm":
        assert proven.counts.loaded == proven.counts.stored == proven.declared


def test_the_latency_of_a_peer_is_a_walk_through_its_memory() -> None:
    gpu = EmulatedGpu(small(1))
    _, observation = observe(BENCHES["peer/latency"], {"size": 8 * KIB}, gpu)
    assert len(observation.samples[Metric.LATENCY, Stat.P99]) == 32
    assert (observation.detail["src"], observation.detail["dst"]) == ("1", "0")


@pytest.mark.parametrize("operation", ["read", "write", "bidir", "latency"])
def test_one_gpu_is_a_skip_before_and_in_the_worker(operation: str) -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links = EmulatedLinks(gpu, gpus=1)
    bench = BENCHES[f"peer/{operation}"]
    case = next(iter(bench.cases("quick", snapshot())))
    with pytest.raises(Skip, match="needs 2 GPUs"):
        bench.build(gpu, dict(case.params))


# Tests of mutants.

MUTANTS: list[tuple[str, str, str, str, dict[str, Value]]] = [
    ("link.cu", "put(i + k * width, got[k])", "put(i + k * width, got[0])", "link/h2d", {}),
    ("link.cu", "to[i] = v", "to[i ^ 1] = v", "link/h2d", {}),
    ("zerocopy.cu", "block << shift |", "block << shift ^ 1 |", "zerocopy/write", {}),
    ("zerocopy.cu", "* factor &", "* (factor + 1) &", "zerocopy/read", {"order": "seq"}),
    ("zerocopy.cu", "lanes = 16", "lanes = 8", "zerocopy/read", {}),
    ("zerocopy.cu", "(first + k) * kStep", "first * kStep", "zerocopy/write", {}),
    ("pattern.cu", "a[i] != expected", "a[i] == expected", "kv/h2d", {}),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("file", "before", "after", "bench", "more"), MUTANTS)
def test_a_mutant_is_caught(
    file: str,
    before: str,
    after: str,
    bench: str,
    more: dict[str, Value],
) -> None:
    usual: dict[str, dict[str, Value]] = {
        "link": one_way(engine="sm"),
        "zerocopy": access(),
        "kv": {"block": KIB, "count": 3, "method": "sm", "order": "random", "grid": OMITTED},
    }
    compile_ = mutant(file, before, after)
    gpu = EmulatedGpu(small(1), compile_=compile_)
    params = {**usual[bench.partition("/")[0]], **more}
    with pytest.raises((VerificationFailed, EmulationError)):
        prove(BENCHES[bench], params, gpu)


def test_the_sizes_of_the_link_are_those_that_a_fit_needs() -> None:
    sizes = {
        int(BENCHES["link/h2d"].arguments(dict(case.params))["size"])
        for case in BENCHES["link/h2d"].cases("full", snapshot())
    }
    assert min(sizes) == 4 * KIB
    assert max(sizes) == 8 << 30
    steps = sorted(sizes)
    assert all(later / earlier <= 8 for earlier, later in itertools.pairwise(steps))
