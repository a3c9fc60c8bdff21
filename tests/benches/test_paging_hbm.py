"""paging/ssd-hbm and hmm/read from a real scratch file to an emulated GPU, without times."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from axis_values import Trial, outcome
from emulator import EmulatedGpu, small
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.benches import registry
from membench.benches.disk import paging_hbm
from membench.core.axes import OMITTED, Value
from membench.core.errors import MembenchError, Skip, VerificationFailed
from membench.core.snapshot import Machine
from membench.core.terms import BytesConvention, CacheState, Metric, Stat
from membench.core.units import KIB, MIB
from membench.core.work import Timed
from membench.host.storage.backend import open_storage
from membench.host.storage.scratch import ScratchFile
from membench.machine.disks.filesystem import read_filesystem
from membench.workloads import attention as gpu_attention
from membench.workloads import decode_step, page_pipeline
from membench.workloads import gpu_disk as cuda_storage
from membench.workloads.gpu_disk import CudaStorage, PoolSink
from membench.workloads.model_shapes import MODELS, ModelShard

BENCHES = registry().benches
SIZE = 16 * MIB
RATE = (Metric.RATE, Stat.MEDIAN)
BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)
P99 = (Metric.LATENCY, Stat.P99)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchFile]:
    place = tmp_path_factory.mktemp("scratch")
    if reason := read_filesystem(place).direct_io:
        pytest.skip(reason)
    with ScratchFile.create(place, SIZE, budget=SIZE + 100 * MIB, seed=23, rounds=1) as made:
        yield made


@pytest.fixture
def both(
    machine: Machine, file: ScratchFile, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CudaStorage]:
    monkeypatch.setattr(paging_hbm, "POOL", 2 * MIB)
    monkeypatch.setattr(paging_hbm, "PIPE_S", 0.02)
    monkeypatch.setattr(paging_hbm, "LEG_S", 0.01)
    gpu = EmulatedGpu(small(1, pageable_access=True))
    # O_DIRECT needs page-aligned memory, as page-locked memory is. The emulator's memory is not
    # aligned.
    aligned = gpu.links.memory

    def memory(size: int, kind: str, node: int | None = None) -> Any:
        made = aligned(size + 4096, kind, node)
        shift = -int(made.array.ctypes.data) % 4096
        return replace(
            made, address=made.address + shift, size=size, array=made.array[shift:][:size]
        )

    monkeypatch.setattr(gpu.links, "memory", memory)
    backend = CudaStorage(gpu, open_storage(machine, file.scratch))
    yield backend
    backend.close()


def paged(both: CudaStorage, **others: Value) -> tuple[Any, Any]:
    params: dict[str, Value] = {"block": 64 * KIB, "qd": 4, "path": "bounce", **others}
    work: Any = BENCHES["paging/ssd-hbm"].build(both, params)
    return work, work.observe(0.02)


@pytest.mark.parametrize("path", ["bounce", "mmap"])
def test_pages_come_to_the_gpu_and_are_those_of_the_file(both: CudaStorage, path: str) -> None:
    work, observation = paged(both, path=path)
    work.verify()
    work.close()
    detail = {**work.detail, **observation.detail}
    assert detail["engine"] == {"bounce": "preadv", "mmap": "mmap"}[path]
    assert detail["slots"] == 8
    assert observation.samples[RATE]
    assert len(observation.samples[P99]) >= 8
    assert detail["overlap"] > 0
    slower = min(detail["read_gbs"], detail["copy_gbs"])
    median = np.sort(observation.samples[BANDWIDTH])[len(observation.samples[BANDWIDTH]) // 2]
    assert detail["overlap"] == pytest.approx(median / slower, rel=0.05)
    assert work.bytes_convention is BytesConvention.PAYLOAD
    assert work.cache_state is CacheState.COLD


def test_a_page_that_is_not_the_one_asked_for_is_found(
    both: CudaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = PoolSink.begin

    def crooked(self: PoolSink, slot: int, place: int) -> None:
        honest(self, (slot + 1) % 8, place)
        self._going[slot] = self._going[(slot + 1) % 8]

    monkeypatch.setattr(cuda_storage.PoolSink, "begin", crooked)
    work, _ = paged(both)
    with pytest.raises(VerificationFailed, match="is wrong in GPU memory"):
        work.verify()
    work.close()


def test_nothing_that_arrived_is_no_result(both: CudaStorage) -> None:
    work: Any = BENCHES["paging/ssd-hbm"].build(
        both, {"block": 64 * KIB, "qd": 1, "path": "bounce"}
    )
    with pytest.raises(VerificationFailed, match="no page arrived"):
        work.verify()
    work.close()


def test_without_kvikio_gds_is_a_skip_with_the_remedy(
    both: CudaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kvikio", None)
    with pytest.raises(Skip, match="needs KvikIO: kvikio-cu13"):
        paged(both, path="gds")


_Settings: dict[str, bool] = {}
"""KvikIO's settings.

