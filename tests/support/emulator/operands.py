"""Operands, decoded once to closures that read and write the registers of a wave."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.faults import UnknownInstruction
from emulator.scalars import RAW, SIGNED, Lanes, dtype, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

Read = Callable[["Wave"], Lanes]
Write = Callable[["Wave", Lanes], None]
Step = Callable[["Wave"], None]
End = Callable[["Wave"], int]
"""The end of a basic block: returns the next basic block, or -1 if the lanes diverged."""

_ADDRESS = re.compile(r"\[\s*([%\w$.@]+)\s*(?:\+\s*(-?\w+))?\s*\]$")
CLOCKS = {"%clock": "u32", "%clock_hi": "u32", "%clock64": "u64", "%globaltimer": "u64"}
CLOCKS |= {"%globaltimer_lo": "u32", "%globaltimer_hi": "u32"}
SPECIAL = {
    *(f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"),
    *(f"%{name}.{axis}" for name in ("clusterid", "nclusterid") for axis in "xyz"),
    *(f"%{name}.{axis}" for name in ("cluster_ctaid", "cluster_nctaid") for axis in "xyz"),
    *("%laneid", "%warpid", "%nwarpid", "%smid", "%nsmid", "%gridid"),
    *("%cluster_ctarank", "%cluster_nctarank", "%is_explicit_cluster"),
    *("%dynamic_smem_size", "%total_smem_size"),
    *(f"%lanemask_{which}" for which in ("eq", "lt", "le", "gt", "ge")),
}


@dataclass(frozen=True)
class Symbol:
    """A variable: its state space, and its address or its offset in a block's memory."""

    space: str
    value: int


@dataclass(frozen=True)
class Slot:
    """A register: its index in the wave, and its type."""

    number: int
    type: str

    @property
    def width(self) -> int:
        return width(self.type)


class Scope:
    """The names that are visible in one entry: registers, variables, parameters, labels.

    Args:
        parameters: name -> offset in the bytes of the parameters.
        blocks: label -> index of the basic block.
    """

    def __init__(
        self,
        registers: Mapping[str, str],
        symbols: Mapping[str, Symbol],
        parameters: Mapping[str, int],
        blocks: Mapping[str, int],
    ) -> None:
        self._slots = {
            name: Slot(number, type_) for number, (name, type_) in enumerate(registers.items())
        }
        self.symbols = symbols
        self.parameters = parameters
        self.blocks = blocks

    @property
    def slots(self) -> list[Slot]:
        """All registers in the order of their indices."""
        return list(self._slots.values())

    def slot(self, name: str) -> Slot:
        """The register named ``name``.

        Raises:
            UnknownInstruction: no such register.
        """
        try:
            return self._slots[name]
        except KeyError:
            raise UnknownInstruction(f"no such register: {name}") from None

    def has(self, name: str) -> bool:
        return name in self._slots

    def reader(self, operand: str, type_: str) -> Read:
        """A function that reads ``operand`` (register, special register, constant) as ``type_``."""
        if operand in self._slots:
            return _register_reader(self._slots[operand], type_)
        if operand in SPECIAL:
            return _special_reader(operand, dtype(type_))
        if operand in CLOCKS:
            return _clock_reader(dtype(type_), high=operand.endswith("_hi"))
        return _constant_reader(self._constant(operand, type_))

    def predicate(self, operand: str) -> Read:
        """A function that reads a predicate: ``%p1``, ``!%p1``, 0 or 1."""
        if operand.startswith("!"):
            inner = self.predicate(operand[1:])
            return lambda wave: ~inner(wave)
        if operand in ("0", "1"):
            return _constant_reader(np.bool_(operand == "1"))
        return self.reader(operand, "pred")

    def _constant(self, operand: str, type_: str) -> Any:
        target = dtype(type_)
        if operand in self.symbols:
            return np.uint64(self.symbols[operand].value).astype(target)
        if operand == "WARP_SZ":
            return target.type(32)
        if operand[:2] in ("0f", "0F"):
            return _bits(
                np.frombuffer(bytes.fromhex(operand[2:]), ">f4")[0].astype(np.float32), target
            )
        if operand[:2] in ("0d", "0D"):
            return _bits(
                np.frombuffer(bytes.fromhex(operand[2:]), ">f8")[0].astype(np.float64), target
            )
        try:
            value = int(operand.rstrip("U"), 0)
        except ValueError:
            raise UnknownInstruction(f"operand not emulated: {operand}") from None
        raw = RAW[target.itemsize]
        return raw.type(value & ((1 << 8 * target.itemsize) - 1)).view(target)

    def writer(self, operand: str, type_: str) -> Write:
        """A function that writes values of ``type_`` to the register ``operand``.

        The operand ``_`` discards the values.
        """
        if operand == "_":
            return lambda _wave, _value: None
        slot = self.slot(operand)
        if (slot.type == "pred") != (type_ == "pred"):
            raise UnknownInstruction(f"{operand} is of type {slot.type}, not {type_}")
        if slot.width == width(type_):
            return _register_writer(slot)
        if slot.width < width(type_):
            raise UnknownInstruction(f"{operand} is too narrow for {type_}")
        return _widening_writer(slot, type_)

    def address(self, operand: str) -> Read:
        """A function that returns ``[register+offset]`` or ``[variable+offset]`` as int64."""
        match = _ADDRESS.match(operand)
        if not match:
            raise UnknownInstruction(f"address not emulated: {operand}")
        name, offset = match[1], int(match[2] or "0", 0)
        if name not in self._slots:
            value = self.symbols[name].value if name in self.symbols else self._integer(name)
            constant = np.int64(value + offset)
            return lambda wave: np.full(wave.count, constant)
        slot = self._slots[name]
        number = slot.number
        if slot.width == 8:

            def wide(wave: Wave) -> Lanes:
                value = wave.registers[number]
                if wave.chosen is not None:
                    value = value[wave.chosen]
                value = value.view(np.int64)
                return value + offset if offset else value

            return wide

        def narrow(wave: Wave) -> Lanes:
            value = wave.registers[number]
            if wave.chosen is not None:
                value = value[wave.chosen]
            return value.view(np.uint32).astype(np.int64) + offset

        return narrow

    @staticmethod
    def _integer(name: str) -> int:
        try:
            return int(name, 0)
        except ValueError:
            raise UnknownInstruction(f"address not emulated: {name}") from None


