"""kernels/stream.cu on the emulator: results and bytes, for every generation of GPUs."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, small

from membench.backends.gpu import Variant

STREAM = Variant.of("stream.cu")
SCALE = np.float64(3)
ARCHITECTURES = ("80", "90", "100", "120")
LOADED = {"write": 0, "copy": 1, "scale": 1, "add": 2, "triad": 2}
# Whole tiles of 4 x 128 vectors and a rest; less than one tile; one vector.
SHAPES = [(5000, 8, 128), (100, 2, 64), (1, 1, 32)]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(("vectors", "grid", "block"), SHAPES)
@pytest.mark.parametrize("operation", ["write", "copy", "scale", "add", "triad"])
def test_streams_compute_and_move_what_they_declare(
    operation: str, vectors: int, grid: int, block: int, arch: str
) -> None:
    gpu = EmulatedGpu(small(4, arch))
    rng = np.random.default_rng(7)
    a, b = rng.integers(-1000, 1000, (2, 2 * vectors)).astype(np.float64)
    target, first, second = (gpu.allocate(16 * vectors) for _ in range(3))
    gpu.upload(first, a)
    gpu.upload(second, b)
    n = np.uint64(vectors)
    args, expected = {
        "write": ([target, SCALE, n], np.full(2 * vectors, SCALE)),
        "copy": ([target, first, n], a),
        "scale": ([target, first, SCALE, n], SCALE * a),
        "add": ([target, first, second, n], a + b),
        "triad": ([target, first, second, SCALE, n], a + SCALE * b),
    }[operation]
    gpu.launch(gpu.kernel(STREAM, f"stream_{operation}"), grid, block, args)
    assert np.array_equal(gpu.download(target, np.float64, 2 * vectors), expected)
    counts = gpu.counts[f"stream_{operation}"]
    assert counts.loaded == 16 * vectors * LOADED[operation]
    assert counts.stored == 16 * vectors
    # Neighbouring threads take neighbouring vectors: no sector is moved for half of it.
    whole = -(-vectors // 2)
    assert counts.sectors["st.global"] == whole
    assert counts.sectors["ld.global"] == whole * LOADED[operation]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(("vectors", "grid", "block"), SHAPES)
def test_read_sums_every_word_once(vectors: int, grid: int, block: int, arch: str) -> None:
    gpu = EmulatedGpu(small(4, arch))
    words = np.random.default_rng(8).integers(0, 2**64, 2 * vectors, np.uint64)
    sums, source = gpu.allocate(8 * grid), gpu.allocate(16 * vectors)
    gpu.upload(source, words)
    args = [sums, source, np.uint64(vectors)]
    gpu.launch(gpu.kernel(STREAM, "stream_read"), grid, block, args)
    total = gpu.download(sums, np.uint64, grid).sum(dtype=np.uint64)
    assert total == words.sum(dtype=np.uint64)
    counts = gpu.counts["stream_read"]
    assert (counts.loaded, counts.stored) == (16 * vectors, 8 * grid)
