"""Atomics, the L2 map and the driver's own copies on the emulator."""

from __future__ import annotations

import pytest
from emulator import EmulatedGpu, EmulationError, small
from mutants import mutant
from proof import observe, prove

from membench.benches import registry
from membench.benches.gpu import atomics as gpu_atomics
from membench.benches.gpu import l2_map
from membench.core.axes import Value
from membench.core.errors import VerificationFailed
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import KIB
from membench.core.work import Timed

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
ATOMICS, MAP = BENCHES["gpu/atomics"], BENCHES["l2/map"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_atomics, "TURNS", {"l2": 6, "smem": 6, "host": 3})
    monkeypatch.setattr(l2_map, "LINES", 5)


PLACES = [
    ("l2", "same", "red"),
    ("l2", "strided", "red"),
    ("l2", "distinct", "red"),
    ("l2", "same", "atom"),
    ("l2", "distinct", "atom"),
    ("smem", "same", "red"),
    ("smem", "strided", "red"),
    ("host", "same", "red"),
    ("host", "strided", "red"),
]


@pytest.mark.parametrize(("memory", "place", "op"), PLACES)
def test_additions_are_as_many_as_declared(memory: str, place: str, op: str) -> None:
    gpu = EmulatedGpu(small(1))
    params = {"memory": memory, "place": place, "op": op}
    proven = prove(ATOMICS, params, gpu)
    assert proven.counts.atomics == proven.iterations * proven.work.operations
    kind = {"smem": "red.shared", "host": "red.global"}.get(memory, f"{op}.global")
    assert proven.counts.bytes[kind] == 4 * proven.counts.atomics
    if memory == "l2":
        warps = proven.counts.atomics // 32
        sectors = {"same": 1, "strided": 32, "distinct": 4}[place]
        assert proven.counts.sectors[kind] == sectors * warps
    if memory == "host":
        assert proven.counts.executed("red.relaxed.sys") == proven.counts.atomics


MUTANTS = [
    ("red.relaxed.gpu.global.add.u32 [%0], 1", "red.relaxed.gpu.global.add.u32 [%0], 2", "red"),
    ("& mask) * apart;\n}", "& mask & 127) * apart;\n}", "red"),
    ("sum += old;", "sum = old;", "atom"),
    ("olds[blockIdx.x * kBlock + threadIdx.x] += sum;", "olds[threadIdx.x] += sum;", "atom"),
]


@pytest.mark.parametrize(("before", "after", "op"), MUTANTS)
def test_a_mutant_of_the_atomics_is_caught(before: str, after: str, op: str) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("atomics.cu", before, after))
    with pytest.raises(VerificationFailed, match="gpu/atomics"):
        prove(ATOMICS, {"memory": "l2", "place": "distinct", "op": op}, gpu)


@pytest.mark.parametrize(
    ("condition", "place"), [("turn > 0", "same"), ("blockIdx.x == 0", "strided")]
)
def test_a_mutant_in_shared_memory_is_caught(condition: str, place: str) -> None:
    before = 'asm volatile("red.relaxed.cta.shared.add.u32 [%0], %1;"'
    gpu = EmulatedGpu(small(2), compile_=mutant("atomics.cu", before, f"if ({condition}) {before}"))
    with pytest.raises(VerificationFailed):
        prove(ATOMICS, {"memory": "smem", "place": place, "op": "red"}, gpu)


@pytest.mark.parametrize("arch", ["80", "90", "120"])
def test_every_sm_meets_every_line(arch: str) -> None:
    gpu = EmulatedGpu(small(3, arch))
    _, observation = observe(MAP, {"size": 64 * KIB}, gpu)
    assert len(observation.samples[Metric.LATENCY, Stat.MEDIAN]) == 3 * 5
    assert observation.detail["sms"] == 3
    # One thread per SM: one load that brings the line into L2, and 16 timed loads.
    assert gpu.counts["l2map_run"].executed("ld.global.cg.u64") == 3 * 5 * 17
    assert [run.grid for run in gpu.ran if run.entry == "l2map_run"] == [3] * 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("reinterpret_cast<char**>(line) = line", "reinterpret_cast<char**>(line) = line + 8"),
        ("device_sm() != sm", "device_sm() == sm"),
        ("device_sm() != sm", "true"),
    ],
)
def test_a_mutant_of_the_map_is_caught(before: str, after: str) -> None:
    gpu = EmulatedGpu(small(2), unwritten=False, compile_=mutant("l2map.cu", before, after))
    with pytest.raises((VerificationFailed, EmulationError)):
        observe(MAP, {"size": 64 * KIB}, gpu)


@pytest.mark.parametrize("count", ["payload", "rw_sum"])
def test_a_copy_by_the_driver(count: str) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(
        BENCHES["hbm/d2d"], {"size": 64 * KIB, "count": count, "engine": ""}, gpu, iterations=3
    )
    copies = [event for event in gpu.log if event.kind == "copy"]
    assert [event.detail for event in copies] == [str(64 * KIB)] * 3
    assert proven.work.bytes_moved == 64 * KIB * (2 if count == "rw_sum" else 1)
    assert proven.work.bytes_convention == BytesConvention(count)


def test_what_the_driver_did_not_do_is_found() -> None:
    points: dict[str, dict[str, Value]] = {
        "hbm/d2d": {"size": 4 * KIB, "count": "payload", "engine": ""},
        "hbm/memset": {"size": 4 * KIB},
    }
    for name, params in points.items():
        work = BENCHES[name].build(EmulatedGpu(small(1)), params)
        assert isinstance(work, Timed)
        with pytest.raises(VerificationFailed, match=name):
            work.verify(1)


def test_a_memset_writes_what_it_declares() -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(BENCHES["hbm/memset"], {"size": 64 * KIB}, gpu)
    assert proven.declared == 2 * 64 * KIB
    fills = [event for event in gpu.log if str(event) == f"fill {64 * KIB}"]
    assert len(fills) == 3  # the poison of the set-up, and two fills
