"""Every disk case measures, verifies, and reports the declared statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from membench.benches import registry
from membench.benches.disk.kv_objects import MODELS, object_bytes
from membench.core.case import PROFILES, Bench, Case
from membench.core.errors import Skip, VerificationFailed
from membench.core.snapshot import Machine
from membench.core.terms import CacheState, Metric, Stat, Tier
from membench.core.units import GIB, MIB
from membench.core.work import Observed
from membench.host.storage.backend import StorageBackend, open_storage
from membench.host.storage.scratch import ScratchFile
from membench.machine.disks.filesystem import read_filesystem
from membench.measure.worker.readings import reading

SIZE = 64 * MIB
SECONDS = 0.05


def storage_benches() -> list[Bench]:
    return [bench for bench in registry().benches.values() if bench.backend == "storage"]


def cases(machine: Machine, profile: str) -> list[Case]:
    return [case for bench in storage_benches() for case in bench.cases(profile, machine)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchFile]:
    place = tmp_path_factory.mktemp("scratch")
    if reason := read_filesystem(place).direct_io:
        pytest.skip(reason)
    with ScratchFile.create(place, SIZE, budget=8 * GIB, seed=11) as made:
        yield made


@pytest.fixture(scope="module")
def storage(machine: Machine, file: ScratchFile) -> Iterator[StorageBackend]:
    backend = open_storage(machine, file.scratch)
    yield backend
    backend.close()


def run(storage: StorageBackend, bench: str, **params: Any) -> tuple[Observed, dict[str, Any]]:
    """(work, detail and values by statistic) of one case, after measurement and verification."""
    work = registry().benches[bench].build(storage, params)
    assert isinstance(work, Observed)
    try:
        seen = work.observe(SECONDS)
        assert work.verify is not None
        work.verify()
    finally:
        work.close()
    assert set(seen.samples) == set(registry().benches[bench].yields)
    values = {
        f"{metric}.{stat}": reading(metric, stat, samples).value
        for (metric, stat), samples in seen.samples.items()
    }
    assert all(value > 0 for value in values.values())
    return work, {**work.detail, **seen.detail, **values}


@pytest.mark.parametrize(
    "params",
    [
        {"pattern": "rand", "block": "4KiB", "qd": 32, "pages": "thp"},
        {"pattern": "seq", "block": "1MiB", "qd": 8, "pages": "4k"},
    ],
)
def test_reads(storage: StorageBackend, params: dict[str, Any]) -> None:
    work, seen = run(storage, "ssd/read", **params)
    assert seen["resident"] == "0.0%"
    assert seen["engine"] in ("io_uring", "aio")
    assert work.cache_state is CacheState.COLD
    assert seen["latency.p50"] <= seen["latency.p95"] <= seen["latency.p99"] <= seen["latency.p999"]
    assert seen["bandwidth.median"] == pytest.approx(seen["iops.median"] * work.bytes_moved / 1e9)


@pytest.mark.parametrize("params", [("rand", "4KiB", 16), ("seq", "1MiB", 4)])
def test_writes_are_counted_and_bounded(
    storage: StorageBackend, file: ScratchFile, params: tuple[str, str, int]
) -> None:
    before = file.written
    pattern, block, qd = params
    _, seen = run(storage, "ssd/write", pattern=pattern, block=block, qd=qd)
    assert file.written - before == seen["written"]
    assert 0 < seen["written"] <= 128 * MIB


@pytest.mark.parametrize("pattern", ["rand", "seq"])
def test_pages_land_in_memory(storage: StorageBackend, pattern: str) -> None:
    _, seen = run(storage, "paging/ssd-ddr", block="64KiB", qd=8, pattern=pattern)
    assert seen["pool"] == "128MiB"
    assert seen["bandwidth.median"] == pytest.approx(seen["rate.median"] * 65536 / 1e9)


def test_mixes_write_what_they_say(storage: StorageBackend, file: ScratchFile) -> None:
    before = file.written
    _, seen = run(storage, "ssd/mix", reads=70, qd=16)
    assert file.written > before
    assert seen["write_p99_ns"] >= seen["write_p50_ns"] > 0


@pytest.mark.parametrize("method", ["fsync", "fdatasync", "odsync"])
def test_synced_writes(storage: StorageBackend, method: str) -> None:
    _, seen = run(storage, "ssd/sync", method=method, block="4KiB")
    assert seen["latency.p50"] <= seen["latency.p99"]


@pytest.mark.parametrize("state", ["cold", "warm", "evicted"])
def test_the_state_of_the_page_cache_is_proven(storage: StorageBackend, state: str) -> None:
    work, seen = run(storage, "ssd/cache", state=state)
    assert seen["resident"] == ("100.0%" if state == "warm" else "0.0%")
    assert seen["resident_after"] == "100.0%"
    assert (work.cache_state is CacheState.HOT) == (state == "warm")
    assert storage.resident() == 0  # no page remains cached for the next case


@pytest.mark.parametrize(
    ("state", "pattern"), [("cold", "rand"), ("cold", "seq"), ("warm", "rand")]
)
def test_page_faults_are_counted(storage: StorageBackend, state: str, pattern: str) -> None:
    _, seen = run(storage, "ssd/mmap", state=state, pattern=pattern, threads=1)
    if pattern == "rand":
        assert seen["majflt" if state == "cold" else "minflt"] >= 0.9 * seen["touched"]
    assert storage.resident() == 0


@pytest.mark.parametrize("pages", ["thp", "4k"])
@pytest.mark.parametrize("align", ["4KiB", "512B"])
def test_buffers(storage: StorageBackend, pages: str, align: str) -> None:
    _, seen = run(storage, "ssd/buffer", pages=pages, align=align)
    if pages == "4k":
        assert seen["huge"] == "0%"
    assert seen.get("requests", 1) > 0


def test_the_clients_ceiling(storage: StorageBackend) -> None:
    _, seen = run(storage, "ssd/client", qd=1)
    assert seen["engine"] != "io_uring"  # io_uring reads cached data in other threads
    assert seen["file"] == "memory"


def test_objects_have_the_sizes_of_the_models(storage: StorageBackend) -> None:
    # Computed by hand: 2 (keys, values) * layers * heads * dimension * 2 bytes.
    assert MODELS["llama-3.1-8b"].bytes_per_token == 131_072
    assert MODELS["llama-3.1-70b"].bytes_per_token == 327_680
    assert MODELS["qwen3-235b-a22b"].bytes_per_token == 192_512
    assert all(object_bytes(model, 16) % 4096 == 0 for model in MODELS)
    _, seen = run(storage, "ssd/kv", model="llama-3.1-8b", tokens=16)
    assert seen["object"] == 2 * MIB
    assert seen["bandwidth.median"] == pytest.approx(seen["rate.median"] * 131_072 / 1e9)


def test_a_long_write_needs_a_budget(storage: StorageBackend) -> None:
    with pytest.raises(Skip, match=r"8\.00 GiB in 1 round, .* use a larger --disk-budget"):
        registry().benches["ssd/sustained"].build(storage, {"block": "1MiB", "qd": 8})


def test_all_writes_of_the_full_profile_fit_into_16_gib(
    machine: Machine, file: ScratchFile, tmp_path: Path
) -> None:
    """16 GiB are eight default disk budgets, for the largest scratch file and all rounds."""
    budget = 16 * GIB - GIB + SIZE
    with ScratchFile.create(tmp_path, SIZE, budget=budget, seed=1, rounds=10) as made:
        backend = open_storage(machine, made.scratch)
        writers = [
            case
            for case in cases(machine, "full")
            if case.bench in ("ssd/write", "ssd/mix", "ssd/sync")
        ]
        assert len(writers) > 10
        for case in writers:
            registry().benches[case.bench].build(backend, dict(case.params)).close()
        backend.close()


def test_a_page_cache_that_is_not_empty_is_not_called_cold(
    storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "evict", lambda _=0: 0.5)
    work = registry().benches["ssd/cache"].build(storage, {"state": "cold"})
    assert isinstance(work, Observed)
    with pytest.raises(VerificationFailed, match=r"50\.0% of the file was in the page cache"):
        work.observe(SECONDS)
    work.close()
    monkeypatch.undo()
    storage.evict()


def test_the_quick_profile_has_what_a_reader_asks_first(machine: Machine) -> None:
    ids = {case.id for case in cases(machine, "quick")}
    assert "ssd/read/pattern=rand/block=4KiB/qd=1/pages=thp" in ids
    assert "ssd/read/pattern=seq/block=1MiB/qd=8/pages=4k" in ids
    assert "ssd/write/pattern=rand/block=4KiB/qd=16" in ids
    assert "paging/ssd-ddr/block=1MiB/qd=8/pattern=rand" in ids
    assert len(ids) <= 14
    full = {case.id for case in cases(machine, "full")}
    assert ids <= full


def test_what_is_planned_fits(machine: Machine) -> None:
    for profile, limit in (("quick", 25), ("full", 300)):
        planned = cases(machine, profile)
        assert PROFILES[profile] * sum(case.seconds for case in planned) <= limit
        assert {case.disk for case in planned} == {GIB}
        assert max(case.memory for case in planned) <= GIB


def test_what_does_not_come_from_the_disk_is_not_called_so(machine: Machine) -> None:
    tiers = {case.id: case.tier for case in cases(machine, "full")}
    memory = {case for case, tier in tiers.items() if tier is Tier.DDR}
    assert memory == {
        "ssd/cache/state=warm",
        "ssd/client/qd=1",
        "ssd/client/qd=32",
        "ssd/mmap/state=warm/pattern=rand/threads=1",
    }
    assert set(tiers.values()) == {Tier.DDR, Tier.SSD}


def test_every_bench_of_a_disk_declares_its_tail(machine: Machine) -> None:
    for bench in storage_benches():
        if bench.name in ("ssd/client", "ssd/sustained"):
            continue
        assert (Metric.LATENCY, Stat.P99) in bench.yields, bench.name
