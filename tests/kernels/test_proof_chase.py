"""The pointer chase on the emulator: the ring, every hop, and the number of loads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, small
from hypothesis import given
from hypothesis import strategies as st
from mutants import mutant
from proof import observe

from membench.benches import registry
from membench.benches.gpu import chase as gpu_chase
from membench.benches.gpu.chase import sensible, tier
from membench.core import snapshot as machine_model
from membench.core.errors import Skip, VerificationFailed
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import GIB, KIB, MIB
from membench.gpu.protocol import KernelVariant
from membench.gpu.units import LINE
from membench.gpu.verify.ring import GpuRing
from membench.gpu.verify.walk import HINTS
from membench.machine import snapshot

pytestmark = pytest.mark.sampled(4)

CHASE = registry().benches["gpu/chase"]
POWERS = st.integers(1, 12).map(lambda bits: 1 << bits)


@given(POWERS, POWERS, st.integers(0, 2**32 - 1))
def test_a_ring_is_one_cycle_over_all_lines(lines: int, window: int, seed: int) -> None:
    ring = GpuRing(lines, min(window, lines), seed)
    assert sorted(ring.place(index) for index in range(lines)) == list(range(lines))


@given(st.integers(2, 3000), st.integers(0, 2**32 - 1))
def test_a_random_ring_has_any_number_of_lines(lines: int, seed: int) -> None:
    ring = GpuRing.random(lines, seed)
    assert sorted(ring.place(index) for index in range(lines)) == list(range(lines))


@given(st.integers(0, 2**32 - 1))
def test_a_window_is_done_before_the_next_begins(seed: int) -> None:
    ring = GpuRing(256, 32, seed)
    assert [ring.place(index) // 32 for index in range(256)] == [n // 32 for n in range(256)]


def test_the_order_is_not_one_that_a_prefetcher_knows() -> None:
    ring = GpuRing(1 << 16, 1 << 16, 0x5EED)
    steps = np.diff([ring.place(index) for index in range(1 << 16)])
    _, counts = np.unique(steps, return_counts=True)
    assert counts.max() < 64  # no stride is frequent
    assert np.abs(steps).mean() > (1 << 16) / 4  # the mean is a third if both ends are random
    halves = np.array([ring.place(index) for index in range(1 << 10)]) < 1 << 15
    assert 0.4 < halves.mean() < 0.6


@pytest.mark.parametrize(
    ("lines", "window", "said"),
    [
        (1, 2, "at least 2 lines"),
        (4, 1, "window must be"),
        (4, 8, "is too large for"),
        (6, 4, "not a multiple of the window"),
    ],
)
def test_what_is_no_ring_is_refused(lines: int, window: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GpuRing(lines, window, 1)


@pytest.mark.parametrize("arch", ["80", "90", "120"])
@pytest.mark.parametrize(("lines", "window"), [(64, 64), (256, 16), (2, 2), (100, 128), (96, 32)])
def test_the_device_links_the_ring_that_the_host_knows(lines: int, window: int, arch: str) -> None:
    gpu = EmulatedGpu(small(1, arch))
    ring = GpuRing(lines, window, 77)
    memory = gpu.allocate(lines * LINE)
    link = gpu.kernel(KernelVariant.of("chase.cu"), "chase_link")
    args = (memory, np.uint32(lines), np.uint32(ring.bits), np.uint32(77))
    gpu.launch(link, 2, 32, args)
    for index in range(lines):
        at = LINE * ring.place(index)
        found = int(gpu.download(memory, np.uint64, 1, at)[0]) - memory.address
        assert found == LINE * ring.place((index + 1) % lines)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use few hops, because the emulator executes only some thousand hops per second."""
    monkeypatch.setattr(gpu_chase, "HOPS", 64)
    monkeypatch.setattr(gpu_chase, "TIMED_HOPS", 40)
    monkeypatch.setattr(gpu_chase, "LAUNCHES", 2)


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.usefixtures("short")
def test_every_hop_is_one_load_with_its_operator(hint: str) -> None:
    gpu = EmulatedGpu(small(1))
    size = 8 * KIB
    work, observation = observe(CHASE, {"size": size, "order": "random", "hint": hint}, gpu)
    lines = size // LINE
    # Warm-up, two launches, and two launches of single hops.
    walked = (lines + 2 * max(64, lines)) + 2 * 40
    loads = sum(
        counts.executed("ld.global.u64" if hint == "plain" else f"ld.global.{hint}.u64")
        for counts in gpu.counts.values()
    )
    assert loads == walked
    assert {run.block for run in gpu.ran if run.entry != "chase_link"} == {1}
    assert work.size_bytes == size
    wished = [event.detail for event in gpu.log if event.kind == "prefer l1"]
    assert wished == ["chase_run", "chase_hops"]
    assert work.detail["carveout"] == 0
    kept = observation.samples
    assert len(kept[Metric.LATENCY, Stat.MEDIAN]) == 2
    assert len(kept[Metric.LATENCY, Stat.P99]) == 80


