"""mma and movmatrix: matrices distributed over the registers of a warp.

The PTX ISA describes the layout in the section "Matrix fragments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.faults import EmulationError
from emulator.instructions.warps import by_warp
from emulator.memory import AccessFault
from emulator.operands import Scope, Step, elements
from emulator.scalars import Lanes, halves, packed
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

_LANE = np.arange(32)
_GROUP, _PLACE = _LANE // 4, _LANE % 4


def _whole(wave: Wave, values: Lanes) -> Lanes:
    """``values`` as an array of shape (warp, lane).

    All 32 threads of a participating warp must be active; otherwise an error is raised.
    """
    table, there = by_warp(wave, values)
    missing = np.logical_not(there.all(axis=1))[wave.rows]
    if missing.any():
        lane = int(np.flatnonzero(missing)[0])
        raise AccessFault(EmulationError, "not all 32 threads of the warp take part", lane)
    return table


def _numbers(words: Lanes) -> list[Lanes]:
    """The lower halves and the upper halves of all words, as f16 numbers."""
    return [raw.astype(np.uint16).view(np.float16) for raw in halves(words)]


def mma(instruction: Instruction, scope: Scope) -> Step:
    """d[16][8] = a[16][16] b[16][8] + c[16][8]; 16-bit inputs, accumulated in single precision.

    How the hardware orders and rounds the additions is not documented. The emulator computes the
    exact sum and rounds once.
    """
    if instruction.opcode != "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32":
        raise instruction.unknown()
    targets, *sources = map(elements, instruction.args)
    if [len(targets), *map(len, sources)] != [4, 4, 2, 4]:
        raise instruction.unknown("operands")
    writes = [scope.writer(name, "f32") for name in targets]
    read_a, read_b = ([scope.reader(name, "b32") for name in names] for names in sources[:2])
    read_c = [scope.reader(name, "f32") for name in sources[2]]

    def step(wave: Wave) -> None:
        warps = wave.blocks * wave.shape.warps
        a = np.zeros((warps, 16, 16))
        for i, read in enumerate(read_a):
            for half, values in enumerate(_numbers(_whole(wave, read(wave)))):
                a[:, _GROUP + i % 2 * 8, 2 * _PLACE + half + i // 2 * 8] = values
        b = np.zeros((warps, 16, 8))
        for i, read in enumerate(read_b):
            for half, values in enumerate(_numbers(_whole(wave, read(wave)))):
                b[:, 2 * _PLACE + half + i * 8, _GROUP] = values
        product = a @ b
        for i, (read, write) in enumerate(zip(read_c, writes, strict=True)):
            added = product[:, _GROUP + i // 2 * 8, 2 * _PLACE + i % 2]
            added += _whole(wave, read(wave))
            write(wave, added.astype(np.float32)[wave.rows, wave.threads % 32])

    return step


def movmatrix(instruction: Instruction, scope: Scope) -> Step:
    """Transpose a matrix of 8 x 8 halves. Each thread has two neighbouring elements."""
    if instruction.opcode != "movmatrix.sync.aligned.m8n8.trans.b16":
        raise instruction.unknown()
    target, source = instruction.args
    write, read = scope.writer(target, "b32"), scope.reader(source, "b32")

    def step(wave: Wave) -> None:
        words = _whole(wave, read(wave))
        matrix = np.empty((len(words), 8, 8), np.uint16)
        for half in range(2):
            matrix[:, _GROUP, 2 * _PLACE + half] = words >> np.uint32(16 * half)
        low, high = (matrix[:, 2 * _PLACE + half, _GROUP] for half in range(2))
        write(wave, packed(low, high)[wave.rows, wave.threads % 32])

    return step


TABLE = {"mma": mma, "movmatrix": movmatrix}
