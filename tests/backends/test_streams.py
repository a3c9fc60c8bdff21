"""Both stream engines compute the same as NumPy, and detect wrong results."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import Skip
from membench.host.compiled.pattern import ARRAYS, SALT_A, SALT_B
from membench.host.memory.backend import CpuBackend
from membench.host.memory.numba_streams import NumbaStreams, vector_bits
from membench.host.memory.numpy_streams import NumpyStreams
from membench.host.memory.streams import Doubles, Streams, expected, source

SIZE = 1 << 20
ELEMENTS = SIZE // 8
ENGINES: list[Callable[[], Streams]] = [NumbaStreams, NumpyStreams]
KERNELS = [(NumbaStreams, op, "plain") for op in ARRAYS]
KERNELS += [(NumbaStreams, op, "nt") for op in ARRAYS if op != "read"]
ALL: list[tuple[Callable[[], Streams], str, str]] = [
    *KERNELS,
    *((NumpyStreams, op, "plain") for op in ARRAYS),
]


def arrays(cpu: CpuBackend, engine: Streams, operation: str) -> list[Doubles]:
    taken = [a.view(np.float64) for a in cpu.arrays("4k", [SIZE] * ARRAYS[operation])]
    if operation != "read":
        engine.poison(taken[0])
    sources = taken if operation == "read" else taken[1:]
    for array, salt in zip(sources, (SALT_A, SALT_B), strict=False):
        engine.fill(array, 0, salt)
    return taken


def launch(
    cpu: CpuBackend, engine: Streams, op: str, stores: str, data: list[Doubles], iterations: int
) -> int:
    """Run ``op`` on all CPUs. Each CPU processes its part of ``data``."""
    engine.prepare(op, stores)
    count = len(cpu.cpus)
    cuts = [ELEMENTS * n // count // 32 * 32 for n in range(count)] + [ELEMENTS]
    parts = [[a[b:e] for a in data] for b, e in pairwise(cuts)]
    jobs = [lambda slot, own=own: engine.run(slot, op, stores, own, iterations) for own in parts]
    return sum(cpu.launch(jobs))


@pytest.mark.parametrize(("make", "operation", "stores"), ALL)
def test_every_kernel_computes_what_numpy_does(
    cpu: CpuBackend, make: Callable[[], Streams], operation: str, stores: str
) -> None:
    engine = make()
    data = arrays(cpu, engine, operation)
    before = [a.copy() for a in data]
    total = launch(cpu, engine, operation, stores, data, iterations=3)
    if operation == "read":
        once = int(np.add.reduce(before[0].view(np.uint64)))
        assert total % 2**64 == 3 * once % 2**64
    else:
        oracle: dict[str, Callable[[], Doubles]] = {
            "write": lambda: np.full(ELEMENTS, 3.0),
            "copy": lambda: before[1],
            "scale": lambda: 3.0 * before[1],
            "add": lambda: before[1] + before[2],
            "triad": lambda: before[1] + 3.0 * before[2],
        }
        assert np.array_equal(data[0], oracle[operation]())
        assert total == 0
    for array, old in zip(data[1:], before[1:], strict=True):
        assert np.array_equal(array, old)
    assert cpu.span_ns > 0


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize("operation", ["write", "copy", "scale", "add", "triad"])
def test_one_wrong_element_is_found_and_named(
    cpu: CpuBackend, make: Callable[[], Streams], operation: str
) -> None:
    engine = make()
    data = arrays(cpu, engine, operation)
    assert engine.check(operation, data[0], 0) == 0  # the buffer contains only the poison
    launch(cpu, engine, operation, "plain", data, iterations=1)
    assert engine.check(operation, data[0], 0) == -1
    for index in (0, 4095, 4096, ELEMENTS - 1):
        kept = data[0][index]
        data[0][index] = np.nextafter(kept, np.inf)
        assert engine.check(operation, data[0], 0) == index
        data[0][index] = kept
    data[0][77:80] = -1.0
    assert engine.check(operation, data[0][64:], 64) == 77


@given(first=st.integers(0, 2**40), count=st.integers(1, 3000), salt=st.sampled_from([0, 7919]))
def test_both_engines_fill_the_same_small_integers(first: int, count: int, salt: int) -> None:
    compiled, plain = np.empty(count), np.empty(count)
    NumbaStreams().fill(compiled, first, salt)
    NumpyStreams().fill(plain, first, salt)
    assert np.array_equal(compiled, plain)
    assert np.array_equal(plain, source(first, count, salt))
    assert plain.min() >= 0
    assert plain.max() < 2**20
    assert np.array_equal(plain, np.floor(plain))


def test_a_shifted_or_swapped_source_does_not_pass() -> None:
    count = 1 << 16
    for operation in ("copy", "scale", "add", "triad"):
        right = expected(operation, 0, count)
        for shift in (1, 8, 512, 4096, 32768):
            assert (right != expected(operation, shift, count)).mean() > 0.99
    assert (source(0, count, SALT_A) != source(0, count, SALT_B)).mean() > 0.99


def test_numpy_refuses_what_it_cannot_do_honestly() -> None:
    for operation, stores in (("copy", "nt"), ("chase", "plain")):
        with pytest.raises(Skip, match="compiled kernels"):
            NumpyStreams().prepare(operation, stores)
    with pytest.raises(Skip, match="read has no variant with nt stores"):
        NumbaStreams().prepare("read", "nt")


def test_the_engine_can_be_chosen(cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu.streams.name == "numba"
    monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    other = CpuBackend(cpu.machine)
    assert other.streams.name == "numpy"
    assert not other.compiles
    other.close()


def test_vector_width_follows_the_features() -> None:
    assert vector_bits({"avx512f": True, "avx": True, "sse2": True}) == 512
    assert vector_bits({"avx512f": False, "avx": True, "sse2": True}) == 256
    assert vector_bits({"neon": True}) == 128
    assert vector_bits({}) == 0
