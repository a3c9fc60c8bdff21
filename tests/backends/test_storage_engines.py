"""All storage engines transfer the requested blocks, report the times, and detect errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import BackendUnavailable, MembenchError, Skip, VerificationFailed
from membench.core.snapshot import Machine
from membench.core.units import KIB, MIB
from membench.host.memory.backend import CpuBackend
from membench.host.storage import uring_engine as storage_native_uring
from membench.host.storage.backend import StorageBackend, open_storage
from membench.host.storage.content import BLOCK
from membench.host.storage.flow import Flow, TrafficShape
from membench.host.storage.mapping import Mapping
from membench.host.storage.native_engine import NativeAio
from membench.host.storage.scratch import ScratchFile, ScratchHandle
from membench.host.storage.thread_engine import Threads
from membench.host.storage.traffic import (
    NEVER,
    Bytes,
    Engine,
    Traffic,
    TrafficRecord,
    joined,
    shuffled,
    successive,
)
from membench.host.storage.uring_engine import NativeRing
from membench.machine.disks.filesystem import read_filesystem
from membench.workloads.disk_flow import seen

SIZE = 32 * MIB
SECONDS = 0.05


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchFile]:
    place = tmp_path_factory.mktemp("scratch")
    if reason := read_filesystem(place).direct_io:
        pytest.skip(reason)
    with ScratchFile.create(place, SIZE, budget=SIZE + 100 * MIB, seed=11, rounds=2) as made:
        yield made


@pytest.fixture
def storage(machine: Machine, file: ScratchFile) -> Iterator[StorageBackend]:
    backend = open_storage(machine, file.scratch)
    yield backend
    backend.close()


def native(cpu: CpuBackend) -> Engine:
    return NativeAio(cpu)


def uring(cpu: CpuBackend) -> Engine:
    try:
        return NativeRing(cpu)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def threads(cpu: CpuBackend) -> Engine:
    return Threads()


ENGINES = [native, uring, threads]


@pytest.fixture(params=ENGINES, ids=["aio", "io_uring", "preadv"])
def engine(request: pytest.FixtureRequest, cpu: CpuBackend) -> Iterator[Engine]:
    made: Engine = request.param(cpu)
    yield made
    made.close()


def flow(storage: StorageBackend, engine: Engine, shape: TrafficShape, room: int = 0) -> Flow:
    memory = storage.memory("4k", max(room, (shape.depth + 1) * shape.block))
    fd = storage.open(direct=True, write=shape.reads < 100)
    return Flow(fd, SIZE, storage.content, memory, engine, shape)


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    ("pattern", "block", "depth"),
    [("rand", 4 * KIB, 1), ("rand", 4 * KIB, 33), ("seq", MIB, 3), ("rand", 12 * KIB, 4)],
)
def test_reads_are_counted_placed_and_verified(
    storage: StorageBackend, engine: Engine, pattern: str, block: int, depth: int
) -> None:
    reading = flow(storage, engine, TrafficShape(pattern=pattern, block=block, depth=depth))
    trace = reading.run(SECONDS)
    reading.verify()
    reading.close()
    assert trace.count >= depth
    assert not trace.wrote.any()
    assert (trace.latency > 0).all()
    assert (np.diff(trace.finished) >= 0).all()
    assert trace.begin < trace.finished[0]
    assert (trace.offset % block == 0).all()
    assert trace.offset.max() <= SIZE - block
    assert 0 < trace.busy <= 1.5
    assert (trace.submitting > 0) == isinstance(engine, NativeAio)
    assert trace.submitting <= 1
    assert (trace.landed != NEVER).any()
    # No offset occurs twice in the first part of the trace. Each thread has its own share of the
    # offsets, and threads progress at different speeds.
    shares = depth if isinstance(engine, Threads) else 2
    places = trace.offset[: SIZE // block // shares]
    assert np.unique(places).size == places.size


def test_the_memory_holds_what_the_trace_says(storage: StorageBackend, engine: Engine) -> None:
    block, slots = 64 * KIB, 64
    memory = storage.memory("4k", slots * block)
    fd = storage.open(direct=True)
    offsets = shuffled(SIZE, block, np.random.default_rng(1))
    traffic = Traffic(block, 4, offsets, seconds=1.0, most=50)
    trace = engine.run(fd, memory, traffic)
    os.close(fd)
    assert trace.count == 50
    assert sorted(trace.offset) == sorted(offsets[:50])
    landed = trace.landed[trace.landed != NEVER]
    assert sorted(landed) == sorted(offsets[:50])  # every page has a slot of its own
    for slot, offset in enumerate(trace.landed.tolist()):
        if offset != NEVER:
            piece = memory[slot * block : (slot + 1) * block].data
            assert storage.content.wrong(piece, offset) == -1


@pytest.mark.parametrize("reads", [0, 50])
def test_writes_stand_in_the_file_and_stay_within_their_number(
    storage: StorageBackend, engine: Engine, reads: int
) -> None:
    most = 40 * 8 * KIB
    shape = TrafficShape(pattern="rand", block=8 * KIB, depth=4, reads=reads, most=most)
    writing = flow(storage, engine, shape)
    trace = writing.run(5.0)
    writing.verify()
    writing.close()
    written = int(trace.wrote.sum()) * shape.block
    assert 0 < written <= most * (1 if reads == 0 else 2)
    if reads == 0:
        assert written == most
    with storage.opened(direct=True) as fd:
        page = storage.memory("4k", BLOCK)
        generations = set()
        for offset in trace.offset[trace.wrote].tolist():
            for at in (offset, offset + BLOCK):
                os.preadv(fd, [page.data], at)
                generations.add(storage.content.generation(page.data, at))
    assert len(generations) == 1
    assert generations.pop() > 0
    reading = flow(storage, engine, TrafficShape(pattern="seq", block=MIB, depth=2))
    reading.run(SECONDS)
    reading.verify()  # blocks that were written also verify
    reading.close()


def spoil(scratch: ScratchHandle, offset: int, data: bytes) -> bytes:
    """Write ``data`` into the file past the engines, and return the old bytes."""
    fd = os.open(scratch.path, os.O_RDWR)
    before = os.pread(fd, len(data), offset)
    os.pwrite(fd, data, offset)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return before


def test_a_block_of_another_place_is_noticed(storage: StorageBackend, engine: Engine) -> None:
    wrong = SIZE // 2
    stamp = spoil(storage.scratch, wrong, (4096).to_bytes(8, "little"))
    memory = storage.memory("4k", 8 * BLOCK)
    traffic = Traffic(BLOCK, 1, np.array([0, wrong, MIB], np.int64), seconds=1.0, most=3)
    try:
        with storage.opened(direct=True) as fd, pytest.raises(VerificationFailed, match=str(wrong)):
            engine.run(fd, memory, traffic)
    finally:
        spoil(storage.scratch, wrong, stamp)


def test_a_changed_byte_is_noticed(storage: StorageBackend, engine: Engine) -> None:
    places = range(BLOCK + 3000, SIZE, MIB)
    kept = [spoil(storage.scratch, at, b"?") for at in places]
    try:
        reading = flow(storage, engine, TrafficShape(pattern="rand", block=MIB, depth=2))
        reading.run(SECONDS)
        with pytest.raises(VerificationFailed, match="wrong data was read"):
            reading.verify()
        reading.close()
    finally:
        for at, byte in zip(places, kept, strict=True):
            spoil(storage.scratch, at, byte)


def test_a_write_that_was_lost_is_noticed(storage: StorageBackend, engine: Engine) -> None:
    shape = TrafficShape(pattern="rand", block=BLOCK, depth=2, reads=0, most=64 * BLOCK)
    writing = flow(storage, engine, shape)
    trace = writing.run(5.0)
    clean = bytearray(BLOCK)
    for offset in trace.offset.tolist():
        storage.content.fill(memoryview(clean), offset)
        spoil(storage.scratch, offset, bytes(clean))  # as if the write had been lost
    with pytest.raises(VerificationFailed, match="differ from the written data"):
        writing.verify()
    writing.close()


def test_a_read_past_the_end_is_an_error(storage: StorageBackend, engine: Engine) -> None:
    memory = storage.memory("4k", 4 * 2 * BLOCK)
    last = np.array([SIZE - BLOCK], np.int64)
    traffic = Traffic(2 * BLOCK, 1, last, seconds=1.0, most=1)
    with storage.opened(direct=True) as fd, pytest.raises(MembenchError, match="4096 bytes inst"):
        engine.run(fd, memory, traffic)


def test_a_refused_call_is_an_error(storage: StorageBackend, engine: Engine) -> None:
    memory = storage.memory("4k", 4 * BLOCK)
    reading = Traffic(BLOCK, 1, np.array([0], np.int64), seconds=1.0, most=1)
    writing = replace(reading, writes=np.array([True]))
    with storage.opened(direct=True) as fd:  # the descriptor is read-only
        with pytest.raises(MembenchError, match="failed") as caught:
            engine.run(fd, memory, writing)
        assert "\n" not in str(caught.value)
        storage.content.fill(memory.data, 0)
        assert engine.run(fd, memory, reading).count == 1  # and the engine still works


def test_memory_without_a_spare_block_is_refused_instead_of_waited_for(
    storage: StorageBackend, cpu: CpuBackend
) -> None:
    traffic = Traffic(4 * KIB, 4, successive(SIZE, 4 * KIB, np.random.default_rng(1)), SECONDS)
    with storage.opened(direct=True) as fd, pytest.raises(ValueError, match="at least 5 blocks"):
        NativeAio(cpu).run(fd, storage.memory("4k", 16 * KIB), traffic)


def test_where_memory_cannot_be_locked_the_ring_goes_without(
    storage: StorageBackend, cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = uring(cpu)
    assert isinstance(ring, NativeRing)
    reading = flow(storage, ring, TrafficShape(pattern="rand", block=BLOCK, depth=3))
    registered = reading.run(SECONDS)
    reading.verify()
    monkeypatch.setattr(NativeRing, "_register", lambda *_: False)
    plain = reading.run(SECONDS)
    reading.verify()
    reading.close()
    assert registered.registered
    assert not plain.registered
    assert plain.count >= 3
    ring.close()
    ring.close()


@pytest.mark.parametrize("make", [NativeAio, NativeRing])
def test_several_loops_share_the_work(
    storage: StorageBackend, cpu: CpuBackend, make: type[NativeAio]
) -> None:
    if len(cpu.cpus) < 2:
        pytest.skip("needs 2 CPUs")
    engine = make(cpu)
    offsets = shuffled(SIZE, BLOCK, np.random.default_rng(2))
    with storage.opened(direct=True) as fd:
        memory = storage.memory("4k", 10 * BLOCK)
        trace = engine._run(fd, memory, Traffic(BLOCK, 5, offsets, SECONDS), 2)
    engine.close()
    assert trace.loops == 2
    assert trace.depth == 5
    assert trace.landed.size == 10
    assert (np.diff(trace.finished) >= 0).all()
    half = trace.offset[: SIZE // BLOCK // 4]
    assert np.unique(half).size == half.size


def test_a_kernel_or_a_container_without_io_uring_is_said(
    cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    monkeypatch.setattr(storage_native_uring, "_SETUP", 9999)
    with pytest.raises(
        BackendUnavailable, match="kernel refuses io_uring: Function not implemented"
    ):
        NativeRing(cpu)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_without_io_uring_native_aio_does_it_and_without_that_threads(
    machine: Machine, file: ScratchFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeRing, "_ring", refuse)
    backend = open_storage(machine, file.scratch)
    assert backend.engine.name == "aio"
    backend.close()
    monkeypatch.setattr(NativeAio, "_context", refuse)
    backend = open_storage(machine, file.scratch)
    assert backend.engine.name == "preadv"
    backend.close()


def test_the_disk_uses_the_memory_of_another_backend(
    machine: Machine, cpu: CpuBackend, file: ScratchFile
) -> None:
    backend = open_storage(machine, file.scratch, cpu)
    memory = backend.memory("thp", MIB)
    assert memory.ctypes.data == cpu.arrays("thp", [MIB])[0].ctypes.data
    backend.close()
    assert cpu.each(1, lambda thread: thread) == [0]  # the threads still run
    memory[:] = 1  # the memory still exists


def refuse(*_: object) -> int:
    raise BackendUnavailable("io_setup is refused")


def test_without_a_compiler_threads_do_it(
    machine: Machine, file: ScratchFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    backend = open_storage(machine, file.scratch)
    assert backend.engine.name == "preadv"
    backend.close()


def test_the_backend_says_what_it_is(storage: StorageBackend) -> None:
    device = storage.describe()
    assert device.backend == "storage"
    assert device.name.startswith(storage.scratch.kind)
    assert storage.engine.name in ("io_uring", "aio")
    assert len(storage.kernel_digest) == 64
    assert storage.evict() == 0
    with storage.opened(direct=False) as fd:
        # The kernel may evict a page at any time, but not every time.
        assert any(os.pread(fd, SIZE, 0) and storage.resident() == 1 for _ in range(20))
    assert storage.evict() == 0


def test_what_does_not_fit_is_skipped(storage: StorageBackend) -> None:
    with pytest.raises(
        Skip, match=r"needs a scratch file of 64\.0 MiB, but the scratch file has 32\.0 MiB"
    ):
        storage.flow(TrafficShape(pattern="seq", block=4 * MIB, depth=8))


def test_the_budget_is_for_all_rounds(storage: StorageBackend) -> None:
    storage.claim("one", 30 * MIB)
    storage.claim("one", 30 * MIB)
    with pytest.raises(
        Skip, match=r"60\.0 MiB in 2 rounds, but the run may write only 40\.0 MiB more: "
    ):
        storage.claim("two", 30 * MIB)


@pytest.mark.parametrize(
    ("reads", "most", "count"),
    [(0, 8 * KIB, 2), (50, 8 * KIB, 4), (0, KIB, 1), (0, 0, 0), (100, KIB, 0)],
)
def test_a_limit_below_one_block_allows_one_block(
    storage: StorageBackend, reads: int, most: int, count: int
) -> None:
    class Asked(Threads):
        def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
            asked.append(traffic.most)
            return super().run(fd, memory, replace(traffic, most=1))

    asked: list[int] = []
    shape = TrafficShape(pattern="rand", block=4 * KIB, depth=1, reads=reads, most=most)
    limited = flow(storage, Asked(), shape)
    limited.run(SECONDS)
    limited.close()
    assert asked == [count]


def test_a_scratch_file_that_is_gone_is_said(machine: Machine, tmp_path: Path) -> None:
    gone = ScratchHandle(str(tmp_path / "gone"), SIZE, 0, 1, 1, str(tmp_path / "ledger"))
    with pytest.raises(BackendUnavailable, match="cannot be opened"):
        open_storage(machine, gone)


def test_mapped_pages_fault_when_they_are_cold(storage: StorageBackend) -> None:
    mapping = Mapping(storage.cpu, storage.open(direct=False), SIZE, "rand")
    assert mapping.evict() == 0
    trace = mapping.touch(shuffled(SIZE, BLOCK, np.random.default_rng(1))[:100], 1, 5.0)
    assert trace.count == 100
    assert mapping.faults[0] >= 90
    assert mapping.warm() == 1
    mapping.touch(np.arange(0, SIZE, 64 * KIB, dtype=np.int64), 1, 5.0)
    assert mapping.faults[0] <= 10
    assert mapping.faults[1] >= 0.9 * SIZE / (64 * KIB)
    mapping.close()
    mapping.close()
    assert storage.resident() == 0


def test_threads_without_a_page_leave_no_trace(storage: StorageBackend) -> None:
    if len(storage.cpu.cpus) < 2:
        pytest.skip("needs two threads")
    mapping = Mapping(storage.cpu, storage.open(direct=False), SIZE, "rand")
    trace = mapping.touch(np.array([MIB], np.int64), 2, 5.0)
    mapping.close()
    assert (trace.count, trace.loops, trace.offset.tolist()) == (1, 1, [MIB])


def test_a_mapped_page_of_another_place_is_noticed(storage: StorageBackend) -> None:
    stamp = spoil(storage.scratch, MIB, (4096).to_bytes(8, "little"))
    mapping = Mapping(storage.cpu, storage.open(direct=False), SIZE, "seq")
    try:
        with pytest.raises(VerificationFailed, match="wrong content"):
            mapping.touch(np.array([0, MIB], np.int64), 1, 5.0)
    finally:
        mapping.close()
        spoil(storage.scratch, MIB, stamp)


@given(
    blocks=st.integers(1, 500),
    block=st.sampled_from([4096, 12288, 1 << 20]),
    seed=st.integers(0, 9),
)
def test_places_are_all_whole_blocks_each_once(blocks: int, block: int, seed: int) -> None:
    for choose in (shuffled, successive):
        offsets = choose(blocks * block + block // 2, block, np.random.default_rng(seed))
        assert sorted(offsets) == [n * block for n in range(blocks)]
    steps = np.diff(successive(blocks * block, block, np.random.default_rng(seed)))
    assert np.isin(steps, [block, block - blocks * block]).all()


def trace_of(finished: list[int], depth: int, deadline: int) -> TrafficRecord:
    stamps = np.array(finished, np.int64)
    ones = np.ones_like(stamps)
    return TrafficRecord(
        latency=ones,
        finished=stamps,
        offset=ones,
        wrote=ones < 0,
        begin=0,
        deadline=deadline,
        busy=0.0,
        loops=1,
        depth=depth,
        landed=ones,
    )


@given(
    gaps=st.lists(st.integers(1, 10**6), min_size=1, max_size=2000),
    depth=st.integers(1, 64),
)
def test_rates_weighed_by_their_time_give_the_whole(gaps: list[int], depth: int) -> None:
    finished = np.cumsum(gaps).tolist()
    rates = trace_of(finished, depth, finished[-1]).rates()
    assert all(rate > 0 for rate in rates)
    whole = len(gaps) / finished[-1] * 1e9
    assert min(rates) <= whole * (1 + 1e-9)
    assert max(rates) >= whole * (1 - 1e-9)


def test_bursts_do_not_look_like_speed() -> None:
    """A disk that completes 32 requests every 10 ms has a rate of 3200 per second."""
    finished = [10_000_000 * burst + n for burst in range(1, 41) for n in range(32)]
    rates = trace_of(finished, 32, finished[-1]).rates()
    assert len(rates) > 1
    assert max(abs(rate / 3200 - 1) for rate in rates) < 0.01


def test_what_comes_after_the_deadline_does_not_count() -> None:
    finished = [*range(1000, 101_000, 1000), 500_000, 900_000]
    assert trace_of(finished, 1, 100_000).rates() == pytest.approx([1e6] * 12, rel=1e-6)
    assert trace_of([900_000], 1, 100_000).rates() == pytest.approx([1e9 / 900_000])


@pytest.mark.parametrize(
    ("depth", "submitting", "busy", "queued", "blocked"),
    [
        # Values measured on btrfs with buffered writes: 1.00, 0.06 and 0.33.
        (16, 1.0, 0.15, 0.0, True),
        (1, 1.0, 0.1, 0.0, False),  # depth 1: no other request can be in flight
        (16, 0.49, 0.0, 0.0, False),
        (16, 0.95, 0.95, 0.0, False),  # the client limits the rate
        (16, 0.8, 0.16, 0.7, False),  # the thread waited for a CPU
    ],
)
def test_submission_that_waits_for_the_disk_is_told_from_one_that_works_or_queues(
    depth: int, submitting: float, busy: float, queued: float, blocked: bool
) -> None:
    trace = replace(
        trace_of([1], depth, 1), submitting=submitting, busy=busy, queued=queued, depth=depth
    )
    assert trace.blocked == blocked
    assert ("submission" in seen(trace)) == blocked


def test_joined_traces_are_in_order() -> None:
    one, two = trace_of([1, 5, 9], 1, 9), trace_of([2, 3, 10], 2, 9)
    both = joined([one, two])
    assert both.finished.tolist() == [1, 2, 3, 5, 9, 10]
    assert (both.loops, both.depth, both.count) == (2, 3, 6)
