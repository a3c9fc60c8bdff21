"""Loaded latency on the emulator: two streams beside each other, and all that they count."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, small
from mutants import mutant
from proof import observe

from membench.axes import Value
from membench.benches import hbm_loaded
from membench.benches.hbm_loaded import CHUNK, CYCLE, READS, sensible
from membench.errors import VerificationFailed
from membench.registry import registry
from membench.terms import Metric, Stat
from membench.units import KIB, MIB

LOADED = registry().benches["hbm/loaded"]
HOPS = 4 * 32


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little traffic and few hops."""
    monkeypatch.setattr(hbm_loaded, "TRAFFIC_BYTES", MIB)
    monkeypatch.setattr(hbm_loaded, "SAMPLES", 4)
    monkeypatch.setattr(hbm_loaded, "TURNS", 1)


def params(reads: int, pause: int = 0, sms: int = 100) -> dict[str, Value]:
    return {"size": 64 * KIB, "reads": reads, "pause": pause, "sms": sms}


@pytest.mark.parametrize(("reads", "arch"), [(100, "90"), (67, "80"), (50, "120"), (0, "90")])
def test_the_generator_counts_its_own_bytes(reads: int, arch: str) -> None:
    gpu = EmulatedGpu(small(3, arch))
    work, observation = observe(LOADED, params(reads), gpu)
    counts = gpu.counts["loaded_generate"]
    blocks, warps = int(work.detail["generators"]), int(work.detail["warps"])
    assert (blocks, warps) == (2, 64)
    chunks = counts.executed("red.relaxed.gpu.global.add.u64")  # one lane a chunk
    asked = counts.executed("ld.volatile.global.u32")  # every lane, once a chunk
    assert asked == 32 * chunks
    loaded = counts.bytes["ld.global"] - 4 * asked
    stored = counts.bytes["st.global"] - 8 * warps - 4 * blocks  # `done` and `where`
    assert loaded + stored == CHUNK * chunks
    if reads in (0, 100):
        assert (loaded, stored)[reads == 0] == CHUNK * chunks
    else:  # in whole cycles the mix is exact
        assert abs(loaded / (loaded + stored) - READS[reads] / CYCLE) < 0.3
    assert len(observation.samples[Metric.LATENCY, Stat.P99]) == 4
    assert len(observation.samples[Metric.BANDWIDTH, Stat.MEDIAN]) == 4


def test_the_chase_is_as_long_as_declared_and_stops_the_traffic() -> None:
    gpu = EmulatedGpu(small(2))
    observe(LOADED, params(50), gpu)
    assert gpu.counts["loaded_chase"].executed("ld.global.ca.u64") == 3 * HOPS  # twice idle
    assert [run.entry for run in gpu.ran if run.entry in ("loaded_generate", "loaded_chase")] == [
        *("loaded_chase", "loaded_chase", "loaded_chase", "loaded_generate")
    ]


def test_fewer_sms_and_pauses_are_injections() -> None:
    gpu = EmulatedGpu(small(5))
    work, _ = observe(LOADED, params(100, sms=50), gpu)
    assert work.detail["generators"] == 2
    assert sensible("full", 50, 0, 25)
    assert not sensible("full", 67, 0, 25)
    assert not sensible("full", 100, 1000, 25)


def test_a_generator_alone_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "DEADLINE_NS", 20_000)
    source = ("st.volatile.global.u32 [%0], 1;", "st.volatile.global.u32 [%0], 0;")
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *source))
    observe(LOADED, params(100), gpu)  # nobody says stop, and it ends all the same


MUTANTS = [
    ("if (++phase == 6) phase = 0;", "if (++phase == 5) phase = 0;", 50),
    ("red.relaxed.gpu.global.add.u64 [%0], 4096", "red.relaxed.gpu.global.add.u64 [%0], 2048", 100),
    ("load(memory + i + 32 * k)", "load(memory + i)", 100),
    ("memory[i + 32 * k] = content(i + 32 * k, salt)", "memory[i] = content(i, salt)", 0),
    (
        "at = follow(at);\n        }\n        const long long arrived",
        "follow(at);\n        }\n        const long long arrived",
        100,
    ),
    ("chunk < done[place / chunks].x", "chunk < done[0].x + 1", 0),
]


@pytest.mark.parametrize(("before", "after", "reads"), MUTANTS)
def test_a_mutant_is_caught(before: str, after: str, reads: int) -> None:
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", before, after))
    with pytest.raises(VerificationFailed):
        observe(LOADED, params(reads), gpu)


def test_a_generator_that_never_began_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "DEADLINE_NS", 1)
    source = ("if (lane == 0)\n            asm", "if (lane == 99)\n            asm")
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *source))
    with pytest.raises(VerificationFailed, match="0 of 1 generators were running"):
        observe(LOADED, params(100), gpu)


def test_sums_of_warps_are_those_of_their_chunks() -> None:
    scene = hbm_loaded._Scene(EmulatedGpu(small(2)), 64 * KIB, 50, 0, 100)
    from membench.backends.gpu_pattern import pattern

    words = pattern(0, scene.traffic // 4, 83).reshape(scene.warps, -1, CHUNK // 4)
    of_chunk = words.sum(axis=2, dtype=np.uint64)
    chunks = of_chunk.shape[1]
    counts = np.arange(scene.warps, dtype=np.uint32) * 2
    expected = [
        sum(int(of_chunk[warp, n % chunks]) for n in range(count) if n % chunks % CYCLE < 3) % 2**32
        for warp, count in enumerate(counts)
    ]
    assert scene._sums(counts).tolist() == expected
