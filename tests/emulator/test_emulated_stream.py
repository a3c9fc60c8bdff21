"""kernels/stream.cu on the emulator: results and bytes, for every generation of GPUs."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, small

from membench.backends.gpu import Variant

SCALE = np.float32(3)
LOADED = {"write": 0, "copy": 1, "scale": 1, "add": 2, "triad": 2, "nstream": 3}
BUILDS = [
    pytest.param(arch, vec, unroll, id=f"sm_{arch}-vec{vec}-unroll{unroll}")
    for arch, vec, unroll in [
        ("80", 16, 4),
        ("90", 16, 4),
        ("90", 4, 8),
        ("100", 32, 2),
        ("120", 16, 4),
        ("120", 8, 1),
    ]
]
# Whole tiles and a rest; less than one tile; one vector.
SHAPES = [(5000, 8, 128), (100, 2, 64), (1, 1, 32)]


@pytest.mark.parametrize(("arch", "vec", "unroll"), BUILDS)
@pytest.mark.parametrize("operation", LOADED)
def test_streams_compute_and_move_what_they_declare(
    operation: str, arch: str, vec: int, unroll: int
) -> None:
    gpu = EmulatedGpu(small(4, arch))
    kernel = gpu.kernel(Variant.of("stream.cu", VEC=vec, UNROLL=unroll), f"stream_{operation}")
    for vectors, grid, block in SHAPES:
        words = vectors * vec // 4
        n = np.uint64(vectors)
        a, b, c = np.random.default_rng(7).integers(-1000, 1000, (3, words)).astype(np.float32)
        buffers = [gpu.allocate(vec * vectors) for _ in range(3)]
        for buffer, data in zip(buffers, (a, b, c), strict=True):
            gpu.upload(buffer, data)
        target, first, second = buffers
        args, expected = {
            "write": ([target, np.uint32(77), n], np.full(words, 77, np.uint32).view(np.float32)),
            "copy": ([target, first, n], b),
            "scale": ([target, first, SCALE, n], SCALE * b),
            "add": ([target, first, second, n], b + c),
            "triad": ([target, first, second, SCALE, n], b + SCALE * c),
            "nstream": ([target, first, second, SCALE, n], a + (b + SCALE * c)),
        }[operation]
        gpu.forget_counts()
        gpu.launch(kernel, grid, block, args)
        got = gpu.download(target, np.float32, words)
        assert np.array_equal(got.view(np.uint32), expected.view(np.uint32))
        counts = gpu.counts[kernel.entry]
        size = vec * vectors
        assert (counts.loaded, counts.stored) == (size * LOADED[operation], size)
        # Neighbouring threads take neighbouring vectors: no sector is moved for half of it,
        # but for the last one of a warp.
        assert counts.sectors["st.global"] == -(-size // 32)
        assert counts.sectors["ld.global"] == -(-size // 32) * LOADED[operation]


@pytest.mark.parametrize(("arch", "vec", "unroll"), BUILDS)
def test_read_sums_every_word_in_every_launch(arch: str, vec: int, unroll: int) -> None:
    gpu = EmulatedGpu(small(4, arch))
    kernel = gpu.kernel(Variant.of("stream.cu", VEC=vec, UNROLL=unroll), "stream_read")
    for vectors, grid, block in SHAPES:
        words = np.random.default_rng(8).integers(0, 2**32, vectors * vec // 4, np.uint32)
        sums, source = gpu.allocate(4 * grid), gpu.allocate(vec * vectors)
        gpu.upload(source, words)
        gpu.fill(sums, 0)
        gpu.forget_counts()
        for _ in range(2):
            gpu.launch(kernel, grid, block, [sums, source, np.uint64(vectors)])
        total = gpu.download(sums, np.uint32, grid).sum(dtype=np.uint32)
        assert total == np.tile(words, 2).sum(dtype=np.uint32)
        counts = gpu.counts["stream_read"]
        # Each block adds to its own sum: one word read and written beside the stream.
        assert (counts.loaded, counts.stored) == (2 * (vec * vectors + 4 * grid), 2 * 4 * grid)


def test_the_width_of_an_access_is_the_one_asked_for() -> None:
    gpu = EmulatedGpu(small(4, "90"))
    source, target = gpu.allocate(16 * 512), gpu.allocate(16 * 512)
    gpu.fill(source, 1)
    gpu.launch(
        gpu.kernel(Variant.of("stream.cu"), "stream_copy"), 1, 128, [target, source, np.uint64(512)]
    )
    gpu.synchronize()
    counts = gpu.counts["stream_copy"]
    assert counts.executed("ld.global.nc.v4") == 512
    assert counts.executed("st.global.v4") == 512
    assert counts.requests["ld.global"] == 512 // 32
