"""The instructions atom and red. The lanes act one after the other, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emulator.access import resolve, shared_places
from emulator.faults import Uninitialised, UnknownInstruction
from emulator.memory import AccessFault
from emulator.operands import Read, Scope, Step, Write
from emulator.scalars import RAW, Lanes, dtype, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

Combine = Callable[[Lanes, list[Lanes]], Lanes]

OPERATIONS: dict[str, Combine] = {
    "add": lambda old, by: old + by[0],
    "min": lambda old, by: np.minimum(old, by[0]),
    "max": lambda old, by: np.maximum(old, by[0]),
    "and": lambda old, by: old & by[0],
    "or": lambda old, by: old | by[0],
    "xor": lambda old, by: old ^ by[0],
    "exch": lambda old, by: np.broadcast_to(by[0], old.shape),
    "cas": lambda old, by: np.where(old == by[0], by[1], old),
    "inc": lambda old, by: np.where(old >= by[0], old.dtype.type(0), old + old.dtype.type(1)),
    "dec": lambda old, by: np.where((old == 0) | (old > by[0]), by[0], old - old.dtype.type(1)),
}
_QUALIFIERS = {"relaxed", "acquire", "release", "acq_rel", "gpu", "cta", "cluster", "sys"}
_SPACES = {"global", "shared", "shared::cta", "shared::cluster"}
_TYPES = {"u32", "s32", "u64", "s64", "b32", "b64", "f32", "f64"}


def atom(instruction: Instruction, scope: Scope) -> Step:
    """atom: an atomic operation that returns the old value of the memory."""
    target, *operands = instruction.args
    return _make(instruction, scope, operands, scope.writer(target, instruction.parts[-1]))


def red(instruction: Instruction, scope: Scope) -> Step:
    """red: an atomic operation that returns no value."""
    return _make(instruction, scope, list(instruction.args), None)


def _form(instruction: Instruction) -> tuple[str, str]:
    """The state space and the operation in an opcode."""
    space, operation = "generic", ""
    type_ = instruction.parts[-1]
    for part in instruction.parts[1:-1]:
        if part in _SPACES:
            space = part.partition("::")[0]
        elif part in OPERATIONS and not operation:
            operation = part
        elif part not in _QUALIFIERS:
            raise instruction.unknown(f".{part}")
    if type_ not in _TYPES or not operation or (type_[0] == "f" and operation != "add"):
        raise instruction.unknown()
    return space, operation


def _make(instruction: Instruction, scope: Scope, operands: list[str], write: Write | None) -> Step:
    kind, type_ = instruction.parts[0], instruction.parts[-1]
    space, operation = _form(instruction)
    address = scope.address(operands[0])
    reads: list[Read] = [scope.reader(operand, type_) for operand in operands[1:]]
    if len(reads) != (2 if operation == "cas" else 1):
        raise instruction.unknown("operands")
    combine, size, value = OPERATIONS[operation], width(type_), dtype(type_)

    def step(wave: Wave) -> None:
        where, addresses = resolve(space, address(wave))
        by = [np.broadcast_to(read(wave), (wave.count,)) for read in reads]
        if where == "global":
            index = _in_global(wave, addresses, size)
            wave.counts.count_global(f"{kind}.global", wave.rows, addresses, size)
            cells = wave.memory.cells[size].view(value)
        elif where == "shared":
            places = shared_places(wave, addresses, size, size)
            wave.shared.atomic(places, size, wave.lanes, wave.rows)
            wave.counts.count_shared(f"{kind}.shared", wave.rows, wave.threads, places, size)
            index = places // size
            cells = wave.shared.cells[size].view(value)
        else:
            raise UnknownInstruction("an atomic on local memory")
        old = _in_turn(cells, index, by, combine)
        if write is not None:
            write(wave, old)

    return step


def _in_global(wave: Wave, addresses: Lanes, size: int) -> Lanes:
    memory = wave.memory
    offsets, buffer = memory.offsets(addresses, size)
    index = offsets // size
    if wave.machine.unwritten and memory.has_unwritten and not (buffer and buffer.written):
        good = memory.known[size][index] == np.iinfo(RAW[size]).max
        if not good.all():
            lane = int(np.flatnonzero(~good)[0])
            where = memory.where(int(addresses[lane]))
            raise AccessFault(Uninitialised, f"atomic on unwritten memory at {where}", lane)
    return index


def _in_turn(cells: Lanes, index: Lanes, by: list[Lanes], combine: Combine) -> Lanes:
    """Apply ``combine`` lane by lane. Lanes with different targets are processed together.

    Returns:
        For each lane, the value before the operation of the lane.
    """
    old: Lanes = np.empty(index.size, cells.dtype)
    order = np.argsort(index, kind="stable")
    places = index[order]
    first = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    lengths = np.diff(np.append(first, places.size))
    for turn in range(int(lengths.max())):
        mine = order[first[lengths > turn] + turn]
        target = index[mine]
        old[mine] = found = cells[target]
        cells[target] = combine(found, [np.asarray(operand[mine]) for operand in by])
    return old


TABLE = {"atom": atom, "red": red}
