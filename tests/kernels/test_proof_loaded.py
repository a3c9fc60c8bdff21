"""Loaded latency on the emulator: a chase and traffic at the same time, and all their counters."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from emulator import EmulatedGpu, small
from mutants import mutant
from proof import observe

from membench.analysis.derive.load import load_curve
from membench.benches import registry
from membench.benches.hbm import loaded as hbm_loaded
from membench.benches.hbm.loaded import (
    CHUNK,
    CYCLE,
    FLAT_OUT,
    LOADS_OF_PEAK,
    READS,
    pause_ns,
    sensible,
)
from membench.core.axes import Value
from membench.core.errors import VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import KIB, MIB
from membench.gpu.units import LINE

pytestmark = pytest.mark.sampled(4)

LOADED = registry().benches["hbm/loaded"]
# Samples; hops per sample, timed together; hops per sample, timed singly.
SAMPLES, MEAN, SINGLE = 4, 32, 32


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "TRAFFIC_BYTES", 4 * MIB)
    monkeypatch.setattr(hbm_loaded, "SAMPLES", SAMPLES)
    monkeypatch.setattr(hbm_loaded, "IDLE_SAMPLES", 3)
    monkeypatch.setattr(hbm_loaded, "WARM_SAMPLES", 2)
    monkeypatch.setattr(hbm_loaded, "TURNS", MEAN // 32)
    monkeypatch.setattr(hbm_loaded, "SINGLE_HOPS", SINGLE)


def params(reads: int, load: int = FLAT_OUT, sms: int = 100) -> dict[str, Value]:
    return {"size": 64 * KIB, "reads": reads, "load": load, "sms": sms}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("reads", "arch"), [(100, "90"), (67, "80"), (50, "120"), (0, "90")])
def test_the_generator_counts_its_own_bytes(reads: int, arch: str) -> None:
    gpu = EmulatedGpu(small(3, arch))
    work, observation = observe(LOADED, params(reads), gpu)
    counts = gpu.counts["loaded_generate"]
    blocks, warps = int(work.detail["generators"]), int(work.detail["warps"])
    assert (blocks, warps) == (2, 64)
    chunks = counts.executed("red.relaxed.gpu.global.add.u64")  # one lane per chunk
    asked = counts.executed("ld.volatile.global.u32")  # every lane, once per chunk
    assert asked == 32 * chunks
    loaded = counts.bytes["ld.global"] - 4 * asked
    # Without the arrays `done` and `where`.
    stored = counts.bytes["st.global"] - 8 * warps - 4 * blocks
    assert loaded + stored == CHUNK * chunks
    if reads in (0, 100):
        assert (loaded, stored)[reads == 0] == CHUNK * chunks
    else:  # over whole cycles the ratio of reads to writes is exact
        assert abs(loaded / (loaded + stored) - READS[reads] / CYCLE) < 0.3
    assert len(observation.samples[Metric.LATENCY, Stat.MEDIAN]) == SAMPLES
    for stat in (Stat.P50, Stat.P95, Stat.P99):
        assert len(observation.samples[Metric.LATENCY, stat]) == SAMPLES * SINGLE
    assert len(observation.samples[Metric.BANDWIDTH, Stat.MEDIAN]) == 4


def test_the_chase_is_as_long_as_declared_and_stops_the_traffic() -> None:
    gpu = EmulatedGpu(small(2))
    observe(LOADED, params(50), gpu)
    counts = gpu.counts["loaded_chase"]
    samples = 2 + 3 + SAMPLES  # warm-up, idle, loaded
    assert counts.executed("ld.global.u64") == samples * (MEAN + SINGLE)
    # The time stamps use shared memory: four words per sample, six more words, and the stop flag.
    assert counts.bytes["st.shared"] == counts.bytes["ld.shared"] == 4 * samples * SINGLE
    assert counts.bytes["st.global"] == 4 * samples * SINGLE + 32 * samples + 3 * (48 + 4)
    ran = Counter(run.entry for run in gpu.ran)
    assert (ran["loaded_chase"], ran["loaded_generate"]) == (3, 1)


COUNT_BYTES = (
    "timed_hop<follow>(at)",
    "(at = follow(at), static_cast<unsigned>(moved_by(moved, blocks)))",
)
"""A mutant: each single hop stores the bytes moved so far instead of its cycles."""

HOPS_LATE = (
    ("hop < hops; ++hop) cycles", f"hop < hops - {SINGLE}; ++hop) cycles"),
    (
        '"l"(stop) : "memory");',
        """"l"(stop) : "memory");
        for (; timed < samples * hops; ++timed) {
            __nanosleep(0);
            cycles[timed] = (at = follow(at), static_cast<unsigned>(moved_by(moved, blocks)));
        }
        out[0] = at;""",
    ),
)
"""A mutant: all single hops run after the samples, when the traffic has already stopped."""


def moved_by_then(*further: tuple[str, str]) -> tuple[list[int], int]:
    """(bytes moved before each single hop under load, bytes moved in total)."""
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *COUNT_BYTES, *further))
    scene = hbm_loaded._Scene(gpu, 64 * KIB, 100, FLAT_OUT, 100)
    observation = scene.observe(0.01)
    singles = observation.samples[Metric.LATENCY, Stat.P99]
    assert observation.sm_mhz
    ghz = observation.sm_mhz / 1e3
    moved = gpu.download(scene._moved, np.uint64, LINE // 8 * scene.blocks)
    return [round(ns * ghz) for ns in singles], int(moved.sum())


def test_single_hops_are_taken_while_the_traffic_runs() -> None:
    moved, total = moved_by_then()
    assert len(moved) == SAMPLES * SINGLE
    assert moved[0] > 0
    assert moved[-1] < total
    of_samples = np.reshape(moved, (SAMPLES, SINGLE))
    assert (np.diff(moved) >= 0).all()
    # The traffic continued during the single hops of every sample.
    assert (np.ptp(of_samples, axis=1) > 0).all()
    # The traffic continued between the samples.
    assert (of_samples[1:, 0] > of_samples[:-1, -1]).all()


def test_single_hops_that_come_too_late_are_seen() -> None:
    moved, total = moved_by_then(*HOPS_LATE)
    assert len(moved) == SAMPLES * SINGLE
    assert moved[-1] == total


def test_fewer_sms_and_pauses_are_injections() -> None:
    gpu = EmulatedGpu(small(5))
    work, _ = observe(LOADED, params(100, sms=50), gpu)
    assert work.detail["generators"] == 2
    assert sensible("full", 50, FLAT_OUT, 25)
    assert not sensible("full", 67, FLAT_OUT, 25)
    assert not sensible("full", 100, 50, 25)
    assert not sensible("full", 50, 95, 100)


# SMs, peak in GB/s, unloaded latency in ns. The latencies of the last cards are rough estimates
# from public measurements of the same memory type; the model needs no better values.
CARDS = {
    "GB10": (48, 273, 450),
    "RTX 4090": (128, 1008, 280),
    "L40S": (142, 864, 260),
    "A100": (108, 2039, 380),
    "H100 SXM": (132, 3352, 400),
    "H200": (132, 4800, 400),
    "B200": (148, 7670, 500),
}


def modelled(load: int, card: str) -> tuple[float, float]:
    """GB/s and latency in ns of traffic on a card with a simple latency model.

    The latency grows without bound at 92 % of the peak. A warp issues its next chunk when the
    previous chunk has arrived and the pause is over.
    """
    sms, peak, unloaded = CARDS[card]
    warps, most = (sms - 1) * 32, 0.92 * peak
    pause = pause_ns(load, warps, peak)

    def latency(rate: float) -> float:
        busy = rate / most
        return unloaded * (1 + 0.1 * busy / (1 - busy))

    low, high = 0.0, most * (1 - 1e-9)
    for _ in range(200):  # the requested rate equals the achieved rate
        rate = (low + high) / 2
        asked = warps * CHUNK / max(pause, latency(rate))
        low, high = (rate, high) if asked > rate else (low, rate)
    return rate, latency(rate)


@pytest.mark.parametrize("card", CARDS)
def test_the_knee_is_inside_of_the_curve_on_every_card(card: str) -> None:
    _, peak, unloaded = CARDS[card]
    points = {load: modelled(load, card) for load in LOADS_OF_PEAK}
    for load in (10, 30, 50, 70, 80, 90):  # the achieved load is the requested load
        assert points[load][0] == pytest.approx(load / 100 * peak, rel=0.01)
    curve = load_curve(*zip(*points.values(), strict=True))
    assert curve is not None
    assert curve.knee is not None
    rates = sorted(rate for rate, _ in points.values())
    assert rates.index(curve.knee[0]) in range(2, len(rates) - 1)
    assert curve.unloaded_ns < 1.02 * unloaded
    assert curve.most[1] > 2 * unloaded


def test_the_quick_profile_has_a_point_on_either_side_of_the_knee() -> None:
    for card in CARDS:
        (flat, high), (_, near), (_, low) = (modelled(load, card) for load in (FLAT_OUT, 80, 50))
        assert flat > 0.9 * CARDS[card][1]
        assert high > 2 * near > 1.5 * low


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bus_bits", [5120, 0])
def test_the_pauses_ask_for_a_share_of_the_peak(bus_bits: int) -> None:
    gpu = EmulatedGpu(small(3, bus_bits=bus_bits))
    scene = hbm_loaded._Scene(gpu, 64 * KIB, 100, 50, 100)
    observation = scene.observe(0.01)
    offered = float(observation.detail["offered"])
    known = gpu.properties.peak_bandwidth
    assert (known is None) == (bus_bits == 0)
    assert observation.detail["offered_of"] == ("peak" if known else "reached")
    assert offered > 0
    if known:
        assert offered == pytest.approx(0.5 * known, abs=0.1)
    assert observation.sm_mhz
    cycles = scene.warps * CHUNK / offered * observation.sm_mhz / 1e3
    # The emulator's clock counts steps, not time.
    assert scene._pause == pytest.approx(cycles, rel=0.3)
    flat_out = hbm_loaded._Scene(gpu, 64 * KIB, 100, FLAT_OUT, 100).observe(0.01)
    assert "offered" not in flat_out.detail


@pytest.mark.slow
def test_a_generator_alone_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "DEADLINE_NS", 20_000)
    source = ("st.volatile.global.u32 [%0], 1;", "st.volatile.global.u32 [%0], 0;")
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *source))
    observe(LOADED, params(100), gpu)  # the traffic ends even without the stop flag


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
    ("at = Between(at);", "Between(at);", 100),
    ("hop < hops; ++hop) cycles", "hop + 1 < hops; ++hop) cycles", 100),
    ("timed_hop<follow>(at)", "(at = follow(at), 0u)", 100),  # the hop is not timed
    ("took[hop] = cycles[hop];", "took[0] = cycles[hop];", 100),
    # This mutant stops the traffic at the first single hop.
    (
        "const unsigned long long now = moved_by(moved, blocks);",
        """*(volatile unsigned*)stop = 1;
        const unsigned long long now = moved_by(moved, blocks);""",
        100,
    ),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("before", "after", "reads"), MUTANTS)
def test_a_mutant_is_caught(before: str, after: str, reads: int) -> None:
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", before, after))
    with pytest.raises(VerificationFailed):
        observe(LOADED, params(reads), gpu)


def test_a_generator_that_never_began_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "DEADLINE_NS", 1)
    source = ("if (lane == 0)\n            asm", "if (lane == 99)\n            asm")
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *source))
    with pytest.raises(VerificationFailed, match="0 of 1 generators started in time"):
        observe(LOADED, params(100), gpu)


@pytest.mark.slow
def test_traffic_that_ends_before_the_chase_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hbm_loaded, "DEADLINE_NS", 1)  # deadline of the traffic generator
    monkeypatch.setattr(hbm_loaded, "SAMPLES", 64)
    source = ("waiting > deadline_ns", "waiting > deadline_ns + 1000000")
    gpu = EmulatedGpu(small(2), compile_=mutant("loaded.cu", *source))
    with pytest.raises(VerificationFailed, match="the traffic stopped too early"):
        observe(LOADED, params(100), gpu)


def test_sums_of_warps_are_those_of_their_chunks() -> None:
    scene = hbm_loaded._Scene(EmulatedGpu(small(2)), 64 * KIB, 50, 0, 100)
    from membench.gpu.verify.pattern import pattern

    words = pattern(0, scene.traffic // 4, 83).reshape(scene.warps, -1, CHUNK // 4)
    of_chunk = words.sum(axis=2, dtype=np.uint64)
    chunks = of_chunk.shape[1]
    counts = np.arange(scene.warps, dtype=np.uint32) * 2
    expected = [
        sum(int(of_chunk[warp, n % chunks]) for n in range(count) if n % chunks % CYCLE < 3) % 2**32
        for warp, count in enumerate(counts)
    ]
    assert scene._sums(counts).tolist() == expected