KvikIO reads `auto_direct_io_read` when a file is opened; the default is off.
"""


class _File:
    """A double of KvikIO's file that reads into the emulated GPU's memory.

    The double works in compatibility mode: reads go through the page cache by default.
    """

    def __init__(self, path: str, flags: str) -> None:
        import os

        assert flags == "r"
        direct = os.O_DIRECT if _Settings.get("auto_direct_io_read") else 0
        self._file = os.open(path, os.O_RDONLY | direct)

    def read(self, place: Any, size: int, offset: int) -> int:
        import ctypes
        import mmap
        import os

        described = place.__cuda_array_interface__
        assert described["shape"] == (size,)
        bounce = mmap.mmap(-1, size)
        assert os.preadv(self._file, [bounce], offset) == size
        ctypes.memmove(described["data"][0], bounce[:], size)
        return size

    def close(self) -> None:
        import os

        os.close(self._file)


def test_gds_reads_straight_into_the_pool(
    both: CudaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kvikio, defaults = ModuleType("kvikio"), ModuleType("kvikio.defaults")
    defaults.is_compat_mode_preferred = lambda: True  # type: ignore[attr-defined]
    defaults.set = _Settings.update  # type: ignore[attr-defined]
    _Settings.clear()
    kvikio.CuFile = _File  # type: ignore[attr-defined]
    kvikio.defaults = defaults  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kvikio", kvikio)
    monkeypatch.setitem(sys.modules, "kvikio.defaults", defaults)
    gpu: Any = both.gpu
    allocated = []
    honest = gpu.allocate

    def allocate(size: int) -> Any:
        made = honest(size)
        made.array[:] = 0
        gpu.machine.memory.mark(made.address, made.size)
        # The host view of the memory, because the reader bypasses the emulator.
        allocated.append(made)
        return replace(made, address=int(made.array.ctypes.data))

    monkeypatch.setattr(gpu, "allocate", allocate)
    monkeypatch.setattr(
        page_pipeline,
        "landed_pages",
        lambda _gpu, _pool, block, places: [
            allocated[0].array[place * block : (place + 1) * block].copy() for place in places
        ],
    )
    work, observation = paged(both, path="gds")
    work.verify()
    assert work.detail["mode"] == "compat"
    assert observation.detail["resident"] == "0.0%"
    assert "overlap" not in observation.detail  # one transfer per page, so nothing overlaps
    assert observation.samples[RATE]
    monkeypatch.setattr(_File, "read", lambda *_: 5)
    with pytest.raises(MembenchError, match="returned 5"):
        work.observe(0.01)
    work.close()


# Tests of paging while decode steps run.


@pytest.fixture
def victim(both: CudaStorage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Install an empty decode step, and return a list whose first element counts its runs."""
    steps = [0]
    # Paging uses a second thread, but the emulator supports only one thread.
    monkeypatch.setattr(both.gpu, "synchronize", lambda: None)

    def run(iterations: int) -> None:
        steps[0] += iterations

    work = Timed(run=run, size_bytes=1, metric=Metric.LATENCY, operations=1, verify=steps.append)
    monkeypatch.setattr(paging_hbm, "usual_attention", lambda _gpu: work)
    return steps


