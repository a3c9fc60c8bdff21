"""The order of measurements on a device, with a scripted clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_device import ScriptedDevice

from membench.core.errors import MembenchError, Skip
from membench.core.terms import BytesConvention
from membench.core.work import Timed
from membench.measure.worker.sampling import RESOLUTION_FACTOR, Sampled, take_samples
from membench.measure.worker.span import PROBE_NS, Span, time_span
from membench.measure.worker.stopping import FixedCount, Stop
from membench.measure.worker.stopwatch import QUEUE_LIMIT, DeviceStopwatch, Stopwatches


def work(
    device: ScriptedDevice,
    *,
    cold: bool = False,
    may_block: bool = True,
    launches: int = 1,
    batchable: bool = True,
    min_sample_s: float = 0.0,
) -> Timed:
    return Timed(
        run=device.run,
        size_bytes=64,
        bytes_moved=100,
        bytes_convention=BytesConvention.RW_SUM,
        cold=cold,
        may_block=may_block,
        launches=launches,
        batchable=batchable,
        min_sample_s=min_sample_s,
    )


def test_the_order_of_a_cold_and_held_span() -> None:
    device = ScriptedDevice(ns=200_000.0, ghz=1.755)
    span = time_span(device, device.run, 2, cold=True, hold=True)
    assert device.log == [
        *("flush", "synchronize", "block", "probe before", "mark before"),
        *("work", "work"),
        *("mark after", "probe after", "release", "synchronize", "release"),
    ]
    assert span.elapsed_ns == 400_000.0
    assert span.sm_mhz == pytest.approx(1755.0, rel=1e-5)


def test_hot_work_is_not_flushed_and_work_that_waits_is_not_held() -> None:
    device = ScriptedDevice()
    time_span(device, device.run, 1, hold=False)
    assert "flush" not in device.log
    assert "block" not in device.log


def test_between_close_probes_no_clock_is_claimed() -> None:
    device = ScriptedDevice(ns=PROBE_NS - 1.0)
    assert time_span(device, device.run, 1).sm_mhz is None
    device.ns = PROBE_NS + 1.0
    assert time_span(device, device.run, 1).sm_mhz == pytest.approx(1500.0, rel=1e-4)


def test_work_that_raises_leaves_no_queue_held() -> None:
    def fail(_number: int) -> None:
        raise RuntimeError("in the middle")

    device = ScriptedDevice(on_work=fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        time_span(device, device.run, 1)
    assert not device.held
    assert device.log[-1] == "release"


def test_a_span_whose_hold_ran_out_is_void() -> None:
    device = ScriptedDevice(overdue=True)
    with pytest.raises(MembenchError, match="waited for the GPU too early"):
        time_span(device, device.run, 1)
    assert not device.held


def stopwatch(device: ScriptedDevice, timed: Timed) -> DeviceStopwatch:
    made = Stopwatches().stopwatch(device, timed)
    assert isinstance(made, DeviceStopwatch)
    return made


def test_the_launch_floor_is_measured_once_and_is_what_a_sample_is_held_against() -> None:
    device = ScriptedDevice(idle_ns=2_300.0)
    watches = Stopwatches()
    first, second = (watches.stopwatch(device, work(device)) for _ in range(2))
    assert first.step_ns == second.step_ns == 2_300.0
    floors = device.log.count("idle")
    assert watches.floor_ns(device) == 2_300.0
    assert device.log.count("idle") == floors
    device.resolution_ns = 4_000.0
    assert first.step_ns == 4_000.0


def test_nothing_is_held_where_that_is_not_wanted() -> None:
    device = ScriptedDevice()
    watch = Stopwatches(hold=False).stopwatch(device, work(device))
    watch.span(1)
    assert "idle" in device.log  # the empty launch is measured too
    assert "block" not in device.log


def test_the_warm_up_is_not_held() -> None:
    device = ScriptedDevice()
    watch = stopwatch(device, work(device))
    device.log.clear()
    watch.warm()
    assert "block" not in device.log
    watch.span(1)
    assert "block" in device.log


def test_a_queue_is_held_only_as_far_as_it_is_long() -> None:
    device = ScriptedDevice()
    watch = stopwatch(device, work(device, launches=3))
    assert watch.most == QUEUE_LIMIT // 3
    device.log.clear()
    watch.span(QUEUE_LIMIT // 3)
    assert "block" in device.log
    device.log.clear()
    watch.span(QUEUE_LIMIT // 3 + 1)
    assert "block" not in device.log
    assert stopwatch(device, work(device, may_block=False)).most == float("inf")


def test_cold_samples_are_one_iteration_each_and_flushed_each() -> None:
    device = ScriptedDevice(ns=50_000.0)
    timed = work(device, cold=True, min_sample_s=1.0)
    watch = stopwatch(device, timed)
    device.log.clear()
    sampled = take_samples(watch, timed, FixedCount(7))
    assert sampled.iterations == 1
    assert set(sampled.elapsed_ns) == {50_000.0}
    assert device.log.count("flush") == 8  # including calibration; the warm-up needs no flush


@given(st.floats(100.0, 1e7), st.floats(100.0, 5_000.0), st.integers(1, 8))
def test_a_sample_is_long_enough_or_refused(ns: float, idle: float, launches: int) -> None:
    device = ScriptedDevice(ns=ns, idle_ns=idle)
    timed = work(device, launches=launches)
    watch = stopwatch(device, timed)
    least = RESOLUTION_FACTOR * max(device.resolution_ns, idle)
    try:
        sampled = take_samples(watch, timed, FixedCount(3))
    except Skip:
        assert (QUEUE_LIMIT // launches) * ns < least * (1 + 1e-9)
    else:
        assert sampled.iterations * launches <= QUEUE_LIMIT
        assert min(sampled.elapsed_ns) >= least * (1 - 1e-9)


def test_one_cold_repetition_that_is_too_short_is_refused_with_the_reason() -> None:
    device = ScriptedDevice(ns=3_000.0)
    timed = work(device, cold=True)
    with pytest.raises(Skip, match="one repetition takes 3000 ns"):
        take_samples(stopwatch(device, timed), timed, FixedCount(3))


def test_the_clock_of_a_round_is_the_median_of_its_samples() -> None:
    clocks = (1.2, 1.5, 1.8, 1.5, 1.4)
    spans = tuple(Span(1e6, 1e3 * ghz) for ghz in clocks)
    sampled = Sampled((*spans, Span(1e3)), iterations=1, total=7, stop=Stop("count"))
    assert sampled.clock == 1500.0
    assert sampled.sm_mhz[0] == 1200.0
    assert Sampled((Span(1e3),), iterations=1, total=2, stop=Stop("count")).clock is None


def test_a_backend_without_a_clock_cannot_time() -> None:
    class NoClock:
        timer = "none"
        resolution_ns = 1.0
        kernel_digest = ""

        def describe(self) -> object:
            return type("D", (), {"backend": "emulated"})()

        def reclaim(self) -> None: ...
        def close(self) -> None: ...

    device = ScriptedDevice()
    with pytest.raises(MembenchError, match="emulated has no clock"):
        Stopwatches().stopwatch(NoClock(), work(device))  # type: ignore[arg-type]
