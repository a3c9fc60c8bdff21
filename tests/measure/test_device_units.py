"""A device case from request to result, the tuning of a case, and recorded and replayed runs."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from replay import read_recording, replayed
from scripted_device import ScriptedDevice

from membench.core.backend import DeviceBackend
from membench.core.case import TUNED, Bench, Config, Needs, axis, bench
from membench.core.errors import RegistersSpilled, SchemaError, skip
from membench.core.registry import Registry
from membench.core.terms import BytesConvention, Metric, PeakBasis, Stat, Status
from membench.core.work import Timed, Work
from membench.machine import snapshot
from membench.measure.availability import Site
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan, planned
from membench.measure.recording import VARIABLE, RecordingDevice, keep, recorded
from membench.measure.rounds.protocol import RoundRequest
from membench.measure.worker.main import answer as answer_of
from membench.measure.worker.stopwatch import Stopwatches
from membench.results.case_result import CaseResult
from membench.results.plan import PlannedCase
from membench.results.rows import rows
from membench.results.table import read_rows, write_rows

SIZE = 1_000_000
NS = {1: 500_000.0, 2: 250_000.0, 4: 300_000.0}
"""Unroll factor -> nanoseconds per iteration of the bench."""


def answer(*arguments: Any) -> CaseResult:
    return answer_of(*arguments).unit


def unrollings(_gpu: Any, **_axes: Any) -> Iterator[Config]:
    for unroll in (1, 2, 4, 8):
        yield {"unroll": unroll}


@bench(
    "hbm/thing",
    version=1,
    needs=Needs.GPU,
    configs=unrollings,
    tunes=("vec",),
)
@axis("vec", quick=16)
@axis("config", quick=("", TUNED))
def thing(gpu: ScriptedDevice, vec: int | str, config: Config) -> Work:
    """A bench whose time depends on the unroll factor."""
    unroll = config.get("unroll", 1)
    if unroll not in NS:
        skip("too much")
    gpu.ns = NS[unroll]
    return Timed(
        run=gpu.run,
        size_bytes=SIZE,
        bytes_moved=SIZE,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.0005,
        flags=("cache-served",),
    )


MACHINE = snapshot()
BENCHES = {"hbm/thing": thing}
CASES = [planned(case, Registry(BENCHES), Site(MACHINE)) for case in thing.cases("quick", MACHINE)]
DEFAULT, BEST = CASES


def asked(
    device: ScriptedDevice, request: RoundRequest, benches: dict[str, Bench] | None = None
) -> CaseResult:
    return answer(request, benches or BENCHES, lambda _case: device, Stopwatches())


def test_a_tuned_case_leaves_out_what_its_configuration_decides() -> None:
    assert [case.id for case in CASES] == ["hbm/thing/vec=16", "hbm/thing/config=best"]
    assert [case.tuned for case in CASES] == [False, True]


def test_a_unit_says_how_its_number_was_made() -> None:
    device = ScriptedDevice(ghz=1.98)
    unit = asked(device, RoundRequest(1, DEFAULT))
    assert unit.status is Status.OK, unit.reason
    assert unit.readings[0].value == SIZE / 500_000.0
    assert (unit.timer, unit.backend) == ("scripted_event", "cuda")
    assert (unit.cache_state, unit.stop_reason, unit.converged) == ("hot", "count", None)
    assert unit.sm_mhz == pytest.approx(1980.0, rel=1e-4)
    assert unit.detail["floor_ns"] == 1000
    assert unit.detail["sm_mhz_low"] == 1980
    assert unit.flags == ("cache-served",)
    assert device.reclaimed == 1


def test_one_time_may_be_several_metrics() -> None:
    def step(gpu: ScriptedDevice) -> Work:
        return Timed(
            run=gpu.run,
            size_bytes=SIZE,
            also=(Metric.RATE, Metric.FLOPS),
            bytes_moved=SIZE,
            operations=16,
            bytes_convention=BytesConvention.PAYLOAD,
            min_sample_s=0.0005,
        )

    metrics = (Metric.BANDWIDTH, Metric.RATE, Metric.FLOPS)
    yields = tuple((metric, Stat.MEDIAN) for metric in metrics)
    made = bench("decode/step", version=1, needs=Needs.GPU, yields=yields)(step)
    (case,) = made.cases("quick", MACHINE)
    benches = {"decode/step": made}
    request = RoundRequest(1, planned(case, Registry(benches), Site(MACHINE)))
    unit = asked(ScriptedDevice(ns=1_000_000.0), request, benches)
    assert unit.status is Status.OK, unit.reason
    found = {one.metric: one.value for one in unit.readings}
    assert found == pytest.approx({metrics[0]: 1.0, metrics[1]: 16_000.0, metrics[2]: 16e-6})


def failing(error: type[Exception], *texts: str) -> CaseResult:
    def step(_gpu: ScriptedDevice) -> Work:
        raise error(*texts)

    made = bench("decode/step", version=1, needs=Needs.GPU)(step)
    (case,) = made.cases("quick", MACHINE)
    benches = {"decode/step": made}
    request = RoundRequest(1, planned(case, Registry(benches), Site(MACHINE)))
    return asked(ScriptedDevice(), request, benches)


def test_the_reason_of_a_failed_allocation() -> None:
    assert failing(MemoryError).reason == "out of memory"
    assert failing(MemoryError, "no room").reason == "out of memory: no room"


def test_other_metrics_than_declared_are_refused() -> None:
    made = bench("hbm/thing", version=1, needs=Needs.GPU, yields=(Metric.RATE, Stat.P99))(
        lambda gpu: thing.function(gpu, 16, {})
    )
    (case,) = made.cases("quick", MACHINE)
    benches = {"hbm/thing": made}
    request = RoundRequest(1, planned(case, Registry(benches), Site(MACHINE)))
    unit = asked(ScriptedDevice(), request, benches)
    assert unit.reason == ("bench 'hbm/thing' declares rate (p99), but measured bandwidth (median)")


@pytest.mark.parametrize("metric", [Metric.ENERGY, Metric.IOPS])
def test_what_a_time_cannot_say_is_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match=f"cannot yield {metric}"):
        Timed(run=lambda _: None, size_bytes=1, metric=metric, operations=1)


def test_tuning_takes_the_fastest_that_can_run_and_reports_no_number() -> None:
    device = ScriptedDevice()
    unit = asked(device, RoundRequest(1, BEST, tune=True))
    assert unit.status is Status.OK, unit.reason
    assert unit.detail == {"unroll": 2}
    assert unit.readings == ()
    assert device.reclaimed == 4  # including the skipped configuration


def test_tuning_does_not_choose_what_cannot_be() -> None:
    def peaked(gpu: ScriptedDevice, vec: int | str, config: Config) -> Work:
        made = thing.function(gpu, vec, config)
        assert isinstance(made, Timed)
        return replace(made, peak=SIZE / 270_000.0, peak_basis=PeakBasis.QUERIED)

    peaked.__module__ = thing.function.__module__
    benches = {"hbm/thing": replace(thing, function=peaked)}
    unit = asked(ScriptedDevice(), RoundRequest(1, BEST, tune=True), benches)
    # Unroll 2 would be faster than the memory allows, so it is not chosen.
    assert unit.detail == {"unroll": 4}


def test_a_configuration_that_the_compiler_spills_is_none() -> None:
    """Other compilers may spill registers: NVRTC 12.9 spills in a stream kernel for sm_100."""

    def spilling(gpu: ScriptedDevice, vec: int | str, config: Config) -> Work:
        if config["unroll"] == 2:
            raise RegistersSpilled("stream.cu does not compile")
        return thing.function(gpu, vec, config)

    spilling.__module__ = thing.function.__module__
    benches = {"hbm/thing": replace(thing, function=spilling)}
    unit = asked(ScriptedDevice(), RoundRequest(1, BEST, tune=True), benches)
    assert (unit.status, unit.detail) == (Status.OK, {"unroll": 4})


def test_a_tuned_case_runs_with_what_was_chosen_and_says_so() -> None:
    unit = asked(ScriptedDevice(), RoundRequest(3, BEST, config={"unroll": 4}))
    assert unit.readings[0].value == SIZE / 300_000.0
    assert unit.detail["unroll"] == 4


def test_where_no_configuration_can_run_the_case_is_skipped() -> None:
    def nothing(_gpu: Any, **_axes: Any) -> Iterator[Config]:
        yield {"unroll": 8}

    unit = asked(
        ScriptedDevice(),
        RoundRequest(1, BEST, tune=True),
        {"hbm/thing": replace(thing, configs=nothing)},
    )
    assert (unit.status, unit.reason) == (Status.SKIPPED, "too much")


def test_buffers_are_taken_back_from_a_case_that_fails() -> None:
    def fail(_number: int) -> None:
        raise RuntimeError("illegal address")

    device = ScriptedDevice(on_work=fail)
    unit = asked(device, RoundRequest(1, DEFAULT))
    assert (unit.status, unit.reason) == (Status.FAILED, "RuntimeError: illegal address")
    assert device.reclaimed == 1
    assert not device.held


def test_a_row_says_that_nothing_was_held() -> None:
    for hold in (True, False):
        watches = Stopwatches(hold=hold)
        unit = answer(RoundRequest(1, DEFAULT), BENCHES, lambda _case: ScriptedDevice(), watches)
        assert unit.detail.get("hold") == (None if hold else "no")


# Recording and playing back.


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[list[PlannedCase]], tuple[Path, list[CaseResult]]]:
    def make(cases: list[PlannedCase]) -> tuple[Path, list[CaseResult]]:
        path = tmp_path / "recording.jsonl"
        environ = {VARIABLE: str(path)}
        device = ScriptedDevice()
        noise = iter(range(1, 10**6))
        device.on_work = lambda _number: setattr(device, "ns", 400_000.0 + 37 * next(noise))
        listened = recorded(device, environ)
        assert isinstance(listened, RecordingDevice)
        stopwatches, units = Stopwatches(), []
        for round_ in (1, 2):
            for case in cases:
                request = RoundRequest(round_, case, iters=None if round_ == 1 else 2)
                unit = answer(request, BENCHES, lambda _case: listened, stopwatches)
                keep(request, unit, listened, environ)
                units.append(unit)
        return path, units

    return make


def test_without_the_variable_nobody_listens() -> None:
    device = ScriptedDevice()
    assert recorded(device, {}) is device
    assert isinstance(device, DeviceBackend)


def test_a_recording_drives_the_engine_to_the_same_numbers(
    recording: Callable[[list[PlannedCase]], tuple[Path, list[CaseResult]]],
) -> None:
    path, units = recording([DEFAULT])
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_recording(packed) == read_recording(path)
    again = replayed(read_recording(path), answer, thing)
    assert [unit.status for unit in again] == [Status.OK] * 2
    for before, after in zip(units, again, strict=True):
        assert after.readings == before.readings
        assert (after.iters, after.sm_mhz) == (before.iters, before.sm_mhz)
        assert after.detail["floor_ns"] == before.detail["floor_ns"]
    assert units[0].readings != units[1].readings


def test_what_is_played_back_gets_into_no_results(
    recording: Callable[[list[PlannedCase]], tuple[Path, list[CaseResult]]], tmp_path: Path
) -> None:
    path, _ = recording([DEFAULT])
    (unit, *_) = replayed(read_recording(path), answer, thing)
    assert unit.backend == "replay"
    plan = make_plan(RunOptions(rounds=1), Registry(BENCHES), MACHINE)
    measured = replace(plan, cases=(replace(DEFAULT, skipped=""),))
    with pytest.raises(SchemaError, match="'replay' is not cuda"):
        write_rows(tmp_path / "replay.csv", rows(measured, [unit]))
    # compare and report refuse a file that was edited by hand.
    written = tmp_path / "written.csv"
    write_rows(written, rows(measured, [replace(unit, backend="cuda")]))
    written.write_text(written.read_text().replace(",cuda,", ",replay,"))
    with pytest.raises(SchemaError, match="replay"):
        read_rows(written)


def test_a_question_that_was_never_answered_is_an_error(
    recording: Callable[[list[PlannedCase]], tuple[Path, list[CaseResult]]],
) -> None:
    path, _ = recording([DEFAULT])
    lines = [replace(line, stamps=line.stamps[:-1]) for line in read_recording(path)[:1]]
    (unit,) = replayed(lines, answer, thing)
    assert unit.status is Status.FAILED
    assert "the recording ends here" in unit.reason
