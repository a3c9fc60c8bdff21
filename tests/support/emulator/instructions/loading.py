"""The instructions ld, st and prefetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.access import local_places, read_global, resolve, shared_places, write_global
from emulator.operands import Read, Scope, Step, Write, elements
from emulator.scalars import RAW, Lanes, dtype, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

SPACES = {"global", "shared", "shared::cta", "shared::cluster", "const", "local", "param"}
_CACHING = {"ca", "cg", "cs", "cv", "lu", "wb", "wt", "nc"}
_STRONG = {"volatile", "relaxed", "acquire", "release", "mmio"}
_SCOPES = {"cta", "cluster", "gpu", "sys"}
_WEAK = {"weak"}


def _is_hint(part: str) -> bool:
    """Whether ``part`` is an eviction priority or a prefetch size, which never affect a result."""
    level, _, hint = part.partition("::")
    if level not in ("L1", "L2"):
        return False
    priorities = {"evict_normal", "evict_unchanged", "evict_first", "evict_last", "no_allocate"}
    return hint in priorities or hint in {"64B", "128B", "256B"}


class _Form:
    """The parts of an opcode: state space, vector length, element type, strong or weak access."""

    def __init__(self, instruction: Instruction) -> None:
        self.space = "generic"
        self.parts = 1
        self.strong = False
        self.type = instruction.parts[-1]
        self.element = width(self.type)
        for part in instruction.parts[1:-1]:
            if part in SPACES:
                self.space = part.partition("::")[0]
            elif part in ("v2", "v4", "v8"):
                self.parts = int(part[1:])
            elif part in _STRONG:
                self.strong = True
            elif part not in _CACHING | _SCOPES | _WEAK and not _is_hint(part):
                raise instruction.unknown(f".{part}")

    @property
    def size(self) -> int:
        """Bytes that one thread accesses."""
        return self.element * self.parts


def ld(instruction: Instruction, scope: Scope) -> Step:
    """ld: load one to eight elements per thread."""
    form = _Form(instruction)
    target, source = instruction.args
    writes = [scope.writer(part, form.type) for part in elements(target)]
    if len(writes) != form.parts:
        raise instruction.unknown("operands")
    if form.space == "param":
        return _load_parameter(instruction, scope, form, writes)
    address = scope.address(source)
    value = dtype(form.type)

    def step(wave: Wave) -> None:
        space, addresses = resolve(form.space, address(wave))
        if space in ("global", "const"):
            values = read_global(wave, addresses, form.element, form.parts)
            if space == "const":
                wave.counts.bytes["ld.const"] += wave.count * form.size
            else:
                wave.counts.count_global("ld.global", wave.rows, addresses, form.size)
        elif space == "shared":
            values = _read_shared(wave, addresses, form)
        else:
            values = _read_local(wave, addresses, form)
        for write, part in zip(writes, values, strict=True):
            write(wave, part.view(value))

    return step


def _read_shared(wave: Wave, addresses: Lanes, form: _Form) -> list[Lanes]:
    shared = wave.shared
    places = shared_places(wave, addresses, form.size, form.size)
    shared.read(places, form.size, wave.lanes, wave.rows, strong=form.strong)
    wave.counts.count_shared("ld.shared", wave.rows, wave.threads, places, form.size)
    index = places // form.element
    return [shared.cells[form.element][index + part] for part in range(form.parts)]


def _read_local(wave: Wave, addresses: Lanes, form: _Form) -> list[Lanes]:
    index = local_places(wave, addresses, form.size) // form.element
    wave.counts.bytes["ld.local"] += wave.count * form.size
    cells = wave.local.view(RAW[form.element])
    return [cells[index + part] for part in range(form.parts)]


def _load_parameter(
    instruction: Instruction, scope: Scope, form: _Form, writes: list[Write]
) -> Step:
    name, _, offset = instruction.args[1].strip("[]").partition("+")
    if name not in scope.parameters:
        raise instruction.unknown("not a parameter of the kernel")
    start = scope.parameters[name] + int(offset or "0", 0)
    value = dtype(form.type)

    def step(wave: Wave) -> None:
        raw = wave.parameters[start : start + form.size].tobytes()
        for write, element in zip(writes, np.frombuffer(raw, value), strict=True):
            write(wave, np.full(wave.count, element))

    return step


def st(instruction: Instruction, scope: Scope) -> Step:
    """st: store one to eight elements per thread."""
    form = _Form(instruction)
    if form.space in ("param", "const"):
        raise instruction.unknown()
    target, source = instruction.args
    reads: list[Read] = [scope.reader(part, form.type) for part in elements(source)]
    if len(reads) != form.parts:
        raise instruction.unknown("operands")
    address = scope.address(target)
    raw = RAW[form.element]

    def step(wave: Wave) -> None:
        space, addresses = resolve(form.space, address(wave))
        values = [read(wave).view(raw) for read in reads]
        if space == "global":
            write_global(wave, addresses, form.element, values)
            wave.counts.count_global("st.global", wave.rows, addresses, form.size)
        elif space == "shared":
            _write_shared(wave, addresses, form, values)
        else:
            index = local_places(wave, addresses, form.size) // form.element
            wave.counts.bytes["st.local"] += wave.count * form.size
            for part, value in enumerate(values):
                wave.local.view(raw)[index + part] = value

    return step


def _write_shared(wave: Wave, addresses: Lanes, form: _Form, values: list[Lanes]) -> None:
    shared = wave.shared
    places = shared_places(wave, addresses, form.size, form.size)
    shared.write(places, form.size, wave.lanes, wave.rows, strong=form.strong)
    wave.counts.count_shared("st.shared", wave.rows, wave.threads, places, form.size)
    index = places // form.element
    for part, value in enumerate(values):
        shared.cells[form.element][index + part] = value


def prefetch(instruction: Instruction, scope: Scope) -> Step:
    """prefetch.global: count the prefetch, and check its address like a load of one byte."""
    if instruction.parts[1:] not in {
        ("global", "L1"),
        ("global", "L2"),
        ("L1",),
        ("L2",),
        ("global", "L2::evict_last"),
        ("global", "L2::evict_normal"),
    }:
        raise instruction.unknown()
    address = scope.address(instruction.args[0])

    def step(wave: Wave) -> None:
        addresses = address(wave)
        wave.memory.offsets(addresses, 1)
        wave.counts.count_global("prefetch.global", wave.rows, addresses, 1)

    return step


TABLE = {"ld": ld, "st": st, "prefetch": prefetch}
