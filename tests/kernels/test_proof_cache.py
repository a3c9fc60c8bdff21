"""The cache benches on the emulator: every block reads every chunk as often as declared."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, small
from hypothesis import given
from hypothesis import strategies as st
from mutants import mutant
from proof import prove

from membench.benches import registry
from membench.benches.gpu import cache_bandwidth
from membench.benches.gpu.cache_bandwidth import CHUNK, own_sum
from membench.core.errors import VerificationFailed
from membench.core.units import KIB
from membench.gpu.verify.pattern import pattern

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_bandwidth, "LAUNCH_BYTES", 256 * KIB)
    monkeypatch.setattr(cache_bandwidth, "OWN_BYTES", 64 * KIB)


@pytest.mark.parametrize("arch", ["80", "90", "120"])
@pytest.mark.parametrize("size", [16 * KIB, 64 * KIB, 512 * KIB])
def test_l2_reads_what_it_declares_past_l1(size: int, arch: str) -> None:
    gpu = EmulatedGpu(small(2, arch))
    proven = prove(BENCHES["l2/read"], {"size": size}, gpu)
    blocks = gpu.ran[0].grid
    assert blocks % 2 == 1  # an odd number of blocks, so every block reads every chunk
    sums = 4 * blocks * proven.iterations
    assert proven.counts.loaded - sums == proven.declared == 2 * max(size, 256 * KIB)
    assert proven.counts.stored == sums
    assert proven.counts.executed("ld.global.cg.v4.u32") * 16 == proven.declared
    sectors = proven.counts.sectors["ld.global"] - blocks * proven.iterations
    assert 32 * sectors == proven.declared


@pytest.mark.parametrize("size", [16 * KIB, 64 * KIB, 512 * KIB])
def test_l2_writes_what_it_declares_and_all_of_it(size: int) -> None:
    proven = prove(BENCHES["l2/write"], {"size": size}, EmulatedGpu(small(2)))
    assert proven.counts.stored == proven.declared == 2 * max(size, 256 * KIB)
    assert 32 * proven.counts.sectors["st.global"] == proven.declared
    assert proven.counts.loaded == 0


@pytest.mark.parametrize(
    ("size", "hint"), [(16 * KIB, "plain"), (64 * KIB, "ca"), (1024 * KIB, "plain")]
)
def test_l1_reads_its_own_bytes_in_every_sm(size: int, hint: str) -> None:
    gpu = EmulatedGpu(small(3))
    proven = prove(BENCHES["l1/read"], {"size": size, "hint": hint}, gpu)
    assert gpu.ran[0].grid == 3
    sums = 4 * 3 * proven.iterations
    assert proven.counts.loaded - sums == proven.declared == 2 * 3 * 64 * KIB
    opcode = "ld.global.v4.u32" if hint == "plain" else "ld.global.ca.v4.u32"
    assert proven.counts.executed(opcode) * 16 == proven.declared


@given(
    st.integers(1, 5),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 2**32 - 1),
)
def test_the_sum_of_walks_round_a_set(
    blocks: int, spread: int, visits: int, chunks: int, salt: int
) -> None:
    words = pattern(0, chunks * CHUNK // 4, salt).reshape(chunks, -1)
    of_chunk = words.sum(axis=1, dtype=np.uint64)
    expected = sum(
        int(of_chunk[(block * spread + visit) % chunks])
        for block in range(blocks)
        for visit in range(visits)
    )
    assert own_sum(blocks, spread, visits, chunks, salt) == expected % 2**32


MUTANTS = [
    ("l2/read", "v + (kInFlight - 1) * step < end", "v + (kInFlight - 2) * step < end"),
    ("l2/read", "for (; v < end; v += step) sum", "for (; v + step < end; v += step) sum"),
    ("l2/read", "(v + k * step) & mask", "v & mask"),
    ("l2/write", "v & mask", "v & (mask >> 1)"),
    ("l1/read", "if (own) end += v;", ""),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "before", "after"), MUTANTS)
def test_a_mutant_is_caught(name: str, before: str, after: str) -> None:
    gpu = EmulatedGpu(small(3), compile_=mutant("cache.cu", before, after))
    hint = {"hint": "plain"} if name == "l1/read" else {}
    with pytest.raises(VerificationFailed, match=name):
        prove(BENCHES[name], {"size": 64 * KIB, **hint}, gpu, iterations=1)
