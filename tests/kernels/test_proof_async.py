"""Copies into shared memory on the emulator: every byte arrives, and the kernel waits for it."""

from __future__ import annotations

import pytest
from emulator import EmulatedGpu, EmulationError, MissingFence, MissingWait, small
from mutants import mutant
from proof import prove

from membench.benches import registry
from membench.benches.hbm.async_copy import in_flight, sensible
from membench.core.axes import Value
from membench.core.errors import Skip, VerificationFailed
from membench.core.units import KIB

pytestmark = pytest.mark.sampled(4)

ASYNC = registry().benches["hbm/async"]
KEY = {"ld": "ld.global", "cp": "cp.async", "bulk": "bulk.load"}


def params(method: str, tile: int, stages: int) -> dict[str, Value]:
    return {"size": 11 * 16 * KIB, "method": method, "tile": tile, "stages": stages}


POINTS = [
    ("ld", KIB, 1),
    ("ld", 16 * KIB, 1),
    ("cp", KIB, 1),
    ("cp", 16 * KIB, 2),
    ("cp", 8 * KIB, 8),
    ("bulk", KIB, 1),
    ("bulk", 16 * KIB, 2),
    ("bulk", 8 * KIB, 8),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("method", "tile", "stages"), POINTS)
def test_every_tile_arrives_once(method: str, tile: int, stages: int) -> None:
    gpu = EmulatedGpu(small(3))
    proven = prove(ASYNC, params(method, tile, stages), gpu)
    assert gpu.ran[0].grid == 3  # one block per SM
    sums = 4 * 3 * proven.iterations
    assert proven.counts.loaded - sums == proven.declared
    assert proven.counts.bytes[KEY[method]] - sums * (method == "ld") == proven.declared
    # The kernel reads all bytes from shared memory. The block sum reads 7 more words.
    assert proven.counts.bytes["ld.shared"] - 7 * sums == proven.declared


@pytest.mark.parametrize("arch", ["80", "120"])
def test_cp_async_works_on_every_architecture(arch: str) -> None:
    proven = prove(ASYNC, params("cp", 4 * KIB, 4), EmulatedGpu(small(2, arch)))
    assert proven.counts.bytes["cp.async"] == proven.declared


def test_what_the_device_has_not_is_refused() -> None:
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        prove(ASYNC, params("bulk", KIB, 1), EmulatedGpu(small(1, "89")))
    gpu = EmulatedGpu(small(1, "89", shared_per_block=99 * KIB))
    with pytest.raises(Skip, match="is too small for 2 tiles"):
        prove(ASYNC, params("cp", 64 * KIB, 2), gpu)


def test_bytes_in_flight() -> None:
    assert in_flight("cp", 4 * KIB, 8) == 32 * KIB
    assert in_flight("ld", 64 * KIB, 1) == 16 * KIB
    assert in_flight("ld", KIB, 1) == KIB
    assert sensible("full", "ld", KIB, 1)
    assert not sensible("full", "ld", KIB, 2)
    assert not sensible("full", "bulk", 64 * KIB, 4)


MUTANTS = [
    ("cp", '"n"(STAGES - 1)', '"n"(STAGES)', MissingWait),
    ("cp", "ring + stage * vectors", "ring", EmulationError),
    ("bulk", "while (done == 0) {", "if (done == 0) {", EmulationError),
    ("bulk", "parity ^= 1;", "", EmulationError),
    (
        "bulk",
        'asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");',
        "",
        MissingFence,
    ),
    (
        "bulk",
        "__syncthreads();  // all threads have read the tile: request the next one",
        "",
        EmulationError,
    ),
    (
        "bulk",
        "expect(first + 8 * stage, bytes);",
        "expect(first + 8 * stage, bytes - 16);",
        EmulationError,
    ),
    ("ld", "i + (kInFlight - 1) * kBlock < vectors", "i + kInFlight * kBlock < vectors", None),
    (
        "ld",
        "for (; i < vectors; i += kBlock) ring",
        "for (; i + kBlock < vectors; i += kBlock) ring",
        EmulationError,
    ),
    (
        "cp",
        "t < tiles; t += gridDim.x, next",
        "t + 1 < tiles; t += gridDim.x, next",
        VerificationFailed,
    ),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("method", "before", "after", "catch"), MUTANTS)
def test_a_mutant_is_caught(
    method: str, before: str, after: str, catch: type[Exception] | None
) -> None:
    gpu = EmulatedGpu(small(2), fuel=15_000, compile_=mutant("async.cu", before, after))
    stages, tile = (1, 17 * 1024) if method == "ld" else (2, 4 * KIB)
    work: dict[str, Value] = {"size": 12 * tile, "method": method, "tile": tile, "stages": stages}
    if catch is None:  # this edit changes only the speed, so the proof passes
        prove(ASYNC, work, gpu)
        return
    with pytest.raises(catch):
        prove(ASYNC, work, gpu)
