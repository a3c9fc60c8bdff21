"""The helper kernels of the engine and the launch benches on the emulator."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, small
from proof import observe, prove

from membench.benches import registry
from membench.benches.gpu import launch as gpu_launch
from membench.core.terms import Metric, Stat
from membench.gpu.protocol import KernelVariant

pytestmark = pytest.mark.sampled(4)

CONTROL = KernelVariant.of("control.cu")
BENCHES = registry().benches


@pytest.mark.parametrize("arch", ["80", "90", "120"])
def test_a_hold_ends_when_its_ticket_comes(arch: str) -> None:
    turns = [0]

    def between() -> None:
        turns[0] += 1
        if turns[0] == 3:
            words.array.view(np.int32)[0] = 7

    gpu = EmulatedGpu(small(1, arch), between=between)
    words = gpu.host(64)
    gpu.launch(gpu.kernel(CONTROL, "control_hold"), 1, 1, (words, np.int32(7), np.uint64(10**12)))
    gpu.synchronize()
    assert list(words.array.view(np.int32)[:2]) == [7, 0]
    assert turns[0] >= 3


def test_a_hold_gives_up_at_its_deadline_and_says_so() -> None:
    gpu = EmulatedGpu(small(1))
    words = gpu.host(64)
    gpu.launch(gpu.kernel(CONTROL, "control_hold"), 1, 1, (words, np.int32(7), np.uint64(500)))
    gpu.synchronize()
    assert list(words.array.view(np.int32)[:2]) == [0, 7]


def test_an_early_release_does_no_harm() -> None:
    gpu = EmulatedGpu(small(1), fuel=1000)
    words = gpu.host(64)
    words.array.view(np.int32)[0] = 9
    gpu.launch(gpu.kernel(CONTROL, "control_hold"), 1, 1, (words, np.int32(7), np.uint64(10**12)))
    gpu.synchronize()
    assert words.array.view(np.int32)[1] == 0


def test_a_probe_reads_the_clocks_of_every_sm() -> None:
    gpu = EmulatedGpu(small(4))
    ticks = gpu.host(24 * 4)
    for _ in range(2):
        gpu.launch(gpu.kernel(CONTROL, "control_probe"), 4, 1, (ticks,))
        gpu.synchronize()
    assert (ticks.array.view(np.uint64) > 0).all()
    numbers = ticks.array.view(np.uint64).reshape(4, 3)[:, 0]
    assert len(set(numbers)) == 4
    assert numbers.max() > 4  # the numbers of SMs have gaps, as in hardware


def test_the_sweep_reads_all_of_its_buffer() -> None:
    gpu = EmulatedGpu(small(2))
    buffer, sink = gpu.allocate(16 * 5000), gpu.allocate(16)
    gpu.fill(buffer, 0)
    gpu.launch(gpu.kernel(CONTROL, "control_sweep"), 8, 256, (buffer, sink, np.uint64(5000)))
    gpu.synchronize()
    counts = gpu.counts["control_sweep"]
    assert (counts.loaded, counts.stored) == (16 * 5000, 0)


@pytest.mark.parametrize("kind", ["kernel", "graph", "copy"])
def test_what_is_launched_is_launched_as_often_as_declared(kind: str) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(BENCHES["gpu/launch"], {"kind": kind}, gpu, iterations=3)
    events = [event.kind for event in gpu.log]
    if kind == "graph":
        assert events.count("graph") == 3
        assert proven.work.operations == gpu_launch.GRAPH_NODES
    else:
        assert events.count("idle" if kind == "kernel" else "copy") == 3


def test_a_round_trip_by_launch_is_one_launch_and_one_wait_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu_launch, "TURNS", 5)
    gpu = EmulatedGpu(small(1))
    _, observation = observe(BENCHES["gpu/roundtrip"], {"kind": "launch"}, gpu)
    assert len(observation.samples[Metric.LATENCY, Stat.P50]) == 5
    assert [str(event) for event in gpu.log].count("idle") == 6  # including one warm-up


@pytest.mark.parametrize("arch", ["80", "90", "120"])
def test_the_echo_answers_every_turn(arch: str) -> None:
    seen: list[int] = []

    def between() -> None:
        word = words.array.view(np.int32)
        seen.append(int(word[1]))
        if word[1] == word[0] < 4:
            word[0] += 1

    gpu = EmulatedGpu(small(1, arch), between=between)
    words = gpu.host(64)
    echo = gpu.kernel(CONTROL, "control_echo")
    gpu.launch(echo, 1, 1, (words, np.int32(4), np.uint64(10**12)))
    gpu.synchronize()
    assert list(words.array.view(np.int32)[:2]) == [4, 4]
    assert seen == sorted(seen)  # the value never decreases