@pytest.mark.usefixtures("short")
def test_beyond_the_cache_nothing_is_walked_twice() -> None:
    gpu = EmulatedGpu(small(1, l2_bytes=16 * KIB))
    observe(CHASE, {"size": 256 * KIB, "order": "random", "hint": "plain"}, gpu)
    assert [run.entry for run in gpu.ran if run.entry != "chase_link"] == (
        ["chase_run"] * 2 + ["chase_hops"] * 2
    )


def test_a_cached_ring_is_walked_whole_and_a_long_one_once() -> None:
    l2 = 50 * MIB
    assert gpu_chase.walks(16 * KIB, l2) == (100_000, 3, 128)
    assert gpu_chase.walks(128 * MIB, l2) == (1 << 20, 1, 1 << 20)
    assert gpu_chase.walks(256 * MIB, l2) == (100_000, 3, 0)


MUTANTS = [
    ("next = i + 1 < lines ? i + 1 : 0", "next = i + 2 < lines ? i + 2 : 0"),
    ("at = Between(at);", "Between(at);"),
    ("turn < turns; ++turn", "turn + 1 < turns; ++turn"),
    ("x = (x * 0x85ebca6bu)", "x = (x * 0x85ebca6au)"),  # an even factor gives no bijection
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("before", "after"), MUTANTS)
@pytest.mark.usefixtures("short")
def test_a_mutant_ends_somewhere_else(before: str, after: str) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("chase.cu", before, after))
    # The chase ends at a wrong line, or at a line that no pointer reaches.
    with pytest.raises((VerificationFailed, EmulationError)):
        observe(CHASE, {"size": 8 * KIB, "order": "random", "hint": "plain"}, gpu)


def test_a_ring_for_which_there_is_no_room_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = EmulatedGpu(small(1))
    monkeypatch.setattr(gpu.links, "free_bytes", lambda: 16 * GIB)
    with pytest.raises(Skip, match=r"needs 63\.0 GiB of GPU memory, but only 16\.0 GiB are free"):
        CHASE.build(gpu, {"size": "63GiB", "order": "random", "hint": "plain"})


def test_tiers_follow_the_footprint() -> None:
    machine = snapshot()
    assert [tier(machine, size) for size in (2 * KIB, 64 * KIB, MIB, 50 * MIB, 64 * MIB)] == [
        *(Tier.L1, Tier.L1, Tier.L2, Tier.L2, Tier.HBM)
    ]


def test_the_grid_leaves_out_what_says_nothing_new() -> None:
    assert sensible("full", 4 * MIB, "page", "plain")
    assert not sensible("full", 2 * MIB, "page", "plain")
    assert not sensible("full", 16 * GIB, "page", "plain")
    assert sensible("full", 16 * GIB, "random", "plain")
    assert sensible("full", GIB, "random", "cv")
    assert not sensible("full", 2 * GIB, "random", "cv")
    assert not sensible("full", GIB, "page", "cg")


@pytest.mark.parametrize(
    ("memory", "beyond"),
    [
        (80 * GIB, ["16GiB", "64GiB"]),
        (int(79.6 * GIB), ["16GiB", "63GiB"]),
        (int(139.8 * GIB), ["16GiB", "64GiB", "111GiB"]),
        (24 * GIB, ["16GiB", "19GiB"]),
        (8 * GIB, ["6GiB"]),
        (4 * GIB, []),
    ],
)
def test_the_largest_ring_is_most_of_the_memory(memory: int, beyond: list[str]) -> None:
    device = machine_model.GpuIdentity(0, "a GPU", "0" * 12, memory, "9.0")
    machine = replace(snapshot(), gpus=machine_model.Gpus(devices=(device,)))
    sizes = gpu_chase.footprints(machine)
    assert list(sizes[sizes.index("4GiB") + 1 :]) == beyond
    assert gpu_chase.footprints(replace(machine, gpus=machine_model.Gpus()))[-1] == "4GiB"
