"""The engine for io_uring, which runs one or several compiled submission loops."""

from __future__ import annotations

import ctypes
import mmap
import os
from dataclasses import dataclass, field

import numpy as np

from membench.core.errors import BackendUnavailable
from membench.host.memory.backend import CpuBackend
from membench.host.storage import loop_block as loop_words
from membench.host.storage import ring_block as ring
from membench.host.storage.native_engine import NativeAio
from membench.host.storage.traffic import Bytes, Longs

# Every architecture has the same numbers (asm-generic/unistd.h).
_SETUP, _ENTER, _REGISTER = 425, 426, 427
# IORING_SETUP_COOP_TASKRUN, Linux 5.19: completions do not interrupt the loop.
_COOPERATIVE = 1 << 8
_ONE_MAPPING = 1  # IORING_FEAT_SINGLE_MMAP, Linux 5.4
_CURRENT_POSITION = 1 << 3  # IORING_FEAT_RW_CUR_POS, Linux 5.6, as IORING_OP_READ
_RINGS, _ENTRIES = 0, 0x10000000  # IORING_OFF_SQ_RING, IORING_OFF_SQES
_BUFFERS, _NO_BUFFERS, _FILES, _NO_FILES = 0, 1, 2, 3  # IORING_REGISTER_BUFFERS, ...


@dataclass
class _Ring:
    """An io_uring instance with its mapped rings.

    Attributes:
        words: the parameter block; see `membench.host.storage.ring_block`.
    """

    fd: int
    words: Longs
    mappings: list[mmap.mmap] = field(default_factory=list)


class NativeRing(NativeAio):
    """Submits I/Os by io_uring in one or several compiled loops; see `NativeAio.run`.

    If the kernel allows it, each run registers its memory and its file. The kernel then need not
    look them up for every I/O.

    Raises:
        BackendUnavailable: the kernel has no io_uring with the features of Linux 5.6, or forbids
            io_uring to this process.
    """

    name = "io_uring"

    def __init__(self, cpu: CpuBackend) -> None:
        self._rings: dict[tuple[int, int], _Ring] = {}
        super().__init__(cpu)

    def _open(self) -> None:
        self._ring(0, 1)

    def _begin(self, loop: int, depth: int, fd: int, memory: Bytes) -> dict[int, int]:
        made = self._ring(loop, depth)
        made.words[ring.FIXED // 8] = self._register(made, fd, memory)
        return {loop_words.RING: made.words.ctypes.data}

    def _registered(self, loop: int, depth: int) -> bool:
        return bool(self._rings[loop, depth].words[ring.FIXED // 8])

    def _end(self, loop: int, depth: int) -> None:
        made = self._rings[loop, depth]
        if made.words[ring.FIXED // 8]:
            self._call(_REGISTER, made.fd, _NO_BUFFERS, 0, 0)
            self._call(_REGISTER, made.fd, _NO_FILES, 0, 0)
            made.words[ring.FIXED // 8] = 0

    def _register(self, made: _Ring, fd: int, memory: Bytes) -> bool:
        # A limit on locked memory, or the kind of memory, can prevent registration. Then measure
        # unregistered memory.
        vector = np.array([memory.ctypes.data, memory.nbytes], np.int64)
        if self._call(_REGISTER, made.fd, _BUFFERS, vector.ctypes.data, 1):
            return False
        files = np.array([fd], np.int32)
        if self._call(_REGISTER, made.fd, _FILES, files.ctypes.data, 1):
            self._call(_REGISTER, made.fd, _NO_BUFFERS, 0, 0)
            return False
        return True

    def _ring(self, loop: int, depth: int) -> _Ring:
        """The ring of loop ``loop`` for ``depth`` I/Os in flight, created at its first use.

        The ring is kept, because creating a ring takes longer than many I/Os.
        """
        kept = self._rings.get((loop, depth))
        if kept is None:
            kept = self._rings[loop, depth] = self._made(depth)
        return kept

    def _made(self, depth: int) -> _Ring:
        for flags in (_COOPERATIVE, 0):
            params = (ctypes.c_uint32 * 30)()
            params[2] = flags
            fd = self._call(_SETUP, depth, ctypes.addressof(params))
            if fd >= 0:
                break
        else:
            why = os.strerror(ctypes.get_errno())
            raise BackendUnavailable(f"the kernel refuses io_uring: {why}")
        made = _Ring(fd, np.zeros(ring.RING_WORDS, np.int64))
        sq_entries, cq_entries, features = params[0], params[1], params[5]
        # Offsets of head, tail, mask and entries; the last offset is the array or the cqes.
        sq, cq = params[10:20], params[20:30]
        needed = _ONE_MAPPING | _CURRENT_POSITION
        if features & needed != needed:
            os.close(fd)
            raise BackendUnavailable("this kernel's io_uring lacks features of Linux 5.6")
        size = max(sq[6] + 4 * sq_entries, cq[5] + ring.CQE_BYTES * cq_entries)
        try:
            for length, at in ((size, _RINGS), (ring.SQE_BYTES * sq_entries, _ENTRIES)):
                made.mappings.append(mmap.mmap(fd, length, flags=mmap.MAP_SHARED, offset=at))
        except (OSError, ValueError) as error:
            os.close(fd)
            raise BackendUnavailable(f"the rings of io_uring cannot be mapped: {error}") from error
        rings, entries = (np.frombuffer(one, np.uint8) for one in made.mappings)
        base = int(rings.ctypes.data)
        order = rings[sq[6] : sq[6] + 4 * sq_entries].view(np.uint32)
        order[:] = np.arange(sq_entries)  # entry n of the ring always refers to submission entry n
        masks = rings.view(np.uint32)
        for word, value in {
            ring.RING_FD: fd,
            ring.SQ_TAIL: base + sq[1],
            ring.CQ_HEAD: base + cq[0],
            ring.CQ_TAIL: base + cq[1],
            ring.SQ_MASK: int(masks[sq[2] // 4]),
            ring.CQ_MASK: int(masks[cq[2] // 4]),
            ring.SQES: int(entries.ctypes.data),
            ring.CQES: base + cq[5],
            ring.ENTER: _ENTER,
        }.items():
            made.words[word // 8] = value
        return made

    def _drop(self, loop: int, depth: int) -> None:
        made = self._rings.pop((loop, depth))
        os.close(made.fd)
        made.mappings.clear()

    def close(self) -> None:
        for loop, depth in tuple(self._rings):
            self._drop(loop, depth)
