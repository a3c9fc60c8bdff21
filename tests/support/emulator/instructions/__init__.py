"""The effect of each instruction, by the first part of its opcode.

A maker is a function that parses an opcode once and returns a closure. A maker raises an error that
names the instruction if the maker does not know a modifier.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.instructions import (
    atomics,
    bits,
    clusters,
    control,
    converting,
    copying,
    floating,
    integers,
    loading,
    matrices,
    moving,
    multimem,
    warps,
)
from emulator.operands import End, Scope, Step
from emulator.source import Instruction

Maker = Callable[[Instruction, Scope], Step]
EndMaker = Callable[[Instruction, Scope, int], End]

STEPS: dict[str, Maker] = {
    **moving.TABLE,
    **integers.TABLE,
    **bits.TABLE,
    **floating.TABLE,
    **converting.TABLE,
    **loading.TABLE,
    **atomics.TABLE,
    **multimem.TABLE,
    **warps.TABLE,
    **matrices.TABLE,
    **copying.TABLE,
    **clusters.TABLE,
    **control.TABLE,
}
ENDS: dict[str, EndMaker] = control.ENDS


def member_of(instruction: Instruction) -> str | None:
    """The operand with the mask of participating threads; None for instructions without a mask."""
    return warps.member_of(instruction)