def test_the_page_rate_beside_decoding_keeps_to_its_slowdown(
    both: CudaStorage, victim: list[int]
) -> None:
    work: Any = BENCHES["paging/decode"].build(both, {"block": 64 * KIB, "slowdown": 10**6})
    observation = work.observe(0.1)
    work.verify()
    work.close()
    assert observation.detail["share"] == 1.0
    assert observation.samples[RATE]
    assert observation.samples[Metric.LATENCY, Stat.MEDIAN]
    assert victim[-1] == victim[0]  # verify got the number of steps


def test_a_slowdown_that_cannot_be_kept_is_a_skip(both: CudaStorage, victim: list[int]) -> None:
    work: Any = BENCHES["paging/decode"].build(both, {"block": 64 * KIB, "slowdown": -(10**6)})
    with pytest.raises(Skip, match="even 6% of the maximum page rate slows decode/attn"):
        work.observe(0.1)
    work.close()


class _InTurn:
    """A proxy that lets only one thread at a time call a method.

    The emulator supports one thread.
    """

    def __init__(self, inner: Any, lock: Any) -> None:
        self._inner, self._lock = inner, lock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return found(*args, **kwargs)

        return in_turn


def test_a_true_decode_step_and_pages_share_the_gpu(
    both: CudaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "tiny", ModelShard(1, 256, 4, 1, 128, 64))
    monkeypatch.setattr(decode_step, "MODEL", "tiny")
    monkeypatch.setattr(decode_step, "CONTEXT", 128)
    monkeypatch.setattr(decode_step, "TOKENS", 128)
    monkeypatch.setattr(gpu_attention, "POOL_BYTES", 1 << 17)
    monkeypatch.setattr(paging_hbm, "STEPS", 3)
    lock = threading.RLock()
    gpu: Any = _InTurn(both.gpu, lock)
    gpu.links = _InTurn(both.gpu.links, lock)
    beside = CudaStorage(gpu, both.storage)
    work: Any = BENCHES["paging/decode"].build(beside, {"block": 64 * KIB, "slowdown": 10**6})
    observation = work.observe(0.1)
    work.verify()  # verifies the pages and the result of the attention
    work.close()
    assert observation.samples[RATE]
    assert observation.detail["alone_ns"] > 0
    assert both.gpu.counts["attention_read"].loaded > 0  # type: ignore[attr-defined]


# Tests of a kernel that reads the system's memory.


@pytest.mark.parametrize(
    ("source", "cache"), [("malloc", OMITTED), ("file", "hot"), ("file", "cold")]
)
def test_a_kernel_reads_the_system_s_memory_whole(
    both: CudaStorage, source: str, cache: str
) -> None:
    params: dict[str, Value] = {"size": 64 * KIB, "source": source, "cache": cache}
    work: Any = BENCHES["hmm/read"].build(both, params)
    # The emulator has only a copy of the file, because the real mapping was evicted.
    if source == "file":
        both.evict_mapped = lambda mapped: both.storage.evict(mapped.size)  # type: ignore[method-assign]
    observation = work.observe(0.1)
    work.verify()
    assert observation.detail["access"] == "hmm"
    assert len(observation.samples[P99]) == 5
    assert ("resident" in observation.detail) == (cache == "cold")
    gpu: Any = both.gpu
    grid = next(ran.grid for ran in gpu.ran if ran.entry == "stream_read")
    assert gpu.counts["stream_read"].loaded == 6 * (64 * KIB + 4 * grid)
    work.observe(0.1)
    work.verify()