def _bits(value: Any, target: np.dtype[Any]) -> Any:
    if value.dtype.itemsize == target.itemsize:
        return value.view(target)
    return value.astype(target)


def _register_reader(slot: Slot, type_: str) -> Read:
    number, target = slot.number, dtype(type_)
    if (slot.type == "pred") != (type_ == "pred"):
        raise UnknownInstruction(f"a register of type {slot.type} as {type_}")
    if slot.width == target.itemsize:

        def same(wave: Wave) -> Lanes:
            value = wave.registers[number]
            if wave.chosen is not None:
                value = value[wave.chosen]
            return value if value.dtype is target else value.view(target)

        return same
    own, raw = RAW[slot.width], RAW[target.itemsize]
    if slot.width < target.itemsize:
        raise UnknownInstruction(f"a register of type {slot.type} is too narrow for {type_}")

    def narrowed(wave: Wave) -> Lanes:
        value = wave.registers[number]
        if wave.chosen is not None:
            value = value[wave.chosen]
        return value.view(own).astype(raw).view(target)

    return narrowed


def _special_reader(name: str, target: np.dtype[Any]) -> Read:
    raw = RAW[target.itemsize]

    def read(wave: Wave) -> Lanes:
        value = wave.special(name)
        if value.ndim and wave.chosen is not None:
            value = value[wave.chosen]
        return value.astype(raw).view(target)

    return read


def _clock_reader(target: np.dtype[Any], *, high: bool) -> Read:
    mask = (1 << 8 * target.itemsize) - 1
    shift = 32 if high else 0

    def read(wave: Wave) -> Lanes:
        return np.full(wave.count, (wave.clock() >> shift) & mask, target)

    return read


def _constant_reader(value: Any) -> Read:
    return lambda _wave: value


def _register_writer(slot: Slot) -> Write:
    number = slot.number

    def write(wave: Wave, value: Lanes) -> None:
        if wave.chosen is not None:
            register = wave.registers[number]
            register.view(value.dtype)[wave.chosen] = value
        elif value.ndim:
            wave.registers[number] = value
        else:
            wave.registers[number] = np.full(wave.count, value)

    return write


def _widening_writer(slot: Slot, type_: str) -> Write:
    """A function that writes a narrow value to a wide register. Signed types are sign-extended."""
    write = _register_writer(slot)
    wide = (SIGNED if type_.startswith("s") else RAW)[slot.width]
    if type_.startswith(("f", "bf")):
        narrow = RAW[width(type_)]
        return lambda wave, value: write(wave, value.view(narrow).astype(wide))
    return lambda wave, value: write(wave, value.astype(wide))


def elements(operand: str) -> tuple[str, ...]:
    """``{a, b}`` -> ("a", "b"). Any other operand -> a tuple of the operand."""
    return tuple(part.strip() for part in operand.strip("{}").split(","))


def reject(instruction: Instruction, allowed: set[str], parts: tuple[str, ...]) -> None:
    """Raise an error if one of the modifiers ``parts`` is not in ``allowed``.

    Raises:
        UnknownInstruction: a modifier is not allowed.
    """
    for part in parts:
        if part not in allowed:
            raise instruction.unknown(f".{part}")
