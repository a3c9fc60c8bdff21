"""Counts of the events in a launch: bytes, sectors, wavefronts, atomics, instructions.

The counts use the units of the hardware. A global request of a warp takes one 32-byte sector for
each sector that its threads touch. Shared memory has 32 banks of four bytes. The number of
wavefronts of a request is the number of different words in the busiest bank. The hardware processes
8-byte accesses by half warps and 16-byte accesses by quarter warps (CUDA C++ programming guide,
compute capability 5.x and later).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from emulator.scalars import Lanes

SECTOR = 32
BANKS = 32
_FAR = 1 << 44  # more than any address, so that keys of different warps differ
_WORDS = 1 << 32  # more than the words of shared memory that run together


@dataclass
class Counts:
    """Counts of one launch, or the sum over several launches.

    The keys of ``bytes``, ``requests``, ``sectors`` and ``wavefronts`` name a direction and a state
    space: ``ld.global``, ``st.shared``, ``atom.global``, ``red.shared``, ``cp.async``,
    ``bulk.load``, ``bulk.store``, ``prefetch.global``, ``multimem.load``, ``multimem.store``,
    ``multimem.red``. ``bulk.arrived`` counts the bytes that bulk copies wrote to all blocks of a
    cluster.

    Attributes:
        opcodes: number of executions by threads, for each full opcode.
        bytes: payload in bytes.
        requests: number of requests by warps.
        sectors: number of 32-byte sectors of global memory.
        wavefronts: number of passes of shared memory.
    """

    opcodes: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    sectors: Counter[str] = field(default_factory=Counter)
    wavefronts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        self.opcodes.update(other.opcodes)
        self.bytes.update(other.bytes)
        self.requests.update(other.requests)
        self.sectors.update(other.sectors)
        self.wavefronts.update(other.wavefronts)

    @property
    def loaded(self) -> int:
        """Bytes read from global memory by loads, asynchronous copies and bulk copies."""
        return sum(self.bytes[key] for key in ("ld.global", "cp.async", "bulk.load"))

    @property
    def stored(self) -> int:
        """Bytes written to global memory by stores and bulk copies."""
        return self.bytes["st.global"] + self.bytes["bulk.store"]

    @property
    def atomics(self) -> int:
        """Number of atomic operations by threads, in any state space."""
        return sum(n for op, n in self.opcodes.items() if op.startswith(("atom.", "red.")))

    def executed(self, prefix: str) -> int:
        """Executions by threads of opcodes that begin with ``prefix``, such as ``ld.global``."""
        return sum(
            n for op, n in self.opcodes.items() if op == prefix or op.startswith(f"{prefix}.")
        )

    def count_global(self, key: str, warps: Lanes, addresses: Lanes, size: int) -> None:
        """Count one access of ``size`` bytes per lane.

        ``warps`` and ``addresses`` have one value per lane.
        """
        self.bytes[key] += addresses.size * size
        self.requests[key] += _distinct(warps)
        self.sectors[key] += _distinct(warps * _FAR + addresses // SECTOR)

    def count_shared(
        self, key: str, warps: Lanes, threads: Lanes, places: Lanes, size: int
    ) -> None:
        """Count one shared-memory access of ``size`` bytes per lane, at the offsets ``places``."""
        self.bytes[key] += places.size * size
        self.requests[key] += _distinct(warps)
        words = max(1, size // 4)
        word = places // 4
        part = warps * words + (threads % 32) // (32 // words)
        if words > 1:
            word = (word[:, None] + np.arange(words)).ravel()
            part = np.repeat(part, words)
        self.wavefronts[key] += _wavefronts(part, word)


def _distinct(keys: Lanes) -> int:
    if keys.size == 1:
        return 1
    steps = keys[1:] - keys[:-1]
    if (steps < 0).any():
        keys = np.sort(keys)
        steps = keys[1:] - keys[:-1]
    return 1 + int(np.count_nonzero(steps))


def _wavefronts(part: Lanes, word: Lanes) -> int:
    """Number of wavefronts: different words in the busiest bank, added up over all ``part``."""
    keys = part * _WORDS + word
    if (keys[1:] < keys[:-1]).any():
        keys = np.sort(keys)
    keys = keys[np.append([True], keys[1:] != keys[:-1])]
    banks = np.bincount(keys // _WORDS * BANKS + keys % BANKS)
    banks.resize(-(-banks.size // BANKS) * BANKS, refcheck=False)
    return int(banks.reshape(-1, BANKS).max(axis=1).sum())