def test_a_wrong_read_is_found(both: CudaStorage) -> None:
    work: Any = BENCHES["hmm/read"].build(
        both, {"size": 64 * KIB, "source": "malloc", "cache": OMITTED}
    )
    work.observe(0.1)
    gpu: Any = both.gpu
    sums = min(gpu._given, key=lambda one: one.size)  # the smallest buffer has the sums
    gpu.upload(sums, gpu.download(sums, np.uint32, 1) + np.uint32(1))
    with pytest.raises(VerificationFailed, match="the sum of the words over 6 reads"):
        work.verify()


def test_neither_hmm_nor_ats_is_a_skip(both: CudaStorage) -> None:
    without = CudaStorage(EmulatedGpu(small(1)), both.storage)
    with pytest.raises(Skip, match="neither HMM nor ATS"):
        BENCHES["hmm/read"].build(without, {"size": KIB, "source": "malloc", "cache": OMITTED})


@pytest.mark.parametrize(
    ("source", "cache", "size", "reason"),
    [
        ("malloc", "cold", 64 * KIB, "source=malloc has no axis cache"),
        ("file", OMITTED, 64 * KIB, "needs cache=hot or cache=cold"),
        ("file", "hot", 2 * SIZE, "larger than the scratch file"),
    ],
)
def test_system_memory_that_a_kernel_cannot_read_is_a_skip(
    both: CudaStorage, source: str, cache: str, size: int, reason: str
) -> None:
    with pytest.raises(Skip, match=reason):
        BENCHES["hmm/read"].build(both, {"size": size, "source": source, "cache": cache})


def test_a_mapping_is_unmapped_and_evicted(both: CudaStorage) -> None:
    import mmap

    both.warm(SIZE)
    with both.storage.opened(direct=False) as fd:
        mapped = np.frombuffer(mmap.mmap(fd, SIZE, prot=mmap.PROT_READ), np.uint8)
    assert int(mapped[::4096].sum()) >= 0  # every page is mapped
    assert both.storage.resident() == 1
    assert both.evict_mapped(mapped) == 0
    assert both.storage.resident() == 0


def test_a_run_without_a_scratch_file_skips_what_needs_one() -> None:
    without = CudaStorage(EmulatedGpu(small(1)), None)
    with pytest.raises(Skip, match="no scratch file"):
        BENCHES["paging/ssd-hbm"].build(without, {"block": KIB, "qd": 1, "path": "bounce"})
    without.close()


# Tests of values that a user may choose.

TRIALS = {
    "paging/ssd-hbm": Trial(
        {"qd": 2}, {"block": 256 * KIB, "qd": 20}, {"path": ("bounce", "mmap")}
    ),
    "hmm/read": Trial(most={"size": 64 * KIB}),
    "paging/decode": Trial({"slowdown": 10**6}, {"block": 256 * KIB}),
}
NAMES = sorted(name for name, bench in BENCHES.items() if bench.backend == "cuda-storage")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_any_combination_of_values_runs_or_is_skipped(
    both: CudaStorage, machine: Machine, request: pytest.FixtureRequest, name: str
) -> None:
    if name == "paging/decode":
        request.getfixturevalue("victim")
    both.evict_mapped = lambda mapped: both.storage.evict(mapped.size)  # type: ignore[method-assign]
    bench, trial = BENCHES[name], TRIALS.get(name, Trial())
    reasons = [outcome(bench, both, trial.usual(bench, machine), machine)]
    choices = {axis.name: trial.choices(axis, machine) for axis in bench.axes}

    @settings(max_examples=examples(20))
    @given(st.fixed_dictionaries({key: st.sampled_from(of) for key, of in choices.items()}))
    def every(params: dict[str, Value]) -> None:
        reasons.append(outcome(bench, both, params, machine))

    every()
    assert reasons[0] is None
    assert "" not in reasons
