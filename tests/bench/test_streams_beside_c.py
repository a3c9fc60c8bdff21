"""STREAM's kernels and the same loops in C, on the same arrays, measured alternately.

``pytest -m "" tests/bench/test_streams_beside_c.py --benchmark-enable --benchmark-json FILE``
writes the median of (bandwidth of the kernel) / (bandwidth of C) over ``MEMBENCH_PAIRS`` pairs. The
C code is compiled for this machine, with vectors of 64 bytes if the CPU supports them. One thread
runs. Each array has ``MEMBENCH_MB`` MB.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.host.memory.arena import map_pages
from membench.host.memory.numba_streams import NumbaStreams
from membench.host.memory.thread_pool import ThreadPool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]

PAIRS = int(os.environ.get("MEMBENCH_PAIRS", "1"))
SIZE = int(os.environ.get("MEMBENCH_MB", "8")) << 20
FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-fno-tree-loop-distribute-patterns")
SOURCE = """
#include <stddef.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
typedef double wide __attribute__((vector_size(64)));
void copy_plain(double *restrict d, const double *restrict a, size_t n) {
    d = __builtin_assume_aligned(d, 64), a = __builtin_assume_aligned(a, 64);
    for (size_t i = 0; i < n; ++i) d[i] = a[i];
}
void write_plain(double *restrict d, const double *restrict a, size_t n) {
    d = __builtin_assume_aligned(d, 64);
    for (size_t i = 0; i < n; ++i) d[i] = 3.0;
}
static inline void put(double *d, wide v) {
#if defined(__AVX512F__)
    _mm512_stream_pd(d, (__m512d)v);
#elif defined(__AVX__)
    __m256d halves[2];
    memcpy(halves, &v, sizeof v);
    _mm256_stream_pd(d, halves[0]), _mm256_stream_pd(d + 4, halves[1]);
#else
    memcpy(d, &v, sizeof v);
#endif
}
void copy_nt(double *restrict d, const double *restrict a, size_t n) {
    for (size_t i = 0; i < n; i += 8) put(d + i, *(const wide *)(a + i));
    __sync_synchronize();
}
void write_nt(double *restrict d, const double *restrict a, size_t n) {
    const wide v = {3, 3, 3, 3, 3, 3, 3, 3};
    for (size_t i = 0; i < n; i += 8) put(d + i, v);
    __sync_synchronize();
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder: Path = tmp_path_factory.mktemp("streams")
    source, built = folder / "streams.c", folder / "streams.so"
    source.write_text(SOURCE)
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", source, "-o", built], check=True)
    return ctypes.CDLL(str(built))


@pytest.mark.benchmark(group="beside C")
@pytest.mark.parametrize("stores", ["plain", "nt"])
@pytest.mark.parametrize("operation", ["copy", "write"])
def test_a_kernel_beside_c(
    benchmark: BenchmarkFixture, library: ctypes.CDLL, operation: str, stores: str
) -> None:
    count = 2 if operation == "copy" else 1
    arrays = [map_pages(SIZE, "thp").view(np.float64) for _ in range(count)]
    for array in arrays:
        array.fill(1.0)
    pool = ThreadPool(sorted(os.sched_getaffinity(0))[:1])
    engine = NumbaStreams()
    engine.prepare(operation, stores)
    in_c = library[f"{operation}_{stores}"]
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (arrays[0], arrays[-1])]

    def ours() -> float:
        pool.run([lambda slot: engine.run(slot, operation, stores, arrays, 1)], None)
        return pool.span_ns(1)

    def theirs() -> float:
        def job(_slot: object) -> float:
            begin = time.monotonic_ns()
            in_c(*addresses, ctypes.c_size_t(SIZE // 8))
            return float(time.monotonic_ns() - begin)

        return float(pool.run([job], None)[0])

    ratios: list[float] = []

    def both(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
        return first(), second()

    def pair() -> None:
        if len(ratios) % 2:
            one, other = both(ours, theirs)
        else:
            other, one = both(theirs, ours)
        ratios.append(other / one)

    pair()  # warm
    ratios.clear()
    try:
        benchmark.pedantic(pair, rounds=PAIRS)  # type: ignore[no-untyped-call]
    finally:
        pool.close()
    expected = 3.0 if operation == "write" else 1.0
    assert (arrays[0] == expected).all()
    benchmark.extra_info["bandwidth of C"] = statistics.median(ratios)
