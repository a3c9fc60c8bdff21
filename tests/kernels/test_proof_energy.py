"""The energy benches on the emulator, with an energy counter of known values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from emulator import EmulatedGpu, small
from proof import observe

from membench.benches import registry
from membench.benches.gpu import energy
from membench.core.axes import Value
from membench.core.errors import MembenchError, Skip
from membench.core.terms import Metric, Stat
from membench.core.units import KIB
from membench.workloads import attention as gpu_attention
from membench.workloads import decode_step
from membench.workloads.model_shapes import MODELS, ModelShard

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
IDLE_W = 50.0
PICOJOULES = 4e5
"""Picojoules per byte: large, because the emulator moves few bytes."""

CASES: list[tuple[str, dict[str, Value]]] = [
    ("hbm", {"op": "read"}),
    ("hbm", {"op": "gather"}),
    ("link", {}),
    ("decode", {}),
]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use loops of less than a millisecond over some KiB."""
    for name, value in {
        "LOOP_S": 0.0006,
        "IDLE_S": 0.0003,
        "BATCH_S": 0.0001,
        "SIZE": 64 * KIB,
        "GATHERED": 32 * KIB,
        "LINK_BYTES": 16 * KIB,
        "TILE_WORDS": 1009,
        "MODEL": "tiny",
        "CONTEXT": 64,
    }.items():
        monkeypatch.setattr(energy, name, value)
    monkeypatch.setitem(MODELS, "tiny", ModelShard(1, 256, 4, 1, 128, 64))
    monkeypatch.setattr(gpu_attention, "POOL_BYTES", 1 << 16)
    monkeypatch.setattr(decode_step, "TOKENS", 64)


class Clock:
    """A clock that advances when it is read, and when a program sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        self.now += 1e-4
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Metered(EmulatedGpu):
    """A device that uses a known energy: some watts at rest, and some picojoules per byte.

    The device counts the payload bytes that kernels load, and the bytes that copies move.
    """

    clock: Clock

    def energy(self) -> Callable[[], float]:
        def joules() -> float:
            reads = sum(
                16 * counts.executed("ld.global.nc.v4.u32")
                for entry, counts in self.counts.items()
                if entry in ("stream_read", "gather_read", "attention_read")
            )
            # The warps of the attention also read the queries: four heads of 256 bytes each.
            blocks = sum(run.grid for run in self.ran if run.entry == "attention_read")
            reads -= blocks * 4 * 4 * 256
            copied = sum(int(event.detail) for event in self.log if event.kind == "copy")
            return IDLE_W * self.clock.now + PICOJOULES * 1e-12 * (reads + copied)

        return joules


@pytest.mark.sampled(2)
@pytest.mark.parametrize("data", ["random", "zeros"])
@pytest.mark.parametrize(("prefix", "params"), CASES)
def test_the_energy_of_a_byte_is_found(
    prefix: str, params: dict[str, Value], data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Metered(small(1))
    gpu.clock = Clock()
    monkeypatch.setattr(energy, "time", gpu.clock)
    _, observation = observe(BENCHES[f"{prefix}/energy"], {**params, "data": data}, gpu)
    found = observation.samples[Metric.ENERGY, Stat.MEDIAN]
    assert found == pytest.approx([PICOJOULES] * energy.REPEATS, rel=0.01)
    assert observation.detail["idle_w"] == pytest.approx(IDLE_W)


def test_a_device_without_a_counter_is_skipped() -> None:
    with pytest.raises(Skip, match="no energy"):
        BENCHES["hbm/energy"].build(EmulatedGpu(small(1)), {"op": "read", "data": "zeros"})


def test_a_counter_that_stands_still_is_no_result() -> None:
    class Still(EmulatedGpu):
        def energy(self) -> Callable[[], float]:
            return lambda: 12.0

    with pytest.raises(MembenchError, match="the difference is not positive"):
        observe(BENCHES["hbm/energy"], {"op": "read", "data": "zeros"}, Still(small(1)))


def test_energy_is_measured_once_a_run_and_long_enough() -> None:
    for name in ("hbm/energy", "link/energy", "decode/energy"):
        assert BENCHES[name].rounds == 1
        assert BENCHES[name].profiles == ("full",)
