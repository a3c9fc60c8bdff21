"""Parses PTX text to variables, entries and instructions.

This module parses only the syntax. `emulator.instructions` defines the meaning of instructions.
Inline assembly creates nested scopes. Names in nested scopes are made unique.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from emulator.faults import UnknownInstruction
from emulator.scalars import width

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_ENTRY = re.compile(r"\.entry\s+([\w$]+)\s*\((.*?)\)([^{]*)\{", re.DOTALL)
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+)*(?:\d+\s+)?)?"
    r"([\w$]+)(?:\[(\d+)\])?"
)
_VARIABLE = re.compile(
    r"(?:\.(?:visible|extern|weak|common)\s+)*\.(global|const|shared|local)\s+"
    r"(?:\.align\s+(\d+)\s+)?(?:\.align\s+\d+\s+)?\.(\w+)\s+([\w$]+)((?:\[\d*\])*)\s*"
    r"(?:=\s*(.*))?$",
    re.DOTALL,
)
_STATEMENT = re.compile(r"\s*(?:([\w$]+):|([{}])|([^;{}]*(?:\{[^{}]*\}[^;{}]*)*);)", re.DOTALL)
_OPERATION = re.compile(r"(?:@(!?)([%\w$]+)\s+)?([a-z][\w.:]*)(?:\s+(.*))?$", re.DOTALL)
_NAME = re.compile(r"(?<![\w.%$])([A-Za-z_$%][\w$]*)")


@dataclass(frozen=True)
class Variable:
    """A variable of a module or of an entry.

    Attributes:
        size: size in bytes; 0 for dynamic shared memory.
        values: initial content; None without initialisation.
    """

    space: str
    name: str
    size: int
    align: int
    values: bytes | None = None


@dataclass(frozen=True)
class Parameter:
    """A kernel parameter of ``size`` bytes."""

    name: str
    size: int
    align: int


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        opcode: the complete opcode: ``ld.global.nc.v4.f32``.
        guard: register of the predicate, and whether it is negated.
        text: the source text, for messages.
    """

    opcode: str
    args: tuple[str, ...]
    guard: tuple[str, bool] | None
    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the opcode between dots: ``("ld", "global", ...)``."""
        return tuple(self.opcode.split("."))

    def unknown(self, why: str = "") -> UnknownInstruction:
        """The error to raise if this instruction is not emulated."""
        reason = f" ({why})" if why else ""
        return UnknownInstruction(f"PTX instruction not emulated: {self.text}{reason}")


@dataclass
class Entry:
    """A kernel as parsed from the source.

    Attributes:
        registers: name -> type.
        labels: unique name -> index of the instruction that follows.
        cluster: required number of blocks per cluster, in x; 0 without a requirement.
    """

    name: str
    parameters: list[Parameter]
    cluster: int = 0
    registers: dict[str, str] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """One PTX file.

    Attributes:
        arch: number of the target architecture, such as 90.
    """

    arch: int
    variables: tuple[Variable, ...]
    entries: dict[str, Entry]


def parse(ptx: str) -> Module:
    """Parse the text of a PTX file.

    Raises:
        UnknownInstruction: a statement cannot be parsed.
    """
    text = _COMMENT.sub("", ptx)
    target = re.search(r"\.target\s+sm_(\d+)", text)
    entries: dict[str, Entry] = {}
    outside = []
    start = 0
    for match in _ENTRY.finditer(text):
        end = _closing(text, match.end())
        outside.append(text[start : match.start()])
        start = end
        entries[match[1]] = _entry(match[1], match[2], match[3], text[match.end() : end - 1])
    outside.append(text[start:])
    statements = " ".join(outside).split(";")
    found = (_VARIABLE.search(" ".join(s.split())) for s in statements)
    variables = tuple(_variable(match) for match in found if match)
    return Module(int(target[1]) if target else 0, variables, entries)


def split(operands: str) -> tuple[str, ...]:
    """Split operands at commas, except within brackets and braces."""
    out, depth, current = [], 0, ""
    for character in operands:
        depth += (character in "{[(") - (character in "}])")
        if character == "," and depth == 0:
            out.append(current.strip())
            current = ""
        else:
            current += character
    return tuple([*out, current.strip()] if current.strip() else out)


def _closing(text: str, start: int) -> int:
    """Index after the closing brace of the block that begins before ``start``."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    raise UnknownInstruction("the PTX ends within an entry")


