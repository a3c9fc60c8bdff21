"""The host side of a page pipeline: readers fill slots while copies empty other slots.

    free slots -> reader threads -> filled slots -> copies in flight -> free slots

A slot has room for one page. Each reader thread reads the next page into a free slot. The calling
thread starts the copy of every filled slot immediately, and frees the slot when the copy is done.
With two slots per reader, reads and copies can overlap (double buffering).

After an error, the pipeline starts no further page. It waits for the copies in flight, because the
device still reads their slots. Then it raises the first error.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from membench.host.storage.quick_switches import quick_switches
from membench.host.storage.traffic import Longs, TrafficRecord

POLL_S = 0.0002
"""Maximum seconds to wait for a filled slot while copies are in flight."""


class Sink(Protocol):
    """The destination of filled slots.

    Only one thread calls the sink, and copies complete in order.

    Attributes:
        places: number of destinations for copied pages. Successive copies go to destinations 0, 1,
            2, ... and then again from 0 on. The number is 0 if pages stay in their slots.
    """

    @property
    def places(self) -> int: ...

    def begin(self, slot: int, place: int) -> None:
        """Start to copy ``slot`` to destination number ``place``, and return without waiting."""
        ...

    def done(self, slot: int) -> bool: ...

    def wait(self, slot: int) -> None: ...


class Nowhere:
    """A sink that copies nothing, to measure only the reads."""

    places = 0

    def begin(self, slot: int, place: int) -> None:
        pass

    def done(self, slot: int) -> bool:
        return True

    def wait(self, slot: int) -> None:
        pass


@dataclass(frozen=True)
class _Filled:
    """A page in a slot. ``begun`` is the time in ns at which the read of the page began."""

    slot: int
    offset: int
    begun: int


class Pager:
    """A pipeline for pages; the pipeline can run several times.

    Args:
        read: function ``(slot, offset)`` that reads the page at ``offset`` of the file into
            ``slot``. Several threads call this function at once.
        slots: number of slots, at least ``readers``.
    """

    def __init__(
        self,
        read: Callable[[int, int], None],
        sink: Sink,
        *,
        readers: int,
        slots: int,
    ) -> None:
        if not 1 <= readers <= slots:
            raise ValueError(
                f"the number of readers is {readers}, but must be from 1 to the number of slots, "
                f"{slots}"
            )
        self.read = read
        self.sink = sink
        self.readers = readers
        self.slots = slots
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """Start no further page. `run` then returns when the started pages have arrived.

        Any thread may call this method.
        """
        self.cancelled.set()

    def run(
        self, offsets: Longs, seconds: float, *, pace: float = 0.0, least: int = 1
    ) -> TrafficRecord:
        """Move the pages at ``offsets``, in order and repeatedly, for about ``seconds``.

        Args:
            pace: maximum number of pages started per second; 0 for no limit.
            least: minimum number of pages to move, even if this takes longer than ``seconds``;
                `cancel` and errors stop the run earlier.

        Returns:
            The record, in order of arrival. `landed` has, for each destination, the offset of the
            last page copied there; -1 if none. If pages stay in their slots, `landed` has an entry
            per slot.

        Raises:
            Exception: the first error from a reader or the sink.
        """
        self.cancelled.clear()
        state = _PagerRun(self, offsets, seconds, pace, least)
        with quick_switches():
            return state.run()


class _PagerRun:
    def __init__(
        self, pager: Pager, offsets: Longs, seconds: float, pace: float, least: int
    ) -> None:
        self._pager = pager
        self._offsets: list[int] = offsets.tolist()
        self._pace = pace
        self._least = least
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(pager.slots):
            self._free.put(slot)
        self._filled: queue.SimpleQueue[_Filled | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next = 0
        self._errors: list[BaseException] = []
        self._busy = 0.0
        self._landed = np.full(pager.sink.places or pager.slots, -1, np.int64)
        self._copies = 0
        self._arrived: list[tuple[int, int, int]] = []  # per page: offset, nanoseconds, end time
        self._begin = time.monotonic_ns()
        self._deadline = self._begin + int(seconds * 1e9)

    def run(self) -> TrafficRecord:
        threads = [
            threading.Thread(target=self._reader, name=f"pager-{n}", daemon=True)
            for n in range(self._pager.readers)
        ]
        for thread in threads:
            thread.start()
        cpu = time.thread_time()
        try:
            self._forward()
        except BaseException as error:
            self._errors.append(error)
        finally:
            self._stop.set()
            for _ in threads:
                self._free.put(-1)  # wake a reader that waits for a slot
            for thread in threads:
                thread.join()
        passed = (time.monotonic_ns() - self._begin) / 1e9
        self._busy = max(self._busy, (time.thread_time() - cpu) / max(passed, 1e-9))
        if self._errors:
            raise self._errors[0]
        return self._trace()

    # The reader threads.

    def _reader(self) -> None:
        begin, cpu = time.monotonic(), time.thread_time()
        try:
            while (slot := self._free.get()) >= 0:
                number = self._take()
                if number is None:
                    break
                begun = time.monotonic_ns()
                offset = self._offsets[number % len(self._offsets)]
                self._pager.read(slot, offset)
                self._filled.put(_Filled(slot, offset, begun))
        except BaseException as error:
            self._errors.append(error)
            self._stop.set()
        finally:
            used = (time.thread_time() - cpu) / max(time.monotonic() - begin, 1e-9)
            self._busy = max(self._busy, used)
            self._filled.put(None)

    def _take(self) -> int | None:
        """The number of the next page; None if no more pages may be started."""
        with self._lock:
            number = self._next
            if self._stop.is_set() or self._pager.cancelled.is_set():
                return None
            if number >= self._least and time.monotonic_ns() >= self._deadline:
                return None
            self._next += 1
        if self._pace:
            due = self._begin + int(number / self._pace * 1e9)
            late = min(due, self._deadline) - time.monotonic_ns()
            if late > 0 and self._stop.wait(late / 1e9):
                return None
            if due > self._deadline and number >= self._least:
                return None
        return number

    # The copies, in the calling thread.

    def _forward(self) -> None:
        sink = self._pager.sink
        left = self._pager.readers  # reader threads that have not ended
        going: deque[_Filled] = deque()  # copies in flight
        try:
            while left or going:
                while going and sink.done(going[0].slot):
                    self._arrive(going.popleft())
                if not left:
                    if going:
                        sink.wait(going[0].slot)
                    continue
                try:
                    filled = self._filled.get(timeout=POLL_S if going else None)
                except queue.Empty:
                    continue
                if filled is None:
                    left -= 1
                    continue
                place = self._copies % sink.places if sink.places else filled.slot
                self._copies += 1
                sink.begin(filled.slot, place)
                self._landed[place] = filled.offset
                going.append(filled)
        finally:
            # The device reads a slot until the copy of the slot has ended. Errors of this wait are
            # ignored, because an error has already been raised.
            if self._errors or sys.exc_info()[0] is not None:
                for one in going:
                    _quietly(sink.wait, one.slot)

    def _arrive(self, one: _Filled) -> None:
        now = time.monotonic_ns()
        self._arrived.append((one.offset, now - one.begun, now))
        self._free.put(one.slot)

    def _trace(self) -> TrafficRecord:
        found = np.array(self._arrived, np.int64).reshape(-1, 3)
        return TrafficRecord(
            latency=found[:, 1],
            finished=found[:, 2],
            offset=found[:, 0],
            wrote=np.zeros(len(found), np.bool_),
            begin=self._begin,
            deadline=self._deadline,
            busy=self._busy,
            loops=self._pager.readers,
            depth=self._pager.readers,
            landed=self._landed,
        )


def _quietly(wait: Callable[[int], None], slot: int) -> None:
    try:
        wait(slot)
    except Exception:  # the caller gets only the first error
        return


def copying(sink: Sink, slots: Sequence[int], seconds: float) -> float:
    """Pages per second that ``sink`` copies from full ``slots``, without reads.

    The copies of all slots are in flight at the same time. The measurement takes about ``seconds``.
    """
    places = max(1, sink.places)
    going: deque[int] = deque()
    count = 0
    begin = time.monotonic()
    while time.monotonic() - begin < seconds or count < len(slots):
        for slot in slots:
            if len(going) == len(slots):
                sink.wait(going.popleft())
            sink.begin(slot, count % places)
            going.append(slot)
            count += 1
    for slot in going:
        sink.wait(slot)
    return count / (time.monotonic() - begin)
