"""The host side of a page pipeline, on a real file, with a double of the copies to a GPU."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import MembenchError
from membench.host.storage.pager import Nowhere, Pager, copying

PAGE = 4096
PAGES = 64


class Copier:
    """Copies slots in order on a thread of its own, like a copy engine."""

    def __init__(self, slots: memoryview, places: int, delay: float = 0.0) -> None:
        self.pool = bytearray(places * PAGE)
        self.places = places
        self.delay = delay
        self.fail_at = -1
        self.going: set[int] = set()
        self.most = 0
        self.count = 0
        self._slots = slots
        self._jobs: list[tuple[int, int]] = []
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def begin(self, slot: int, place: int) -> None:
        if self.count == self.fail_at:
            raise MembenchError("the copy cannot be started")
        self.count += 1
        with self._wake:
            assert slot not in self.going, "a slot is copied twice at once"
            self.going.add(slot)
            self.most = max(self.most, len(self.going))
            self._jobs.append((slot, place))
            self._wake.notify_all()

    def done(self, slot: int) -> bool:
        return slot not in self.going

    def wait(self, slot: int) -> None:
        with self._wake:
            self._wake.wait_for(lambda: slot not in self.going)

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._jobs))
                slot, place = self._jobs.pop(0)
            time.sleep(self.delay)
            page = self._slots[slot * PAGE : (slot + 1) * PAGE]
            with self._wake:
                self.pool[place * PAGE : (place + 1) * PAGE] = page
                self.going.discard(slot)
                self._wake.notify_all()


class Disk:
    """A scratch file in which each page contains its own number."""

    def __init__(self, path: Path, slots: int) -> None:
        content = np.repeat(np.arange(PAGES, dtype=np.uint32), PAGE // 4)
        path.write_bytes(content.tobytes())
        self.fd = os.open(path, os.O_RDONLY)
        self.memory = memoryview(mmap.mmap(-1, slots * PAGE))
        self.reads = 0
        self.before: Callable[[int, int], None] = lambda slot, offset: None

    def read(self, slot: int, offset: int) -> None:
        self.reads += 1
        self.before(slot, offset)
        got = os.preadv(self.fd, [self.memory[slot * PAGE : (slot + 1) * PAGE]], offset)
        if got != PAGE:
            raise MembenchError(f"a read of {PAGE} bytes moved {got}")


OFFSETS = np.arange(PAGES, dtype=np.int64) * PAGE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "scratch", 8)
    yield made
    os.close(made.fd)


def test_every_page_lands_at_its_place(disk: Disk) -> None:
    copier = Copier(disk.memory, 32)
    trace = Pager(disk.read, copier, readers=4, slots=8).run(OFFSETS[::-1], 0.0, least=100)
    assert trace.count >= 100
    assert copier.count == trace.count == disk.reads
    found = np.frombuffer(copier.pool, np.uint32).reshape(32, -1)
    assert (found == (trace.landed // PAGE)[:, None]).all()
    # The pages of the file come in turn, and start again after the last page.
    counts = np.bincount(trace.offset // PAGE, minlength=PAGES)
    assert counts.max() - counts.min() <= 1
    assert (trace.latency > 0).all()
    assert (np.diff(trace.finished) >= 0).all()
    assert trace.depth == trace.loops == 4


@settings(max_examples=examples(20), deadline=None)
@given(
    readers=st.integers(1, 5),
    spare=st.integers(0, 5),
    places=st.integers(1, 20),
    least=st.integers(1, 90),
)
def test_nothing_is_lost_or_moved_twice(
    tmp_path_factory: pytest.TempPathFactory, readers: int, spare: int, places: int, least: int
) -> None:
    slots = readers + spare
    disk = Disk(tmp_path_factory.mktemp("pages") / "scratch", slots)
    copier = Copier(disk.memory, places)
    trace = Pager(disk.read, copier, readers=readers, slots=slots).run(OFFSETS, 0.0, least=least)
    os.close(disk.fd)
    assert trace.count == least
    assert sorted(trace.offset) == sorted(OFFSETS[n % PAGES] for n in range(least))
    landed = trace.landed[trace.landed >= 0]
    assert landed.size == min(places, least)
    found = np.frombuffer(copier.pool, np.uint32).reshape(places, -1)
    for place in range(min(places, least)):
        assert set(found[place]) == {trace.landed[place] // PAGE}
    assert not copier.going


def test_reading_and_copying_overlap(disk: Disk) -> None:
    both = threading.Event()

    def during(slot: int, offset: int) -> None:
        if copier.going:
            both.set()
        time.sleep(0.001)

    disk.before = during
    copier = Copier(disk.memory, 8, delay=0.001)
    Pager(disk.read, copier, readers=2, slots=4).run(OFFSETS, 0.0, least=40)
    assert both.is_set()
    assert copier.most <= 4


def test_one_slot_for_one_reader_never_overlaps(disk: Disk) -> None:
    def during(slot: int, offset: int) -> None:
        assert not copier.going

    disk.before = during
    copier = Copier(disk.memory, 8)
    trace = Pager(disk.read, copier, readers=1, slots=1).run(OFFSETS, 0.0, least=10)
    assert trace.count == 10


def test_a_failing_read_stops_everything_and_is_told(disk: Disk) -> None:
    def fail(slot: int, offset: int) -> None:
        if offset == 20 * PAGE:
            raise OSError(5, "Input/output error")

    disk.before = fail
    copier = Copier(disk.memory, 8, delay=0.0005)
    before = threading.active_count()
    with pytest.raises(OSError, match="Input/output error"):
        Pager(disk.read, copier, readers=3, slots=6).run(OFFSETS, 60.0)
    assert threading.active_count() == before
    assert not copier.going  # no copy reads a slot any more
    assert disk.reads < PAGES


def test_a_failing_copy_stops_the_readers_and_waits_for_the_others(disk: Disk) -> None:
    copier = Copier(disk.memory, 8, delay=0.002)
    copier.fail_at = 5
    before = threading.active_count()
    with pytest.raises(MembenchError, match="cannot be started"):
        Pager(disk.read, copier, readers=3, slots=6).run(OFFSETS, 60.0)
    assert threading.active_count() == before
    assert not copier.going


def test_a_short_read_is_an_error(disk: Disk) -> None:
    beyond = np.array([PAGES * PAGE - 512], np.int64)
    with pytest.raises(MembenchError, match="moved 512"):
        Pager(disk.read, Nowhere(), readers=1, slots=1).run(beyond, 0.0)


def test_cancelling_keeps_what_has_arrived(disk: Disk) -> None:
    copier = Copier(disk.memory, 8)
    pager = Pager(disk.read, copier, readers=2, slots=4)

    def cancel(slot: int, offset: int) -> None:
        if disk.reads == 12:
            pager.cancel()

    disk.before = cancel
    trace = pager.run(OFFSETS, 60.0)
    assert 12 <= trace.count <= 14  # started pages are finished
    assert not copier.going
    disk.before = lambda slot, offset: None
    assert pager.run(OFFSETS, 0.0, least=5).count == 5  # the pager can run again


def test_an_interrupt_in_the_caller_joins_the_readers(disk: Disk) -> None:
    copier = Copier(disk.memory, 8)

    def interrupted(slot: int) -> bool:
        raise KeyboardInterrupt

    copier.done = interrupted  # type: ignore[method-assign]
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        Pager(disk.read, copier, readers=2, slots=4).run(OFFSETS, 60.0)
    assert threading.active_count() == before


def test_a_pace_holds_the_readers_back(disk: Disk) -> None:
    trace = Pager(disk.read, Nowhere(), readers=4, slots=8).run(OFFSETS, 0.1, pace=200)
    assert trace.count <= 21  # one page at once, then one page every 5 ms
    assert (trace.landed >= -1).all()


def test_without_a_sink_pages_stay_in_their_slots(disk: Disk) -> None:
    trace = Pager(disk.read, Nowhere(), readers=2, slots=8).run(OFFSETS, 0.0, least=30)
    assert trace.landed.size == 8
    for slot in range(8):
        if trace.landed[slot] >= 0:
            page = np.frombuffer(disk.memory[slot * PAGE : (slot + 1) * PAGE], np.uint32)
            assert set(page) == {trace.landed[slot] // PAGE}


def test_the_copies_alone_use_every_slot(disk: Disk) -> None:
    copier = Copier(disk.memory, 8, delay=0.0002)
    assert copying(copier, range(4), 0.01) > 0
    assert copier.most == 4
    assert not copier.going


@pytest.mark.parametrize(("readers", "slots"), [(0, 4), (3, 2)])
def test_too_few_slots_are_refused(readers: int, slots: int) -> None:
    with pytest.raises(ValueError, match="but must be from 1 to the number of slots"):
        Pager(lambda slot, offset: None, Nowhere(), readers=readers, slots=slots)
