"""Victims, aggressors and page faults on the emulator; and the cases that membench must skip."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

import pytest
from asking_gpu import H100, AskingGpu
from emulator import EmulatedGpu, small
from proof import observe
from short_cases import INTERFERENCE, shorten

from membench.benches import registry
from membench.benches.link import interference
from membench.core.axes import OMITTED, Value
from membench.core.errors import MembenchError, Skip, VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import KIB
from membench.workloads import attention

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
DUEL = BENCHES["interference/link"]
LATENCY = (Metric.LATENCY, Stat.MEDIAN)
BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)


@pytest.fixture(autouse=True)
def small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, INTERFERENCE)


def params(victim: str, aggressor: str, grid: Value = OMITTED) -> dict[str, Value]:
    return {"victim": victim, "aggressor": aggressor, "grid": grid}


@pytest.mark.parametrize(
    ("victim", "aggressor", "grid"),
    [
        ("chase", "h2d-sm", 2),
        ("gather", "d2h-sm", OMITTED),
        ("chase", "h2d-bulk", 2),
        ("gather", "d2h-bulk", OMITTED),
    ],
)
def test_both_run_beside_each_other_and_both_are_right(
    victim: str, aggressor: str, grid: Value
) -> None:
    gpu = EmulatedGpu(small(2))
    work, observation = observe(DUEL, params(victim, aggressor, grid), gpu)
    detail = observation.detail
    assert observation.samples[LATENCY]
    (rate,) = observation.samples[BANDWIDTH]
    assert rate > 0
    # The emulator's clock counts steps of all kernels, so concurrent kernels slow each other down.
    assert float(detail["slowdown"]) > 1
    assert rate < float(detail["alone_gbs"])
    assert float(detail["window_ns"]) >= sum(observation.samples[LATENCY])
    kernel = "kv_bulk" if aggressor.endswith("bulk") else "link_copy"
    if grid != OMITTED:
        assert {ran.grid for ran in gpu.ran if ran.entry == kernel} == {grid}
    assert work.timer == "globaltimer"


@pytest.mark.parametrize("aggressor", ["h2d-sm", "d2h-sm"])
def test_copies_that_do_not_arrive_are_found(aggressor: str) -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = DUEL.build(gpu, params("chase", aggressor))
    with pytest.raises(VerificationFailed, match=aggressor):
        work.verify()


def test_a_victim_that_never_ran_is_found() -> None:
    gpu = EmulatedGpu(small(1))
    work: Any = DUEL.build(gpu, params("gather", "h2d-sm"))
    made = work.verify.__self__
    made.aggressor_alone(1)
    with pytest.raises(VerificationFailed, match="gather"):
        work.verify()


def test_no_common_time_is_an_error_and_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("membench.workloads.overlap.beside", lambda victim, aggressor: None)
    work: Any = DUEL.build(EmulatedGpu(small(1)), params("chase", "h2d-sm"))
    with pytest.raises(MembenchError, match="no piece of the work"):
        work.observe(0.1)


@pytest.mark.parametrize(("victim", "bench"), [("read", "hbm/read"), ("attn", "decode/attn")])
def test_a_victim_that_is_a_bench_too_does_what_the_default_case_does(
    victim: str, bench: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "POOL_BYTES", 1 << 17)
    quick = {axis.name: axis.quick for axis in BENCHES[bench].axes}
    default = {
        name: value[0] if isinstance(value, tuple) else cast("Value", value)
        for name, value in quick.items()
    }
    if victim == "read":
        default["size"] = interference.STREAM_BYTES
    gpu: Any = AskingGpu(H100)
    works: list[Any] = [
        interference.VICTIMS[victim](gpu),
        BENCHES[bench].build(gpu, default),
    ]
    own, other = (
        {field.name: getattr(work, field.name) for field in fields(work)} for work in works
    )
    for name in ("run", "verify", "close"):
        del own[name], other[name]
    assert own == other


def test_bulk_copies_begin_with_hopper() -> None:
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        DUEL.build(EmulatedGpu(small(1, "80")), params("chase", "h2d-bulk"))


# Managed memory.

MANAGED: list[tuple[str, dict[str, Value], list[str]]] = [
    ("fault", {}, ["prefetch to host"]),
    ("prefetch", {}, ["prefetch to host", "prefetch to device"]),
    ("advise", {"advice": "read-mostly"}, ["prefetch to host"]),
    ("advise", {"advice": "accessed-by"}, ["prefetch to host"]),
]


@pytest.mark.parametrize(("operation", "more", "each"), MANAGED)
def test_pages_are_on_the_host_before_every_sample_and_read_whole(
    operation: str, more: dict[str, Value], each: list[str]
) -> None:
    gpu = EmulatedGpu(small(1))
    size = 64 * KIB
    work, observation = observe(BENCHES[f"managed/{operation}"], {"size": size, **more}, gpu)
    assert len(observation.samples[BANDWIDTH]) == 5
    advice = {"read-mostly": ["read-mostly"], "accessed-by": ["prefer-host", "accessed-by"]}
    first = advice.get(str(more.get("advice")), [])
    assert gpu.links.moved == first + each * 6
    reads = gpu.counts["stream_read"]
    grid = next(ran.grid for ran in gpu.ran if ran.entry == "stream_read")
    assert reads.loaded - 6 * 4 * grid == 6 * size  # and the sums of each block
    assert work.bytes_moved == size


def test_managed_memory_beyond_half_of_what_is_free_is_never_asked_for() -> None:
    gpu = EmulatedGpu(small(1))
    gpu.links.free_bytes = lambda: 100 * KIB  # type: ignore[method-assign]
    with pytest.raises(Skip, match=r"needs 128 KiB of GPU memory, but only 100 KiB are free"):
        BENCHES["managed/fault"].build(gpu, {"size": 64 * KIB})
    assert not gpu._given


def test_a_gpu_without_concurrent_access_is_skipped() -> None:
    gpu = EmulatedGpu(replace(small(1), concurrent_managed=False))
    with pytest.raises(Skip, match="no concurrent managed access"):
        BENCHES["managed/fault"].build(gpu, {"size": 64 * KIB})
