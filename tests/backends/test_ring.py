"""The pointer ring is one cycle, visits every line, and has no pattern for a prefetcher."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.core.errors import Skip, VerificationFailed
from membench.host.compiled.pattern import RING_FACTORS
from membench.host.memory.arena import map_pages
from membench.host.memory.backend import CpuBackend
from membench.host.memory.kernels import host_chase
from membench.host.memory.ring import HostRing, Walk

LINE = 64


def order(bits: int) -> npt.NDArray[np.int64]:
    """The line numbers in the order of the ring, computed with NumPy."""
    mask = np.uint64((1 << bits) - 1)
    shifts = [(bits + 1) // 2, (bits + 2) // 3] * 2
    x = np.arange(1 << bits, dtype=np.uint64)
    for number, (factor, shift) in enumerate(zip(RING_FACTORS, shifts, strict=True), start=1):
        x = (x * np.uint64(factor) + np.uint64(number)) & mask
        x ^= x >> np.uint64(shift)
    return x.astype(np.int64)


@pytest.mark.parametrize(
    ("bits", "stride"),
    [(1, 64), (2, 64), (3, 128), (6, 64), (8, 4160), (13, 128), (13, 4160), (18, 64)],
)
def test_the_ring_is_one_cycle_through_every_line(bits: int, stride: int) -> None:
    memory = map_pages(stride << bits, "4k")
    ring = HostRing.over(memory, stride)
    ring.link()
    words = memory.view(np.int64)
    line = int(order(bits)[0])
    seen = np.zeros(ring.lines, bool)
    for _ in range(ring.lines):
        assert not seen[line]
        seen[line] = True
        line = (int(words[line * stride // 8]) - ring.base) // stride
    assert seen.all()
    assert line == int(order(bits)[0])


@pytest.mark.parametrize("bits", [1, 5, 12, 20])
def test_the_order_is_a_permutation_and_the_compiled_one(bits: int) -> None:
    lines = order(bits)
    assert np.array_equal(np.sort(lines), np.arange(1 << bits))
    sample = np.random.default_rng(bits).integers(0, 1 << bits, 200)
    place = host_chase.place
    assert [place(int(i), bits) for i in sample] == lines[sample].tolist()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bits", [12, 15, 18, 22])
def test_steps_look_random(bits: int) -> None:
    lines = order(bits)
    cells = 16
    region = lines * cells >> bits  # which sixteenth of the memory contains the line
    pairs = np.bincount(region * cells + np.roll(region, -1), minlength=cells**2)
    assert stats.chisquare(pairs).pvalue > 1e-6
    # No distance between neighbours is more frequent than chance, so a prefetcher finds no stride.
    steps = np.bincount(np.diff(lines) % (1 << bits), minlength=1 << bits)
    assert steps.max() <= stats.poisson.isf(1e-6 / (1 << bits), 1)
    assert (
        stats.chisquare(
            np.bincount(np.minimum(steps, 5), minlength=6),
            (1 << bits) * np.append(stats.poisson.pmf(np.arange(5), 1), stats.poisson.sf(4, 1)),
        ).pvalue
        > 1e-6
    )
    # The number of a line does not predict the next line.
    assert abs(np.corrcoef(lines[:-1], lines[1:])[0, 1]) < 0.05
    low, following = lines[:-1] & 63, lines[1:] & 63  # the line number within its page
    table = np.bincount(low * 64 + following, minlength=4096).reshape(64, 64)
    if bits >= 18:  # a smaller ring has too few lines per cell for the test
        assert stats.chi2_contingency(table).pvalue > 1e-6


def test_pages_follow_each_other_uniformly() -> None:
    bits = 18
    pages = order(bits) >> 6
    count = int(pages.max()) + 1
    again = (pages[1:] == pages[:-1]).mean()
    assert again < 5 / count
    visits = np.bincount(pages)
    assert (visits == 64).all()
    # In any stretch of the ring, the pages fill like bins with randomly thrown balls.
    stretch = pages[: count * 4]
    occupied = np.bincount(np.bincount(stretch, minlength=count), minlength=16)[:16]
    poisson = stats.poisson.pmf(np.arange(16), 4) * count
    assert abs(occupied[0] - poisson[0]) < 6 * np.sqrt(poisson[0])
    assert abs(occupied[4] - poisson[4]) < 6 * np.sqrt(poisson[4])


@given(hops=st.integers(0, 10**12))
def test_where_a_chase_ends_is_known(hops: int) -> None:
    memory = map_pages(64 * LINE, "4k")
    ring = HostRing.over(memory, LINE)
    assert ring.address(hops) == ring.base + LINE * int(order(6)[hops % 64])


def test_the_walk_goes_on_and_is_verified(cpu: CpuBackend) -> None:
    (memory,) = cpu.arrays("4k", [1 << 16])
    ring = HostRing.over(memory, LINE)
    ring.link()
    walk = Walk(ring)
    for loads in (32, 320, 4096):
        cpu.launch([walk.job(loads)])
        walk.verify()
    assert walk.loads == 4448
    walk.loads += 1
    with pytest.raises(VerificationFailed, match="after 4449 loads"):
        walk.verify()


@pytest.mark.parametrize("chains", [1, 2, 4, 8, 12])
def test_chains_go_their_own_ways(cpu: CpuBackend, chains: int) -> None:
    (memory,) = cpu.arrays("4k", [1 << 18])
    ring = HostRing.over(memory, LINE)
    ring.link()
    starts = [ring.lines * n // chains for n in range(chains)]
    heads = np.array([ring.address(start) for start in starts])
    entry = host_chase.chains
    cpu.launch([lambda slot: entry(*slot.barrier, heads.ctypes.data, chains, 800)])
    assert heads.tolist() == [ring.address(start + 800) for start in starts]


@pytest.mark.parametrize(("size", "stride"), [(3 * 64, 64), (64, 64), (128, 12)])
def test_what_is_no_ring_is_refused(size: int, stride: int) -> None:
    with pytest.raises(Skip, match="cannot hold a ring"):
        HostRing.over(np.zeros(size, np.uint8), stride)
