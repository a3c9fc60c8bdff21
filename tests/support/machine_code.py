"""Parse the machine code of a compilation: instructions, loops, and loads in flight in loops."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shutil import which

from membench.core.cache_dir import cache_directory
from membench.gpu.cuda.compile import Image, compile_source
from membench.gpu.cuda.image_cache import image_key

INSTRUCTION_BYTES = 16
"""Bytes per instruction, since Volta."""


@dataclass(frozen=True)
class Instruction:
    """One machine instruction.

    ``address`` is the offset in bytes from the start of the function.
    """

    opcode: str
    operands: str = ""
    predicate: str = ""
    address: int = 0

    @property
    def registers(self) -> set[int]:
        """The general registers in the operands.

        A wide operand has only its first register in the set.
        """
        return {int(number) for number in re.findall(r"\bR(\d+)", self.operands)}

    @property
    def loaded(self) -> set[int]:
        """The registers that a global load writes.

        A load of 256 bits names two groups of four registers.
        """
        named = [int(one) for one in re.findall(r"\bR(\d+)", self.operands.partition("[")[0])]
        first = named[: 2 if "256" in self.opcode else 1]
        each = self.width("LDG.") // 4 // len(first)
        return {start + k for start in first for k in range(each)}

    @property
    def target(self) -> int | None:
        """The target address of a branch; None for other instructions."""
        found = re.search(r"0x[0-9a-f]+$", self.operands) if self.opcode.startswith("BRA") else None
        return int(found[0], 16) if found else None

    def width(self, *kinds: str) -> int:
        """Bytes per thread of a load or store with an opcode prefix in ``kinds``; otherwise 0."""
        if not self.opcode.startswith(kinds):
            return 0
        bits = re.search(r"\.(64|128|256|U8|U16|S8|S16)\b", self.opcode)
        if bits is None:
            return 4
        return {"U8": 1, "S8": 1, "U16": 2, "S16": 2}.get(bits[1]) or int(bits[1]) // 8


Code = Sequence[Instruction]


@cache
def machine_code(file: str, options: tuple[str, ...], arch: str) -> dict[str, Code]:
    """Entry -> its instructions in the order of their addresses.

    The disassembler is part of the `dev` extra. A missing disassembler raises an error instead of
    skipping the test, because a skipped test would leave all kernels unchecked.
    """
    return code_of(compile_source(file, options, arch))


def code_of(image: Image) -> dict[str, Code]:
    """Entry -> its instructions, for the compilation ``image``."""
    shown = _disassembled(image.cubin)
    return {
        function["function-name"]: tuple(
            Instruction(
                each["opcode"],
                each.get("operands") or "",
                each.get("predicate") or "",
                number * INSTRUCTION_BYTES,
            )
            for number, each in enumerate(function["sass-instructions"])
        )
        for function in json.loads(shown)[1]
    }


def _disassembled(cubin: bytes) -> str:
    """The output of the disassembler as JSON. The output is cached, because disassembly is slow."""
    tool = _disassembler()
    found = tool.stat()
    key = image_key([f"{tool} {found.st_size} {found.st_mtime_ns}".encode(), cubin])
    directory = cache_directory("disassemblies")
    kept = directory / f"{key}.json" if directory else None
    if kept and kept.exists():
        return kept.read_text()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.cubin"
        path.write_bytes(cubin)
        command = [str(tool), "-json", str(path)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if kept:
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(shown)
        partial.replace(kept)
    return shown


@cache
def _disassembler() -> Path:
    try:
        files = distribution("nvidia-cuda-nvdisasm").files or ()
    except PackageNotFoundError:
        installed = which("nvdisasm")  # from a CUDA toolkit
        assert installed, "there is no nvdisasm: install the `dev` extra"
        return Path(installed)
    (found,) = (file for file in files if file.stem == "nvdisasm")
    return Path(str(found.locate()))


def loops(code: Code) -> Iterator[Code]:
    """The bodies of all loops, inner and outer.

    A body reaches from the target of a backward branch to the branch. The idle loop that the
    assembler adds after every function is left out.
    """
    for each in code:
        if each.target is not None and each.target < each.address:
            yield [one for one in code if each.target <= one.address <= each.address]


def flat_loops(code: Code) -> list[Code]:
    """The bodies of all innermost loops."""
    bodies = list(loops(code))
    return [
        body
        for body in bodies
        if not any(
            body[0].address <= other[0].address
            and other[-1].address <= body[-1].address
            and other != body
            for other in bodies
        )
    ]


def main_loop(code: Code, opcode: str) -> Code:
    """The innermost loop with the most instructions that begin with ``opcode``."""
    best = max(flat_loops(code), key=lambda body: count(body, re.escape(opcode)), default=())
    assert count(best, re.escape(opcode)), f"no loop with {opcode}"
    return best


def innermost(code: Code, opcode: str) -> Code:
    """The shortest loop that contains ``opcode`` (a prefix)."""
    bodies = [body for body in loops(code) if any(one.opcode.startswith(opcode) for one in body)]
    assert bodies, f"no loop with {opcode}"
    return min(bodies, key=len)


def is_one_hop_between_clocks(code: Code) -> bool:
    """Whether a loop reads a clock, loads a value, uses the value and reads the clock again.

    Instructions are issued in order, so the use of the value delays the second clock. No other
    instruction between the clocks may access memory. The loop must have no other access to global
    memory.
    """
    timed = [body for body in loops(code) if _clocks(body) and count(body, "LDG")]
    body = min(timed, key=len, default=())
    clocks = _clocks(body)
    loads = [n for n, each in enumerate(body) if each.opcode.startswith(("LD", "ST", "RED", "AT"))]
    if len(clocks) != 2 or not loads or not body[loads[0]].opcode.startswith("LDG.E.64"):
        return False
    first, second = clocks
    if body[first].opcode != body[second].opcode:
        return False  # two different clocks: the difference would include both latencies
    value = int(body[loads[0]].operands.removeprefix("R").split(",")[0])
    return (
        first < loads[0] < second
        and any(value in each.registers for each in body[loads[0] + 1 : second])
        and all(n > second and body[n].opcode.startswith("STS") for n in loads[1:])
    )


def _clocks(code: Code) -> list[int]:
    """The indices of instructions that read the cycle counter."""
    return [n for n, each in enumerate(code) if "SR_CLOCKLO" in each.operands]


def count(code: Code, pattern: str) -> int:
    """Number of instructions whose opcode begins with a match of the regex ``pattern``."""
    return sum(re.match(pattern, each.opcode) is not None for each in code)


def loads_under_way(code: Code, width: int = 16) -> int:
    """Number of global loads of ``width`` bytes issued before a loaded value is needed.

    ``code`` is the body of a loop. A store to global memory also ends the count, because later
    loads are issued only after the store.
    """
    waiting: set[int] = set()
    loads = 0
    for each in code:
        if each.width("LDG.") == width:  # LDGSTS has no target register
            waiting |= each.loaded
            loads += 1
        elif loads and (each.opcode.startswith("STG") or each.registers & waiting):
            break
    return loads


def tile_loop(code: Code, width: int = 16) -> Code:
    """The loop over whole tiles: the innermost loop with the most accesses of ``width`` bytes.

    Only accesses to global memory count.
    """

    def accesses(body: Code) -> int:
        return sum(each.width("LDG.", "STG.") == width for each in body)

    best = max(flat_loops(code), key=accesses, default=())
    assert accesses(best), f"no loop with global accesses of {width} bytes"
    return best


@dataclass(frozen=True)
class Streams:
    """A machine-code statement: the accesses of a tile; all loads are issued before the first use.

    Attributes:
        loads, stores: number of global accesses per thread in the loop over whole tiles.
        width: bytes of each access.
    """

    loads: int
    stores: int
    width: int = 16

    def check(self, entry: str, code: Code) -> None:
        """Fail unless the machine code of ``entry`` satisfies the statement."""
        body = tile_loop(code, self.width)
        loads = sum(each.width("LDG.") == self.width for each in body)
        stores = sum(each.width("STG.") == self.width for each in body)
        assert (loads, stores) == (self.loads, self.stores), (
            f"{entry}: a tile has {loads} loads and {stores} stores of {self.width} bytes, "
            f"its statement says {self.loads} and {self.stores}"
        )
        under_way = loads_under_way(body, self.width)
        assert under_way == loads, (
            f"{entry}: {under_way} of {loads} loads are issued before the first value is needed"
        )


@dataclass(frozen=True)
class Exempt:
    """A machine-code statement: the speed of the entry affects no reported value, and why."""

    why: str


Statement = Streams | Exempt | Callable[..., None]
"""The requirements for the machine code of an entry. A function is a separate test."""
