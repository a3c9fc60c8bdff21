"""mov, selp, setp, set, slct, cvta, isspacep: moves, selections and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.access import LOCAL_WINDOW, SHARED_WINDOW
from emulator.operands import Read, Scope, Step, elements, reject
from emulator.scalars import RAW, Lanes, bf16_to_f32, dtype, is_type, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave

Compare = Callable[[Lanes, Lanes], Lanes]


def _ordered(compare: Callable[[Any, Any], Any]) -> Compare:
    return lambda a, b: compare(a, b) & ~_nan(a, b)


def _unordered(compare: Callable[[Any, Any], Any]) -> Compare:
    return lambda a, b: compare(a, b) | _nan(a, b)


def _nan(a: Lanes, b: Lanes) -> Lanes:
    if a.dtype.kind != "f":
        return np.zeros((), np.bool_)
    either: Lanes = np.isnan(a) | np.isnan(b)
    return either


COMPARE: dict[str, Compare] = {
    **{name: _ordered(np.equal) for name in ("eq",)},
    **{name: _ordered(np.not_equal) for name in ("ne",)},
    **{name: _ordered(np.less) for name in ("lt", "lo")},
    **{name: _ordered(np.less_equal) for name in ("le", "ls")},
    **{name: _ordered(np.greater) for name in ("gt", "hi")},
    **{name: _ordered(np.greater_equal) for name in ("ge", "hs")},
    "equ": _unordered(np.equal),
    "neu": _unordered(np.not_equal),
    "ltu": _unordered(np.less),
    "leu": _unordered(np.less_equal),
    "gtu": _unordered(np.greater),
    "geu": _unordered(np.greater_equal),
    "num": lambda a, b: ~_nan(a, b),
    "nan": _nan,
}
COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_UNSIGNED_ONLY = {"lo", "ls", "hi", "hs"}


def mov(instruction: Instruction, scope: Scope) -> Step:
    """Copy a register, a constant or an address; or split and join registers."""
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    target, source = instruction.args
    if target.startswith("{"):
        return _unpack(scope, elements(target), source, type_)
    if source.startswith("{"):
        return _pack(scope, target, elements(source), type_)
    if type_ == "pred":
        read, write = scope.predicate(source), scope.writer(target, type_)
    else:
        read, write = scope.reader(source, type_), scope.writer(target, type_)

    def step(wave: Wave) -> None:
        value = read(wave)
        # each register needs its own array
        write(wave, value.copy() if value.ndim and wave.chosen is None else value)

    return step


def _unpack(scope: Scope, targets: tuple[str, ...], source: str, type_: str) -> Step:
    part = f"b{8 * width(type_) // len(targets)}"
    read = scope.reader(source, type_)
    writes = [scope.writer(target, part) for target in targets]
    raw, narrow = RAW[width(type_)], dtype(part)
    shifts = [raw.type(8 * width(part) * number) for number in range(len(targets))]

    def step(wave: Wave) -> None:
        value = read(wave).view(raw)
        for write, shift in zip(writes, shifts, strict=True):
            write(wave, (value >> shift).astype(narrow))

    return step


def _pack(scope: Scope, target: str, sources: tuple[str, ...], type_: str) -> Step:
    part = f"b{8 * width(type_) // len(sources)}"
    reads = [scope.reader(source, part) for source in sources]
    write = scope.writer(target, type_)
    raw = RAW[width(type_)]
    shifts = [raw.type(8 * width(part) * number) for number in range(len(sources))]

    def step(wave: Wave) -> None:
        value = reads[0](wave).astype(raw)
        for read, shift in zip(reads[1:], shifts[1:], strict=True):
            value = value | (read(wave).astype(raw) << shift)
        write(wave, value)

    return step


def selp(instruction: Instruction, scope: Scope) -> Step:
    """selp: select one of two values by a predicate."""
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    target, first, second, predicate = instruction.args
    write = scope.writer(target, type_)
    a, b = scope.reader(first, type_), scope.reader(second, type_)
    p = scope.predicate(predicate)
    return lambda wave: write(wave, np.where(p(wave), a(wave), b(wave)))


def _comparison(
    instruction: Instruction, scope: Scope, parts: tuple[str, ...], type_: str
) -> tuple[Read, Read | None]:
    """(function that compares the operands, the predicate to combine with the result or None)."""
    compare = COMPARE.get(parts[0])
    if compare is None or (parts[0] in _UNSIGNED_ONLY and type_[0] not in "ub"):
        raise instruction.unknown()
    reject(instruction, set(COMBINE), parts[1:])
    reads = [scope.reader(operand, type_) for operand in instruction.args[1:3]]
    a, b = (_as_float(read) for read in reads) if type_ == "bf16" else reads
    third = scope.predicate(instruction.args[3]) if len(instruction.args) > 3 else None
    return (lambda wave: compare(a(wave), b(wave))), third


def _as_float(read: Read) -> Read:
    return lambda wave: bf16_to_f32(read(wave))


def setp(instruction: Instruction, scope: Scope) -> Step:
    """Compare into a predicate. A second target gets the opposite result."""
    type_ = instruction.parts[-1]
    parts = instruction.parts[1:-1]
    test, third = _comparison(instruction, scope, parts, type_)
    targets = instruction.args[0].split("|")
    write = scope.writer(targets[0], "pred")
    opposite = scope.writer(targets[1], "pred") if len(targets) > 1 else None
    combine = COMBINE[parts[1]] if len(parts) > 1 else None

    def step(wave: Wave) -> None:
        value = test(wave)
        other = ~value
        if combine is not None and third is not None:
            with_ = third(wave)
            value, other = combine(value, with_), combine(other, with_)
        write(wave, value)
        if opposite is not None:
            opposite(wave, other)

    return step


def set_(instruction: Instruction, scope: Scope) -> Step:
    """Compare into a number. True is all ones, or 1.0 for floats."""
    *parts, result, type_ = instruction.parts[1:]
    if not is_type(result):
        raise instruction.unknown()
    test, third = _comparison(instruction, scope, tuple(parts), type_)
    write = scope.writer(instruction.args[0], result)
    target = dtype(result)
    raw = RAW[target.itemsize]
    true = target.type(1) if target.kind == "f" else raw.type(np.iinfo(raw).max).view(target)
    combine = COMBINE[parts[1]] if len(parts) > 1 else None

    def step(wave: Wave) -> None:
        value = test(wave)
        if combine is not None and third is not None:
            value = combine(value, third(wave))
        write(wave, np.where(value, true, target.type(0)).astype(target))

    return step


def cvta(instruction: Instruction, scope: Scope) -> Step:
    """Convert addresses between a state space and the generic address space."""
    parts = instruction.parts[1:]
    back = parts[0] == "to"
    space, type_ = parts[-2], parts[-1]
    windows = {"global": 0, "const": 0, "shared": SHARED_WINDOW, "local": LOCAL_WINDOW}
    space = space.partition("::")[0]
    if space not in windows or len(parts) != 2 + back or type_ != "u64":
        raise instruction.unknown()
    window = np.uint64(windows[space])
    write = scope.writer(instruction.args[0], type_)
    read = scope.reader(instruction.args[1], type_)
    if back:
        return lambda wave: write(wave, read(wave) - window)
    return lambda wave: write(wave, read(wave) + window)


def isspacep(instruction: Instruction, scope: Scope) -> Step:
    """Whether a generic address is in the given state space."""
    space = instruction.parts[-1].partition("::")[0]
    if space not in ("global", "shared", "local"):
        raise instruction.unknown()
    write = scope.writer(instruction.args[0], "pred")
    read = scope.reader(instruction.args[1], "u64")
    number = {"global": 0, "shared": 1, "local": 2}[space]
    shift = np.uint64(56)
    return lambda wave: write(wave, (read(wave) >> shift) == number)


TABLE = {
    "mov": mov,
    "selp": selp,
    "setp": setp,
    "set": set_,
    "cvta": cvta,
    "isspacep": isspacep,
}
