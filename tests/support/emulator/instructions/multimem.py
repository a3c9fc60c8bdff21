"""multimem: one address for the same offset in the memories of several GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.access import read_global, write_global
from emulator.operands import Read, Scope, Step, elements, reject
from emulator.scalars import RAW, dtype, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

_QUALIFIERS = {"relaxed", "acquire", "release", "weak", "cta", "cluster", "gpu", "sys", "global"}
_TYPES = {"u32", "s32", "u64", "s64", "f32", "f64"}
_VECTORS = {"v2": 2, "v4": 4}


def multimem(instruction: Instruction, scope: Scope) -> Step:
    """multimem.ld_reduce, st and red. Addition is the only supported operation."""
    operation, *rest = instruction.parts[1:]
    type_ = rest[-1]
    vector = next((part for part in rest if part in _VECTORS), "")
    allowed = _QUALIFIERS | ({vector} if vector else set())
    if operation in ("ld_reduce", "red"):
        allowed |= {"add"}
        if "add" not in rest:
            raise instruction.unknown()
    # Only vectors of 32-bit floats are supported, but the hardware also has narrower types.
    if type_ not in _TYPES or (vector and type_ != "f32"):
        raise instruction.unknown()
    reject(instruction, allowed, tuple(rest[:-1]))
    parts = _VECTORS.get(vector, 1)
    match operation:
        case "ld_reduce":
            return _load(instruction, scope, type_, parts)
        case "st" | "red":
            return _store(instruction, scope, type_, parts, adds=operation == "red")
    raise instruction.unknown()


def _load(instruction: Instruction, scope: Scope, type_: str, parts: int) -> Step:
    target, source = instruction.args
    writes = [scope.writer(part, type_) for part in elements(target)]
    if len(writes) != parts:
        raise instruction.unknown("operands")
    address = scope.address(source)
    element, value = width(type_), dtype(type_)

    def step(wave: Wave) -> None:
        addresses = address(wave)
        found = [
            [part.view(value) for part in read_global(wave, one, element, parts)]
            for one in wave.memory.replicas(addresses, element * parts)
        ]
        for write, values in zip(writes, zip(*found, strict=True), strict=True):
            write(wave, np.sum(values, axis=0, dtype=value))
        wave.counts.count_global("multimem.load", wave.rows, addresses, element * parts)

    return step


def _store(instruction: Instruction, scope: Scope, type_: str, parts: int, *, adds: bool) -> Step:
    target, source = instruction.args
    reads: list[Read] = [scope.reader(part, type_) for part in elements(source)]
    if len(reads) != parts:
        raise instruction.unknown("operands")
    address = scope.address(target)
    element, value = width(type_), dtype(type_)
    raw = RAW[element]

    def step(wave: Wave) -> None:
        addresses = address(wave)
        given = [np.broadcast_to(read(wave), (wave.count,)) for read in reads]
        for one in wave.memory.replicas(addresses, element * parts):
            values = given
            if adds:  # several lanes with the same target would need an order
                if np.unique(addresses).size != addresses.size:
                    raise instruction.unknown("two threads of a group add to one place")
                old = read_global(wave, one, element, parts)
                values = [part.view(value) + by for part, by in zip(old, given, strict=True)]
            write_global(wave, one, element, [np.ascontiguousarray(v).view(raw) for v in values])
        key = "multimem.red" if adds else "multimem.store"
        wave.counts.count_global(key, wave.rows, addresses, element * parts)

    return step


TABLE = {"multimem": multimem}
