"""Instructions of a whole warp: shfl, vote, match, redux, elect, activemask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emulator.faults import EmulationError
from emulator.memory import AccessFault
from emulator.operands import Scope, Step, Write
from emulator.scalars import Lanes, dtype
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

_TOGETHER = {"shfl", "vote", "match", "redux"}
_WHOLE = {"mma", "movmatrix"}
"""Instructions that all threads of a warp must execute; no operand contains a mask."""


def member_of(instruction: Instruction) -> str | None:
    """The operand with the mask of participating threads; None for instructions without a mask."""
    if instruction.parts[0] in _TOGETHER:
        return instruction.args[-1]
    if instruction.parts[:2] in (("bar", "warp"), ("elect", "sync")):
        return instruction.args[-1]
    return "0xffffffff" if instruction.parts[0] in _WHOLE else None


def by_warp(wave: Wave, values: Lanes) -> tuple[Lanes, Lanes]:
    """``values`` and the flags "active" of the current lanes, both of shape (warp, lane)."""
    rows, lane = wave.rows, wave.threads % 32
    values = np.broadcast_to(values, (wave.count,))
    table = np.zeros((wave.blocks * wave.shape.warps, 32), values.dtype)
    there = np.zeros(table.shape, np.bool_)
    table[rows, lane] = values
    there[rows, lane] = True
    return table, there


def _masks(flags: Lanes) -> Lanes:
    """Flags of shape (warp, lane) -> one 32-bit mask per warp."""
    return np.packbits(flags, axis=1, bitorder="little").view(np.uint32).ravel()


def _member(wave: Wave, mask: Lanes) -> Lanes:
    """The mask of each lane, checked: a mask must include the lane itself."""
    mask = np.broadcast_to(mask, (wave.count,))
    bit = np.left_shift(np.uint32(1), (wave.threads % 32).astype(np.uint32))
    bad = (mask & bit) == 0
    if bad.any():
        lane = int(np.flatnonzero(bad)[0])
        raise AccessFault(EmulationError, "the thread is not in its own membermask", lane)
    return mask


def shfl(instruction: Instruction, scope: Scope) -> Step:
    """Get a value from another thread of the warp."""
    if (
        len(instruction.parts) != 4
        or instruction.parts[1] != "sync"
        or instruction.parts[3] != "b32"
    ):
        raise instruction.unknown()
    mode = instruction.parts[2]
    if mode not in ("up", "down", "bfly", "idx"):
        raise instruction.unknown()
    target, source, by, control, member = instruction.args
    targets = target.split("|")
    write = scope.writer(targets[0], "b32")
    write_in_range = scope.writer(targets[1], "pred") if len(targets) > 1 else None
    value, shift = scope.reader(source, "b32"), scope.reader(by, "u32")
    clamp, mask = scope.reader(control, "u32"), scope.reader(member, "u32")

    def step(wave: Wave) -> None:
        _member(wave, mask(wave))
        table, there = by_warp(wave, value(wave))
        lane = wave.threads % 32
        b, c = shift(wave).astype(np.int64) & 31, clamp(wave).astype(np.int64)
        segment, limit = c >> 8 & 31, c & 31
        low = lane & segment
        highest = low | (limit & ~segment)
        if mode == "up":
            chosen = lane - b
            inside = chosen >= highest
        else:
            chosen = {"down": lane + b, "bfly": lane ^ b, "idx": low | (b & ~segment)}[mode]
            inside = chosen <= highest
        chosen = np.where(inside, chosen, lane)
        good = there[wave.rows, chosen]
        if not good.all():
            index = int(np.flatnonzero(~good)[0])
            message = f"shfl reads lane {int(chosen[index])}, which does not take part"
            raise AccessFault(EmulationError, message, index)
        write(wave, table[wave.rows, chosen])
        if write_in_range is not None:
            write_in_range(wave, inside)

    return step


def vote(instruction: Instruction, scope: Scope) -> Step:
    """vote: combine the predicates of all participating threads with all, any, uni or ballot."""
    if len(instruction.parts) != 4 or instruction.parts[1] != "sync":
        raise instruction.unknown()
    mode, type_ = instruction.parts[2:]
    if (mode, type_) not in {("ballot", "b32"), ("all", "pred"), ("any", "pred"), ("uni", "pred")}:
        raise instruction.unknown()
    target, source, member = instruction.args
    write, asked = scope.writer(target, type_), scope.predicate(source)
    mask = scope.reader(member, "u32")

    def step(wave: Wave) -> None:
        members = _member(wave, mask(wave))
        table, there = by_warp(wave, asked(wave))
        yes = _masks(table & there)[wave.rows] & members
        if mode == "ballot":
            write(wave, yes)
            return
        no = _masks(~table & there)[wave.rows] & members
        results = {"all": no == 0, "any": yes != 0, "uni": (no == 0) | (yes == 0)}
        write(wave, results[mode])

    return step


def match(instruction: Instruction, scope: Scope) -> Step:
    """The mask of the threads of the warp that have the same value."""
    mode, sync, type_ = instruction.parts[1:]
    if mode not in ("any", "all") or sync != "sync" or type_ not in ("b32", "b64"):
        raise instruction.unknown()
    target, source, member = instruction.args
    targets = target.split("|")
    write = scope.writer(targets[0], "b32")
    write_all = scope.writer(targets[1], "pred") if len(targets) > 1 else None
    value, mask = scope.reader(source, type_), scope.reader(member, "u32")

    def step(wave: Wave) -> None:
        members = _member(wave, mask(wave))
        own = np.broadcast_to(value(wave), (wave.count,))
        table, there = by_warp(wave, own)
        equal = (table[wave.rows] == own[:, None]) & there[wave.rows]
        same = _masks(equal) & members
        if mode == "any":
            write(wave, same)
            return
        alike = same == members
        write(wave, np.where(alike, members, np.uint32(0)))
        if write_all is not None:
            write_all(wave, alike)

    return step


_REDUCE: dict[str, Callable[[Lanes], Lanes]] = {
    "add": lambda values: values.sum(dtype=values.dtype),
    "min": np.min,
    "max": np.max,
    "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce,
    "xor": np.bitwise_xor.reduce,
}


def redux(instruction: Instruction, scope: Scope) -> Step:
    """Reduce the values of all participating threads to one value."""
    if len(instruction.parts) != 4 or instruction.parts[1] != "sync":
        raise instruction.unknown()
    operation, type_ = instruction.parts[2:]
    if operation not in _REDUCE or type_ not in ("u32", "s32", "b32"):
        raise instruction.unknown()
    target, source, member = instruction.args
    write, value = scope.writer(target, type_), scope.reader(source, type_)
    mask = scope.reader(member, "u32")

    def step(wave: Wave) -> None:
        members = _member(wave, mask(wave))
        values = np.broadcast_to(value(wave), (wave.count,))
        result = np.empty(wave.count, dtype(type_))
        keys = wave.rows * (1 << 32) + members
        for key in np.unique(keys):
            mine = keys == key
            result[mine] = _REDUCE[operation](values[mine])
        write(wave, result)

    return step


def elect(instruction: Instruction, scope: Scope) -> Step:
    """elect.sync: select the lowest participating thread."""
    if instruction.opcode != "elect.sync":
        raise instruction.unknown()
    target, member = instruction.args
    register, predicate = target.split("|")
    write, chosen = scope.writer(register, "b32"), scope.writer(predicate, "pred")
    mask = scope.reader(member, "u32")

    def step(wave: Wave) -> None:
        members = _member(wave, mask(wave)).astype(np.int64)
        lowest = np.bitwise_count((members & -members) - 1).astype(np.int64)
        write(wave, lowest.astype(np.uint32))
        chosen(wave, wave.threads % 32 == lowest)

    return step


def activemask(instruction: Instruction, scope: Scope) -> Step:
    """The mask of the threads that execute this instruction at the same time."""
    if instruction.opcode != "activemask.b32":
        raise instruction.unknown()
    write: Write = scope.writer(instruction.args[0], "b32")

    def step(wave: Wave) -> None:
        _, there = by_warp(wave, np.zeros(wave.count, np.bool_))
        write(wave, _masks(there)[wave.rows])

    return step


TABLE = {
    "shfl": shfl,
    "vote": vote,
    "match": match,
    "redux": redux,
    "elect": elect,
    "activemask": activemask,
}