def _variable(match: re.Match[str]) -> Variable:
    space, align, type_, name, dimensions, values = match.groups()
    size = width(type_)
    count = 1
    for dimension in re.findall(r"\[(\d*)\]", dimensions):
        count *= int(dimension or 0)
    data = None
    if values is not None:
        numbers = split(values.strip().removeprefix("{").removesuffix("}"))
        data = b"".join(_number(number, size) for number in numbers)
        data = data.ljust(size * count, b"\0")
    return Variable(space, name, size * count, int(align or size), data)


def _number(text: str, size: int) -> bytes:
    if text[:2] in ("0f", "0F", "0d", "0D"):
        value = int.from_bytes(bytes.fromhex(text[2:]), "big")
    else:
        try:
            value = int(text.rstrip("U"), 0)
        except ValueError:
            raise UnknownInstruction(f"initial value not emulated: {text}") from None
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _entry(name: str, parameters: str, directives: str, body: str) -> Entry:
    entry = Entry(name, [_parameter(text) for text in split(parameters)])
    if found := re.search(
        r"\.reqnctapercluster\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?", directives
    ):
        if any(int(size or 1) != 1 for size in found.groups()[1:]):
            raise UnknownInstruction(f"{name}: clusters of more than one dimension")
        entry.cluster = int(found[1])
    _Body(entry).read(body)
    return entry


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.search(" ".join(text.split()))
    if not match:
        raise UnknownInstruction(f"parameter not understood: {text}")
    size = width(match[2])
    return Parameter(match[3], size * int(match[4] or 1), int(match[1] or size))


class _Body:
    """Parses the statements of an entry and tracks scopes."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._scopes: list[dict[str, str]] = [{}]
        self._paths: list[list[int]] = []  # for each instruction, the scopes around it
        self._path = [0]
        self._scope_count = 1
        self._labels: dict[tuple[int, str], str] = {}

    def read(self, body: str) -> None:
        position = 0
        while match := _STATEMENT.match(body, position):
            position = match.end()
            label, brace, statement = match.groups()
            if label:
                unique = f"{label}@{self._path[-1]}"
                self._labels[self._path[-1], label] = unique
                self._entry.labels[unique] = len(self._entry.instructions)
            elif brace == "{":
                self._scopes.append({})
                self._path = [*self._path, self._scope_count]
                self._scope_count += 1
            elif brace == "}":
                self._scopes.pop()
                self._path = self._path[:-1]
            elif text := " ".join(statement.split()):
                self._statement(text)
        if rest := body[position:].strip():
            raise UnknownInstruction(f"PTX not understood: {rest[:60]}")
        self._resolve_labels()

    def _statement(self, text: str) -> None:
        if text.startswith((".pragma", ".loc ", ".maxnreg")):
            return
        if found := re.match(r"\.reg \.(\w+) (.*)", text):
            for name in split(found[2]):
                self._register(found[1], name)
        elif found := _VARIABLE.match(text):
            self._entry.variables.append(_variable(found))
        elif found := _OPERATION.match(text):
            negated, guard, opcode, operands = found.groups()
            self._entry.instructions.append(
                Instruction(
                    opcode,
                    tuple(self._renamed(operand) for operand in split(operands or "")),
                    (self._renamed(guard), negated == "!") if guard else None,
                    text,
                )
            )
            self._paths.append(self._path)
        else:
            raise UnknownInstruction(f"PTX not understood: {text}")

    def _register(self, type_: str, name: str) -> None:
        width(type_)
        if found := re.match(r"(%?[\w$]+)<(\d+)>", name):
            for number in range(int(found[2])):
                self._entry.registers[f"{found[1]}{number}"] = type_
            return
        unique = name if len(self._scopes) == 1 else f"{name}@{self._path[-1]}"
        self._scopes[-1][name] = unique
        self._entry.registers[unique] = type_

    def _renamed(self, operand: str) -> str:
        def found(match: re.Match[str]) -> str:
            for scope in reversed(self._scopes):
                if match[1] in scope:
                    return scope[match[1]]
            return match[1]

        return _NAME.sub(found, operand)

    def _resolve_labels(self) -> None:
        """Replace branch targets by their unique names, searched from inner to outer scopes."""
        entry = self._entry
        for index, (instruction, path) in enumerate(
            zip(entry.instructions, self._paths, strict=True)
        ):
            if instruction.parts[0] not in ("bra", "brx"):
                continue
            target = instruction.args[0]
            for scope in reversed(path):
                if (scope, target) in self._labels:
                    entry.instructions[index] = Instruction(
                        instruction.opcode,
                        (self._labels[scope, target], *instruction.args[1:]),
                        instruction.guard,
                        instruction.text,
                    )
                    break
            else:
                raise UnknownInstruction(f"no such label: {instruction.text}")
