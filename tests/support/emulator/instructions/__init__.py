"""What each instruction does, by the first part of its opcode.

A maker reads the whole opcode once and returns a closure; a modifier that it does
not understand makes it refuse the instruction by name.
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
    """The operand with the mask of the threads that must be there, of a warp's instruction."""
    return warps.member_of(instruction)
