"""Shared memory of other blocks in a cluster: mapa, getctarank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.access import CLUSTER_SHIFT, SHARED_WINDOW
from emulator.faults import OutOfBounds
from emulator.memory import AccessFault
from emulator.operands import Scope, Step
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

_OFFSET = (1 << CLUSTER_SHIFT) - 1


def _window(instruction: Instruction) -> int:
    if instruction.parts[1:-1] == ("shared::cluster",):
        return 0
    if instruction.parts[1:-1] == ():
        return SHARED_WINDOW
    raise instruction.unknown()


def mapa(instruction: Instruction, scope: Scope) -> Step:
    """The address of the same variable in another block of the cluster."""
    window, type_ = _window(instruction), instruction.parts[-1]
    target, source, block = instruction.args
    write, rank = scope.writer(target, type_), scope.reader(block, "u32")
    address = scope.address(f"[{source}]")

    def step(wave: Wave) -> None:
        ranks = np.broadcast_to(rank(wave), (wave.count,)).astype(np.int64)
        bad = ranks >= wave.shape.cluster
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            message = f"block {int(ranks[index])} of a cluster of {wave.shape.cluster}"
            raise AccessFault(OutOfBounds, message, index)
        own = (address(wave) - window) & _OFFSET
        mapped = own + ((ranks + 1) << CLUSTER_SHIFT) + window
        write(wave, mapped.astype(np.uint32 if type_ == "u32" else np.uint64))

    return step


def getctarank(instruction: Instruction, scope: Scope) -> Step:
    """The rank of the block in the cluster to which a shared address belongs."""
    window = _window(instruction)
    target, source = instruction.args
    write, address = scope.writer(target, "u32"), scope.address(f"[{source}]")

    def step(wave: Wave) -> None:
        rank = ((address(wave) - window) >> CLUSTER_SHIFT) - 1
        own = wave.block_of[wave.lanes] % wave.shape.cluster
        write(wave, np.where(rank < 0, own, rank).astype(np.uint32))

    return step


TABLE = {"mapa": mapa, "getctarank": getctarank}
