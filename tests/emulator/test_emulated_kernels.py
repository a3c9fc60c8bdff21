"""The built-in kernels other than the streams: chase, patterns, control."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from emulator import EmulatedGpu, OutOfBounds, small

from membench.gpu.protocol import KernelVariant

ARCHITECTURES = ["80", "90", "100", "120"]
LINE = 128


def linked(gpu: EmulatedGpu, lines: int, bits: int) -> tuple[Any, npt.NDArray[Any]]:
    """A ring that the kernel linked, and for each line the number of the next line."""
    ring = gpu.allocate(LINE * lines)
    link = gpu.kernel(KernelVariant.of("chase.cu"), "chase_link")
    gpu.launch(link, 4, 64, [ring, np.uint32(lines), np.uint32(bits), np.uint32(77)])
    pointers = gpu.download(ring, np.uint64, lines * LINE // 8).reshape(lines, -1)[:, 0]
    offsets = pointers - np.uint64(ring.address)
    assert (offsets % LINE == 0).all()
    return ring, (offsets // LINE).astype(np.int64)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_ring_is_one_cycle_and_the_chase_ends_where_it_must(arch: str) -> None:
    gpu = EmulatedGpu(small(4, arch), fuel=100_000)
    lines, turns = 256, 5
    ring, following = linked(gpu, lines, 8)
    walk = [0]
    for _ in range(lines):
        walk.append(int(following[walk[-1]]))
    assert sorted(walk[:-1]) == list(range(lines))
    out = gpu.allocate(24)
    variant = KernelVariant.of("chase.cu", HINT='".cv"', LOADS=32)
    run = gpu.kernel(variant, "chase_run")
    begin = 9
    gpu.launch(run, 1, 1, [out, np.uint64(ring.address + LINE * begin), np.uint32(turns)])
    end, nanoseconds, cycles = gpu.download(out, np.uint64, 3).tolist()
    assert (end - ring.address) // LINE == follow(following, begin, 32 * turns)
    counts = gpu.counts["chase_run"]
    assert counts.opcodes["ld.global.cv.u64"] == 32 * turns
    assert counts.requests["ld.global"] == counts.sectors["ld.global"] == 32 * turns
    assert nanoseconds > cycles > 32 * turns  # the emulator's clocks count steps


def follow(following: npt.NDArray[Any], line: int, hops: int) -> int:
    for _ in range(hops):
        line = int(following[line])
    return line


def test_each_hop_is_stamped() -> None:
    gpu = EmulatedGpu(small(4))
    ring, _ = linked(gpu, 64, 6)
    out, took = gpu.allocate(16), gpu.allocate(4 * 100)
    kernel = gpu.kernel(KernelVariant.of("chase.cu"), "chase_hops")
    args = [out, took, np.uint64(ring.address), np.uint32(100)]
    gpu.launch(kernel, 1, 1, args, shared=400)
    assert 0 < int(gpu.download(out, np.uint64, 2)[1]) < gpu.download(took, np.uint32, 100).min()
    steps = gpu.download(took, np.uint32, 100)
    assert (steps > 0).all()
    assert np.ptp(steps) == 0
    gpu.launch(kernel, 1, 1, args, shared=396)
    with pytest.raises(OutOfBounds, match="byte 396 of 396"):
        gpu.synchronize()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_patterns_are_written_and_looked_at(arch: str) -> None:
    gpu = EmulatedGpu(small(4, arch))
    n = 3001
    words, found = gpu.allocate(4 * n), gpu.allocate(16)
    limits = np.array([0, 2**64 - 1], np.uint64)

    def differing(entry: str, *rest: Any) -> list[int]:
        gpu.upload(found, limits)
        kernel = gpu.kernel(KernelVariant.of("pattern.cu"), entry)
        gpu.launch(kernel, 6, 128, [found, words, np.uint64(n), *rest])
        result: list[int] = gpu.download(found, np.uint64, 2).tolist()
        return result

    clean = limits.tolist()
    fill = gpu.kernel(KernelVariant.of("pattern.cu"), "pattern_fill")
    gpu.launch(fill, 5, 96, [words, np.uint64(n), np.uint32(42)])
    wanted = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(42)
    assert np.array_equal(gpu.download(words, np.uint32, n), wanted)
    assert gpu.counts["pattern_fill"].stored == 4 * n
    assert differing("pattern_check", np.uint32(42)) == clean
    gpu.upload(words, np.array([1], np.uint32), 4 * 2000)
    gpu.upload(words, np.array([1], np.uint32), 4 * 1234)
    assert differing("pattern_check", np.uint32(42)) == [2, 1235]
    gpu.fill(words, 7)
    assert differing("pattern_check_value", np.uint32(0x07070707)) == clean
    small_fill = gpu.kernel(KernelVariant.of("pattern.cu"), "pattern_fill_small")
    gpu.launch(small_fill, 5, 96, [words, np.uint64(n), np.uint32(8)])
    one, two, none = np.float32(1), np.float32(2), np.float32(0)
    assert differing("pattern_check_linear", np.uint32(8), one, none, none) == clean
    assert differing("pattern_check_linear", np.uint32(8), two, none, none)[0] > n // 2


def test_the_queue_is_held_until_the_host_releases_it() -> None:
    slices = []

    def host() -> None:
        slices.append(1)
        if len(slices) == 20:
            word.array.view(np.int32)[0] = 3

    gpu = EmulatedGpu(small(4), between=host)
    word = gpu.host(8)
    hold = gpu.kernel(KernelVariant.of("control.cu"), "control_hold")
    gpu.launch(hold, 1, 1, [word, np.int32(3), np.uint64(10**9)])
    gpu.synchronize()
    assert len(slices) >= 20
    assert word.array.view(np.int32).tolist() == [3, 0]
    # A kernel that is not released gives up at its deadline, and reports this.
    gpu.launch(hold, 1, 1, [word, np.int32(4), np.uint64(500)])
    gpu.synchronize()
    assert word.array.view(np.int32).tolist() == [3, 4]


def test_probes_sweep_and_echo() -> None:
    turns = 4

    def host() -> None:
        sent, answered = word.array.view(np.int32)[:2].tolist()
        if sent == answered < turns:
            word.array.view(np.int32)[0] = sent + 1

    gpu = EmulatedGpu(small(4), between=host)
    word = gpu.host(8)
    ticks, lines, sink = gpu.allocate(24 * 4), gpu.allocate(16 * 1000), gpu.allocate(8)
    control = KernelVariant.of("control.cu")
    gpu.launch(gpu.kernel(control, "control_probe"), 4, 1, [ticks])
    stamps = gpu.download(ticks, np.uint64, 12).reshape(4, 3)
    assert (stamps > 0).all()
    assert stamps[:, 0].tolist() == [2, 4, 6, 8]  # SM numbers with gaps
    gpu.fill(lines, 0)
    arguments = [lines, sink, np.uint64(1000)]
    gpu.launch(gpu.kernel(control, "control_sweep"), 2, 128, arguments)
    gpu.launch(gpu.kernel(control, "control_idle"), 1, 32, [])
    echo = gpu.kernel(control, "control_echo")
    gpu.launch(echo, 1, 1, [word, np.int32(turns), np.uint64(10**9)])
    gpu.synchronize()
    assert gpu.counts["control_sweep"].loaded == 16_000
    assert gpu.counts["control_sweep"].stored == 0
    assert word.array.view(np.int32).tolist() == [turns, turns]
