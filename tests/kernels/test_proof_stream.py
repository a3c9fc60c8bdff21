"""The stream benches on the emulator: results, bytes and sectors, for every GPU generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from emulator import EmulatedGpu, OutOfBounds, Race, small
from hypothesis import given
from hypothesis import strategies as st
from proof import prove

from membench.benches import registry
from membench.benches.hbm.stream import configurations
from membench.core.axes import OMITTED, Value
from membench.core.errors import Skip, VerificationFailed
from membench.gpu.cuda.compile import Image, compile_source, compile_text
from membench.gpu.cuda.kernel_files import read_kernel
from membench.gpu.verify.pattern import STEP, Patterns, pattern, pattern_sum
from membench.gpu.verify.pattern import small as small_numbers
from membench.workloads.gpu_streams import ACCESSES, ARRAYS

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
SIZE = 16 * (2048 + 1200)
"""A whole tile of the default configuration, and an incomplete second tile."""

PARAMS: Mapping[str, Value] = {"size": SIZE, "vec": 16, "config": OMITTED}


def overhead(operation: str, grid: int, iterations: int) -> tuple[int, int]:
    """Bytes loaded and stored for the sums of a read kernel: four bytes per block."""
    return (4 * grid * iterations,) * 2 if operation == "read" else (0, 0)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("arch", ["80", "90", "100", "120"])
@pytest.mark.parametrize("operation", ACCESSES)
def test_a_kernel_moves_the_bytes_that_its_case_declares(operation: str, arch: str) -> None:
    gpu = EmulatedGpu(small(2, arch))
    proven = prove(BENCHES[f"hbm/{operation}"], PARAMS, gpu)
    grid = gpu.ran[0].grid
    loads, stores = overhead(operation, grid, proven.iterations)
    loaded, stored = proven.counts.loaded - loads, proven.counts.stored - stores
    assert loaded + stored == proven.declared
    reads = ACCESSES[operation] - (operation != "read")
    assert loaded == reads * SIZE * proven.iterations
    # Neighbouring threads access neighbouring vectors, so the kernel uses every moved sector.
    if operation != "read":
        assert 32 * proven.counts.sectors["ld.global"] == loaded
        assert 32 * proven.counts.sectors["st.global"] == stored


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("vec", "arch"), [(4, "90"), (8, "90"), (32, "100"), (32, "120")])
@pytest.mark.parametrize("operation", ["read", "copy", "nstream"])
def test_every_width_does_the_same(operation: str, vec: int, arch: str) -> None:
    gpu = EmulatedGpu(small(2, arch))
    proven = prove(BENCHES[f"hbm/{operation}"], {**PARAMS, "vec": vec}, gpu)
    loads, stores = overhead(operation, gpu.ran[0].grid, proven.iterations)
    assert proven.counts.loaded + proven.counts.stored - loads - stores == proven.declared


def test_every_configuration_of_the_tuning_reads_every_word() -> None:
    gpu = EmulatedGpu(small(1))
    for config in configurations(gpu, "read"):
        params = {**PARAMS, "vec": OMITTED, "config": "best"}
        proven = prove(BENCHES["hbm/read"], params, gpu, iterations=1, config=config)
        loads, _ = overhead("read", gpu.ran[0].grid, 1)
        assert proven.counts.loaded - loads == proven.declared, config
        tiles = -(-SIZE // (config["block"] * config["unroll"] * config["vec"]))
        detail = proven.work.detail
        assert detail["once"] == config["once"]
        assert gpu.ran[0].grid == (tiles if config["once"] else detail["per_sm"])
        resident = int(detail["per_sm"]) * config["block"]
        assert detail["in_flight"] == resident * config["unroll"] * config["vec"]
        gpu.reclaim()


def test_wide_accesses_are_refused_before_blackwell() -> None:
    with pytest.raises(Skip, match=r"compute capability 10\.0"):
        prove(BENCHES["hbm/copy"], {**PARAMS, "vec": 32}, EmulatedGpu(small(1, "90")))
    assert {config["vec"] for config in configurations(EmulatedGpu(small(1, "90")), "copy")} == {16}
    blackwell = EmulatedGpu(small(1, "120"))
    assert {config["vec"] for config in configurations(blackwell, "copy")} == {16, 32}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("operation", sorted(ACCESSES))
def test_work_that_was_not_done_is_found(operation: str) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = BENCHES[f"hbm/{operation}"].build(gpu, PARAMS)
    with pytest.raises(VerificationFailed, match=operation):
        work.verify(1)
    work.run(1)
    work.verify(1)
    # The result of these kernels depends on the number of launches.
    if operation in ("read", "nstream"):
        with pytest.raises(VerificationFailed, match=operation):
            work.verify(2)


# Each mutant is one edit of the source. The proof must detect each mutant.

MUTANTS = [
    ("i + (kInFlight - 1) * width < n", "i + (kInFlight - 2) * width < n", "copy", OutOfBounds),
    ("; i < n; i += width)", "; i <= n; i += width)", "copy", OutOfBounds),
    ("; i < n; i += width)", "; i + 1 < n; i += width)", "copy", VerificationFailed),
    ("i + k * width, got[k]", "i + k * width, got[0]", "copy", VerificationFailed),
    ("__syncthreads();", "", "read", Race),
    ("w < blockDim.x / 32", "w < blockDim.x / 64", "read", VerificationFailed),
    ("s * p.y.real(k)", "p.y.real(k)", "triad", VerificationFailed),
    ("t.x.real(k) + (", "(", "nstream", VerificationFailed),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("before", "after", "operation", "catch"), MUTANTS)
def test_a_mutant_is_caught(
    before: str, after: str, operation: str, catch: type[Exception]
) -> None:
    source = read_kernel("stream.cu")
    assert before in source

    def compile_mutant(file: str, options: tuple[str, ...], arch: str) -> Image:
        if file != "stream.cu":
            return compile_source(file, options, arch)
        return compile_text("mutant.cu", source.replace(before, after), options, arch)

    gpu = EmulatedGpu(small(1), compile_=compile_mutant)
    with pytest.raises(catch):
        prove(BENCHES[f"hbm/{operation}"], PARAMS, gpu)


# Tests of the patterns.


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_the_sum_of_a_pattern_in_closed_form(count: int, salt: int) -> None:
    words = pattern(0, count, salt)
    assert int(words.sum(dtype=np.uint64)) % 2**32 == pattern_sum(count, salt)
    assert pattern_sum(2**33, salt) == (STEP * (2**33 * (2**33 - 1) // 2) + salt * 2**33) % 2**32


def test_patterns_on_the_device_are_those_of_the_host() -> None:
    gpu = EmulatedGpu(small(1))
    patterns = Patterns(gpu)
    buffer = gpu.allocate(4 * 3000)
    patterns.fill(buffer, 9)
    assert np.array_equal(gpu.download(buffer, np.uint32, 3000), pattern(0, 3000, 9))
    patterns.check("it", buffer, 9)
    patterns.fill_small(buffer, 9)
    assert np.array_equal(gpu.download(buffer, np.float32, 3000), small_numbers(0, 3000, 9))
    assert set(small_numbers(0, 3000, 9)) == {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("wrong", [(0,), (2999,), (17, 1203)])
def test_wrong_words_are_counted_and_the_first_is_named(wrong: tuple[int, ...]) -> None:
    gpu = EmulatedGpu(small(1))
    patterns = Patterns(gpu)
    buffer = gpu.allocate(4 * 3000)
    patterns.fill(buffer, 9)
    for index in wrong:
        gpu.upload(buffer, np.array([0xDEAD], np.uint32), 4 * index)
    said = (
        f"{len(wrong)} of 3000 words are wrong; the first is word {wrong[0]} with the value 0xdead"
    )
    with pytest.raises(VerificationFailed, match=said):
        patterns.check("it", buffer, 9)


def test_all_arrays_are_counted() -> None:
    assert {name: ACCESSES[name] - ARRAYS[name] for name in ARRAYS if name != "nstream"} == (
        dict.fromkeys(ARRAYS.keys() - {"nstream"}, 0)
    )
