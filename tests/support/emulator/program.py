"""An entry decoded for execution: basic blocks of closures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emulator.access import SHARED_START
from emulator.barriers import PARTED
from emulator.faults import EmulationError
from emulator.instructions import ENDS, STEPS, member_of
from emulator.operands import End, Read, Scope, Slot, Step, Symbol
from emulator.scalars import is_type, width
from emulator.source import Entry, Instruction, Module, Variable

if TYPE_CHECKING:
    from emulator.wave import Wave


@dataclass(frozen=True)
class BasicBlock:
    """A sequence of instructions without a branch inside.

    Attributes:
        steps: one closure for each instruction except the last instruction, which is ``end``.
        opcodes: opcodes that every thread of the group executes; guarded instructions are counted
            when they are executed.
        cost: number of steps that the block adds to the clocks.
        member: for a single instruction of a whole warp, the mask of participating threads.
    """

    steps: tuple[Step, ...]
    end: End
    instructions: tuple[Instruction, ...]
    opcodes: tuple[str, ...]
    cost: int
    member: Read | None


@dataclass(frozen=True)
class Program:
    """A kernel that can be launched.

    Attributes:
        shared_bytes: bytes of a block's static shared memory.
        local_bytes: bytes of local memory per thread.
        grain: width in bytes of the narrowest access to shared memory, at most 4.
    """

    name: str
    entry: Entry
    slots: tuple[Slot, ...]
    blocks: tuple[BasicBlock, ...]
    shared_bytes: int
    local_bytes: int
    grain: int


def decode(module: Module, entry: Entry, addresses: Mapping[str, int]) -> Program:
    """Decode ``entry`` for execution.

    Args:
        addresses: addresses of the module's variables in global and constant memory.

    Raises:
        UnknownInstruction: an instruction is not emulated.
    """
    layout = _Layout(module.variables + tuple(entry.variables), addresses)
    starts = _starts(entry)
    numbers = {start: number for number, start in enumerate(starts)}
    scope = Scope(
        entry.registers,
        layout.symbols,
        _offsets(entry),
        {label: numbers[index] for label, index in entry.labels.items()},
    )
    ends = [*starts[1:], len(entry.instructions)]
    try:
        blocks = [
            _block(entry.instructions[start:end], scope, number + 1)
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]
    except EmulationError as error:
        raise type(error)(f"{entry.name}: {error}") from error
    # A thread ends after the last instruction of the kernel.
    blocks.append(BasicBlock((), _leave, (), (), 1, None))
    return Program(
        entry.name,
        entry,
        tuple(scope.slots),
        tuple(blocks),
        layout.shared_end,
        layout.local_end,
        _grain(entry),
    )


class _Layout:
    """Offsets of variables in static shared memory, dynamic shared memory and local memory."""

    def __init__(self, variables: tuple[Variable, ...], addresses: Mapping[str, int]) -> None:
        self.symbols = {name: Symbol("global", address) for name, address in addresses.items()}
        self.shared_end = SHARED_START
        self.local_end = 0
        dynamic = [v for v in variables if v.space == "shared" and v.size == 0]
        for variable in variables:
            if variable.space == "shared" and variable.size:
                start = _aligned(self.shared_end, variable.align)
                self.symbols[variable.name] = Symbol("shared", start)
                self.shared_end = start + variable.size
            elif variable.space == "local":
                start = _aligned(self.local_end, variable.align)
                self.symbols[variable.name] = Symbol("local", start)
                self.local_end = _aligned(start + variable.size, 16)
        if dynamic:
            self.shared_end = _aligned(self.shared_end, max(16, *(v.align for v in dynamic)))
        for variable in dynamic:
            self.symbols[variable.name] = Symbol("shared", self.shared_end)


def _aligned(offset: int, align: int) -> int:
    return -(-offset // align) * align


def _offsets(entry: Entry) -> dict[str, int]:
    offsets, end = {}, 0
    for parameter in entry.parameters:
        offsets[parameter.name] = _aligned(end, parameter.align)
        end = offsets[parameter.name] + parameter.size
    return offsets


def _ends_block(instruction: Instruction) -> bool:
    return instruction.parts[0] in ENDS or _alone(instruction)


def _alone(instruction: Instruction) -> bool:
    return member_of(instruction) is not None


def _starts(entry: Entry) -> list[int]:
    starts = {0, *entry.labels.values()}
    for index, instruction in enumerate(entry.instructions):
        if _alone(instruction):
            starts.add(index)
        if _ends_block(instruction):
            starts.add(index + 1)
    return sorted(starts)


def _block(instructions: list[Instruction], scope: Scope, following: int) -> BasicBlock:
    if not instructions:
        return BasicBlock((), _to(following), (), (), 1, None)
    last = instructions[-1]
    body = instructions
    end = _to(following)
    if last.parts[0] in ENDS:
        body = instructions[:-1]
        end = _end(last, scope, following)
    member = member_of(last)
    return BasicBlock(
        tuple(_step(instruction, scope) for instruction in body),
        end,
        tuple(instructions),
        tuple(i.opcode for i in instructions if i.guard is None),
        len(instructions),
        None if member is None else scope.reader(member, "u32"),
    )


def _to(target: int) -> End:
    return lambda _wave: target


def _leave(wave: Wave) -> int:
    return wave.leave()


def _step(instruction: Instruction, scope: Scope) -> Step:
    maker = STEPS.get(instruction.parts[0])
    if maker is None:
        raise instruction.unknown()
    step = maker(instruction, scope)
    if instruction.guard is None:
        return step
    wanted = _guard(instruction, scope)
    opcode = instruction.opcode

    def guarded(wave: Wave) -> None:
        chosen = wanted(wave)
        count = int(np.count_nonzero(chosen))
        if not count:
            return
        wave.counts.opcodes[opcode] += count
        if count == wave.count:
            step(wave)
            return
        before = wave.chosen, wave.count
        wave.chosen, wave.count = wave.lanes[chosen], count
        step(wave)
        wave.chosen, wave.count = before

    return guarded


def _end(instruction: Instruction, scope: Scope, following: int) -> End:
    end = ENDS[instruction.parts[0]](instruction, scope, following)
    if instruction.guard is None:
        return end
    wanted = _guard(instruction, scope)
    opcode = instruction.opcode

    def guarded(wave: Wave) -> int:
        chosen = wanted(wave)
        count = int(np.count_nonzero(chosen))
        if not count:
            return following
        wave.counts.opcodes[opcode] += count
        if count == wave.count:
            return end(wave)
        before = wave.chosen, wave.count
        wave.pc[wave.lanes] = following
        wave.chosen, wave.count = wave.lanes[chosen], count
        target = end(wave)
        if target != PARTED:
            wave.pc[wave.lanes] = target
        wave.chosen, wave.count = before
        return PARTED

    return guarded


def _guard(instruction: Instruction, scope: Scope) -> Read:
    assert instruction.guard is not None
    name, negated = instruction.guard
    return scope.predicate(f"!{name}" if negated else name)


def _grain(entry: Entry) -> int:
    widths = [4]
    for instruction in entry.instructions:
        parts = instruction.parts
        accesses = parts[0] in ("ld", "st", "atom", "red") and is_type(parts[-1])
        if accesses and not {"global", "param", "const", "local"} & set(parts):
            widths.append(width(parts[-1]))
    return min(widths)
