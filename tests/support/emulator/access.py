"""Convert an address to a state space and an offset in this space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.faults import (
    Misaligned,
    OutOfBounds,
    Race,
    Uninitialised,
    UnknownInstruction,
)
from emulator.memory import AccessFault
from emulator.scalars import RAW, Lanes

if TYPE_CHECKING:
    from emulator.wave import Wave

SHARED_WINDOW = 1 << 56
"""Start of shared memory in the generic address space."""

LOCAL_WINDOW = 1 << 57
"""Start of local memory in the generic address space."""

CLUSTER_SHIFT = 24
"""In a shared address, the bits from this bit on are 0, or 1 + the rank of another block."""

SHARED_START = 1024
"""Offset of a block's own shared memory: sm_90 reserves the first KiB."""

_OFFSET = (1 << CLUSTER_SHIFT) - 1


def resolve(space: str, addresses: Lanes) -> tuple[str, Lanes]:
    """(state space, offset) of a generic address. Addresses in other spaces are not changed."""
    if space != "generic":
        return space, addresses
    low, high = int(addresses.min()), int(addresses.max())
    if high < SHARED_WINDOW:
        return "global", addresses
    if low >= LOCAL_WINDOW:
        return "local", addresses - LOCAL_WINDOW
    if low >= SHARED_WINDOW and high < LOCAL_WINDOW:
        return "shared", addresses - SHARED_WINDOW
    raise UnknownInstruction("a generic access to several state spaces at once is not emulated")


def shared_places(wave: Wave, addresses: Lanes, size: int, align: int) -> Lanes:
    """Offsets in shared memory, after checks of alignment and bounds, for ``size`` bytes each."""
    offsets = addresses & _OFFSET
    if align > 1 and (offsets & (align - 1)).any():
        lane = int(np.flatnonzero(offsets & (align - 1))[0])
        message = f"misaligned {align}-byte access to shared memory at byte {int(offsets[lane])}"
        raise AccessFault(Misaligned, message, lane)
    if int(offsets.min()) < SHARED_START or int(offsets.max()) + size > wave.shared_end:
        bad = (offsets < SHARED_START) | (offsets + size > wave.shared_end)
        lane = int(np.flatnonzero(bad)[0])
        message = (
            f"{size}-byte access out of bounds of shared memory: byte "
            f"{int(offsets[lane]) - SHARED_START} of {wave.shared_end - SHARED_START}"
        )
        raise AccessFault(OutOfBounds, message, lane)
    blocks = wave.block_of if wave.chosen is None else wave.block_of[wave.chosen]
    ranks = addresses >> CLUSTER_SHIFT
    if ranks.any():
        if int(ranks.max()) > wave.shape.cluster or int(ranks.min()) < 0:
            lane = int(np.argmax(ranks))
            message = f"no such block in the cluster: address 0x{int(addresses[lane]):x}"
            raise AccessFault(OutOfBounds, message, lane)
        first = blocks - blocks % wave.shape.cluster
        blocks = np.where(ranks > 0, first + ranks - 1, blocks)
        if wave.ended[blocks].any():
            lane = int(np.flatnonzero(wave.ended[blocks])[0])
            raise AccessFault(Race, "access to shared memory of a block that has ended", lane)
    places: Lanes = blocks * wave.shared.size + offsets
    return places


def local_places(wave: Wave, addresses: Lanes, size: int) -> Lanes:
    """Offsets in local memory, after checks of alignment and bounds, for ``size`` bytes each."""
    limit = wave.program.local_bytes
    bad = (addresses < 0) | (addresses + size > limit)
    if bad.any():
        lane = int(np.flatnonzero(bad)[0])
        raise AccessFault(OutOfBounds, f"{size}-byte access out of bounds of local memory", lane)
    if (addresses & (size - 1)).any():
        lane = int(np.flatnonzero(addresses & (size - 1))[0])
        raise AccessFault(Misaligned, f"misaligned {size}-byte access to local memory", lane)
    places: Lanes = wave.lanes * limit + addresses
    return places


def read_global(wave: Wave, addresses: Lanes, element: int, parts: int) -> list[Lanes]:
    """Read ``parts`` consecutive elements of ``element`` bytes from each address."""
    memory = wave.memory
    offsets, buffer = memory.offsets(addresses, element * parts)
    index = offsets // element
    if wave.machine.unwritten and memory.has_unwritten and not (buffer and buffer.written):
        _refuse_unwritten(wave, index, element, parts)
    cells = memory.cells[element]
    if parts == 1:
        return [cells[index]]
    return [cells[index + part] for part in range(parts)]


def _refuse_unwritten(wave: Wave, index: Lanes, element: int, parts: int) -> None:
    known = wave.memory.known[element]
    full = np.iinfo(RAW[element]).max
    for part in range(parts):
        good = known[index + part] == full
        if not good.all():
            lane = int(np.flatnonzero(~good)[0])
            where = wave.memory.where(wave.memory.address_of(int(index[lane]) * element))
            raise AccessFault(Uninitialised, f"read of unwritten memory at {where}", lane)


def write_global(wave: Wave, addresses: Lanes, element: int, values: list[Lanes]) -> None:
    """Write ``values``, consecutive elements of ``element`` bytes, to each address."""
    memory = wave.memory
    offsets, buffer = memory.offsets(addresses, element * len(values))
    index = offsets // element
    cells = memory.cells[element]
    watched = memory.has_unwritten and not (buffer and buffer.written)
    for part, value in enumerate(values):
        place = index + part if part else index
        cells[place] = value
        if watched:
            memory.known[element][place] = np.iinfo(RAW[element]).max
