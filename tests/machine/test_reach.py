"""The caches that a set of CPUs can reach, and the check of the reported cache sizes."""

from __future__ import annotations

import pytest
from described import machine, staircase
from hypothesis import given
from hypothesis import strategies as st

from membench.core.sizes.reach import CACHE_MULTIPLE, contradiction, flat_from, reachable
from membench.core.sizes.working_set import (
    DEVICE_ARRAY,
    GPU_SHARE,
    LEAST_ARRAY,
    device_array,
    host_array,
    top_ring,
)
from membench.core.units import GIB, MIB

EPYC_9654 = machine([32] * 12, 96)


def test_each_cache_in_reach_counts_once() -> None:
    assert reachable(EPYC_9654, [0]).bytes == 32 * MIB
    assert reachable(EPYC_9654, range(8)).bytes == 32 * MIB
    assert reachable(EPYC_9654, [0, 8, 9, 16]).bytes == 96 * MIB
    assert reachable(EPYC_9654, range(96)).bytes == 384 * MIB
    hybrid = machine([8, 16], 20)
    assert [reachable(hybrid, [cpu]).bytes for cpu in (0, 19)] == [8 * MIB, 16 * MIB]


def test_no_cpu_reaches_no_cache_and_no_cache_described_is_unknown() -> None:
    assert reachable(EPYC_9654, ()).bytes == 0
    nothing = machine([], 64)
    assert reachable(nothing, [0]).bytes is None
    assert not reachable(nothing, [0]).confirmed
    # If sysfs leaves out a CPU, the sum is unknown.
    assert reachable(EPYC_9654, [0, 200]).bytes is None


def test_flat_begins_where_every_larger_ring_has_the_same_latency() -> None:
    assert flat_from(staircase((1, 10), (32, 60), (64, 100))) == 64 * MIB
    assert flat_from(staircase((1, 100))) == MIB
    assert flat_from(staircase((1, 10), (256, 100))) == 256 * MIB
    bump = ((16 * MIB, 100.0), (32 * MIB, 60.0), (64 * MIB, 95.0), (128 * MIB, 100.0))
    assert flat_from(bump) == 64 * MIB


def test_noise_does_not_make_a_cache() -> None:
    """Noise of another guest makes the last latency a third higher, or one latency too high."""
    noisy = (*staircase((1, 40), (16, 120), (64, 135))[:-1], (256 * MIB, 172.0))
    assert contradiction(machine([32], 2, staircase=noisy)) == ""
    bump = (*staircase((1, 40), (16, 120))[:5], (32 * MIB, 300.0), (256 * MIB, 125.0))
    assert flat_from(bump) == 16 * MIB


# Reported sizes in MiB, staircase, MiB that all CPUs reach, whether the sizes are plausible.
BELIEVED = {
    "as reported": ([32], staircase((1, 12), (32, 60), (64, 110)), 32, True),
    "a few MiB of them used by others": ([32], staircase((1, 12), (8, 80), (16, 110)), 32, True),
    "a virtual machine that reports its host's": (
        [260],
        staircase((1, 20), (8, 90), (16, 120), top=512),
        *(16, False),
    ),
    "the same, and the ring too small to leave it": (
        [260],
        staircase((1, 20), (8, 90), (16, 120)),
        *(260, False),
    ),
    "a real one of that size": ([260], staircase((1, 30), (512, 120), top=512), 260, True),
    "no last level shown": ([2], staircase((1, 12), (32, 60), (64, 110)), 64, False),
    "none shown at all": ([], staircase((1, 12), (32, 60), (64, 110)), 64, False),
    "twelve, each a tenth of what it says": (
        [32] * 12,
        staircase((1, 12), (4, 110)),
        *(12 * 4, False),
    ),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_the_staircase_decides(name: str) -> None:
    reported, stairs, expected, agrees = BELIEVED[name]
    box = machine(reported, 96, staircase=stairs)
    found = reachable(box, range(96))
    assert found.bytes == expected * MIB
    assert found.confirmed == agrees
    if agrees:
        assert not contradiction(box)


def test_what_is_said_names_both_sizes() -> None:
    box = machine([260], 2, staircase=BELIEVED["a virtual machine that reports its host's"][1])
    said = (
        "the system reports a cache of 260 MiB, but a pointer chase over 16 MiB is already as slow "
        "as memory"
    )
    assert contradiction(box) == said
    assert top_ring(box) == 512 * MIB
    assert contradiction(machine([260], 2)) == ""


@given(
    st.lists(st.sampled_from([0.5, 8, 32, 96, 105]), max_size=24),
    st.sampled_from([(), staircase((1, 12), (4, 110)), staircase((1, 12), (64, 110))]),
    st.data(),
)
def test_more_cpus_never_reach_less(
    sizes: list[float], stairs: tuple[tuple[int, float], ...], data: st.DataObject
) -> None:
    box = machine(sizes, 48, staircase=stairs)
    many = data.draw(st.sets(st.integers(0, 47), min_size=1))
    few = data.draw(st.sets(st.sampled_from(sorted(many)), min_size=1))
    assert (reachable(box, few).bytes or 0) <= (reachable(box, many).bytes or 0)


@given(
    st.sampled_from([(), (32,), (105, 105), (96,) * 24, (504, 504)]),
    st.floats(1, 2048),
    st.integers(1, 3),
)
def test_an_array_is_beyond_the_caches_or_as_large_as_memory_allows(
    sizes: tuple[float, ...], memory: float, arrays: int
) -> None:
    box = machine(sizes, 96, memory=memory)
    reach = reachable(box, range(96))
    size = host_array(box, reach, lambda size: arrays * size + MIB)
    assert size & (size - 1) == 0
    assert size >= LEAST_ARRAY
    if size < CACHE_MULTIPLE * (reach.bytes or 0):
        assert arrays * 2 * size + MIB > box.memory.budget
    if size > LEAST_ARRAY:
        assert arrays * size + MIB <= box.memory.budget
        assert size // 2 < CACHE_MULTIPLE * (reach.bytes or 0)


def test_an_array_on_a_gpu_has_four_gibibytes_where_there_is_room() -> None:
    def three(size: int) -> int:
        return 3 * size + MIB

    assert device_array(machine([32], 8), three) == DEVICE_ARRAY
    for memory, expected in ((80, 4), (24, 4), (12, 2), (8, 2), (4, 1), (2, 0.5), (0.5, 0.25)):
        size = device_array(machine([32], 8, gpu=memory), three)
        assert size == expected * GIB
        assert three(size) <= GPU_SHARE * memory * GIB or size == LEAST_ARRAY
    # A GPU of unknown memory size shares the host's memory.
    assert device_array(machine([32], 8, gpu=0, memory=16), three) == 2 * GIB
