"""Instructions that control execution: branches, exits, barriers, fences, nanosleep."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from emulator.barriers import PARTED
from emulator.faults import EmulationError
from emulator.operands import End, Scope, Step
from emulator.scalars import Lanes
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

_FENCES = {
    *(f"membar.{level}" for level in ("cta", "gl", "sys")),
    *(
        f"fence{order}.{level}"
        for order in ("", ".sc", ".acq_rel", ".acquire", ".release")
        for level in ("cta", "cluster", "gpu", "sys")
    ),
    "fence.proxy.async.global",
    "fence.proxy.alias",
}
_SHOWS_MBARRIERS = "fence.mbarrier_init.release.cluster"
_SHOWS_ALL = {f"fence.proxy.async{where}" for where in ("", ".shared::cta", ".shared::cluster")}


def fence(instruction: Instruction, scope: Scope) -> Step:
    """A fence. Only fences between threads and bulk copies have an effect.

    Other fences do nothing, because the emulator executes memory accesses in order.
    """
    if instruction.opcode in _FENCES:
        return lambda _wave: None
    if instruction.opcode not in (_SHOWS_MBARRIERS, *_SHOWS_ALL):
        raise instruction.unknown()

    def step(wave: Wave) -> None:
        wave.mbarriers.fence(wave.lanes)
        if instruction.opcode != _SHOWS_MBARRIERS:
            wave.shared.fence(wave.lanes, wave.rows)

    return step


def nanosleep(instruction: Instruction, scope: Scope) -> Step:
    """nanosleep: let other threads run first. The duration has no effect."""
    if instruction.opcode != "nanosleep.u32":
        raise instruction.unknown()

    def step(wave: Wave) -> None:
        wave.impatient = True

    return step


def dependency(instruction: Instruction, scope: Scope) -> Step:
    """griddepcontrol: no effect, because kernels of one queue run one after the other."""
    if instruction.opcode not in ("griddepcontrol.wait", "griddepcontrol.launch_dependents"):
        raise instruction.unknown()
    return lambda _wave: None


def branch(instruction: Instruction, scope: Scope, following: int) -> End:
    """bra: continue at another basic block."""
    if instruction.opcode not in ("bra", "bra.uni"):
        raise instruction.unknown()
    target = scope.blocks[instruction.args[0]]
    return lambda _wave: target


def leave(instruction: Instruction, scope: Scope, following: int) -> End:
    """End a thread (ret, exit)."""
    if instruction.opcode not in ("ret", "ret.uni", "exit"):
        raise instruction.unknown()
    return lambda wave: wave.leave()


def trap(instruction: Instruction, scope: Scope, following: int) -> End:
    """trap: abort the kernel."""

    def end(_wave: Wave) -> int:
        raise EmulationError("trap")

    return end


def barrier(instruction: Instruction, scope: Scope, following: int) -> End:
    """Arrive at a barrier (bar, barrier) of a warp, a block, a part of a block, or a cluster."""
    parts = tuple(part for part in instruction.parts[1:] if part != "cta")
    if parts == ("warp", "sync"):
        return _sync_warp(following)
    if parts[:1] == ("cluster",):
        return _cluster(instruction, parts[1:], following)
    aligned = parts[1:] in ((), ("aligned",))
    if parts[:1] not in (("sync",), ("arrive",)) or not aligned:
        raise instruction.unknown()
    wait = parts[0] == "sync"
    number = scope.reader(instruction.args[0], "u32")
    expected = scope.reader(instruction.args[1] if len(instruction.args) > 1 else "0", "u32")

    def end(wave: Wave) -> int:
        numbers, counts = number(wave), expected(wave)
        if numbers.ndim == counts.ndim == 0:
            return wave.barriers.arrive(int(numbers), int(counts), following, wait=wait)
        return _each(wave, numbers, counts, following, wait=wait)

    return end


def _each(wave: Wave, numbers: Lanes, counts: Lanes, following: int, *, wait: bool) -> int:
    """Arrive at the barrier that each lane names. The lanes may name different barriers."""
    pairs = np.stack(np.broadcast_arrays(numbers, counts, wave.lanes), 1)[:, :2].astype(np.int64)
    lanes, before = wave.lanes, (wave.chosen, wave.count)
    wave.pc[lanes] = following
    for pair in np.unique(pairs, axis=0):
        chosen = lanes[(pairs == pair).all(axis=1)]
        wave.chosen = None if chosen.size == wave.size else chosen
        wave.count = int(chosen.size)
        wave.barriers.arrive(int(pair[0]), int(pair[1]), following, wait=wait)
    wave.chosen, wave.count = before
    return PARTED


def _sync_warp(following: int) -> End:
    def end(wave: Wave) -> int:
        wave.order.sync_warps(np.unique(wave.rows))
        return following

    return end


def _cluster(instruction: Instruction, parts: tuple[str, ...], following: int) -> End:
    kind, *rest = parts
    if kind not in ("arrive", "wait") or set(rest) - {"release", "relaxed", "acquire", "aligned"}:
        raise instruction.unknown()

    def arrive(wave: Wave) -> int:
        wave.barriers.arrive_cluster()
        return following

    def wait(wave: Wave) -> int:
        return wave.barriers.wait_cluster(following)

    return arrive if kind == "arrive" else wait


TABLE: dict[str, Callable[[Instruction, Scope], Step]] = {
    "membar": fence,
    "fence": fence,
    "nanosleep": nanosleep,
    "griddepcontrol": dependency,
}
ENDS: dict[str, Callable[[Instruction, Scope, int], End]] = {
    "bra": branch,
    "ret": leave,
    "exit": leave,
    "trap": trap,
    "bar": barrier,
    "barrier": barrier,
}
