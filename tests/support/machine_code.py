"""Reading the machine code of a compilation: instructions, loops, and what is under way in them."""

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
"""Length of an instruction since Volta."""


@dataclass(frozen=True)
class Instruction:
    """One instruction; ``address`` counts bytes from the start of its function."""

    opcode: str
    operands: str = ""
    predicate: str = ""
    address: int = 0

    @property
    def registers(self) -> set[int]:
        """The general registers that it names (a wide operand by its first)."""
        return {int(number) for number in re.findall(r"\bR(\d+)", self.operands)}

    @property
    def loaded(self) -> set[int]:
        """The registers that a global load fills; one of 256 bits names two fours of them."""
        named = [int(one) for one in re.findall(r"\bR(\d+)", self.operands.partition("[")[0])]
        first = named[: 2 if "256" in self.opcode else 1]
        each = self.width("LDG.") // 4 // len(first)
        return {start + k for start in first for k in range(each)}

    @property
    def target(self) -> int | None:
        """Where a branch goes."""
        found = re.search(r"0x[0-9a-f]+$", self.operands) if self.opcode.startswith("BRA") else None
        return int(found[0], 16) if found else None

    def width(self, *kinds: str) -> int:
        """Bytes that a thread moves, if it is a load or store of one of ``kinds``; else 0."""
        if not self.opcode.startswith(kinds):
            return 0
        bits = re.search(r"\.(64|128|256|U8|U16|S8|S16)\b", self.opcode)
        if bits is None:
            return 4
        return {"U8": 1, "S8": 1, "U16": 2, "S16": 2}.get(bits[1]) or int(bits[1]) // 8


Code = Sequence[Instruction]


@cache
def machine_code(file: str, options: tuple[str, ...], arch: str) -> dict[str, Code]:
    """Entry -> its instructions, in the order of their addresses.

    The disassembler is part of the `dev` extra.  Where it is missing this
    raises: a skip would hide that no kernel was looked at.
    """
    return code_of(compile_source(file, options, arch))


def code_of(image: Image) -> dict[str, Code]:
    """Entry -> its instructions, of any compilation."""
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
    """What the disassembler says; kept beside the compilation, because it takes as long."""
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
        installed = which("nvdisasm")  # a CUDA toolkit has one
        assert installed, "there is no nvdisasm: install the `dev` extra"
        return Path(installed)
    (found,) = (file for file in files if file.stem == "nvdisasm")
    return Path(str(found.locate()))


def loops(code: Code) -> Iterator[Code]:
    """The bodies of the loops, innermost ones included: from a branch's target to the branch.

    The idle loop that the assembler puts behind every function is none.
    """
    for each in code:
        if each.target is not None and each.target < each.address:
            yield [one for one in code if each.target <= one.address <= each.address]


def flat_loops(code: Code) -> list[Code]:
    """The bodies of the loops without a loop inside."""
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
    """Of the loops without a loop inside, the one with ``opcode`` (a prefix) most often."""
    best = max(flat_loops(code), key=lambda body: count(body, re.escape(opcode)), default=())
    assert count(best, re.escape(opcode)), f"no loop with {opcode}"
    return best


def innermost(code: Code, opcode: str) -> Code:
    """The shortest loop in which ``opcode`` (a prefix) stands."""
    bodies = [body for body in loops(code) if any(one.opcode.startswith(opcode) for one in body)]
    assert bodies, f"no loop with {opcode}"
    return min(bodies, key=len)


def is_one_hop_between_clocks(code: Code) -> bool:
    """Whether a loop with clocks in it reads: clock, load, a use of the value, the same clock.

    Issue is in order, so an instruction that needs the value holds up the clock behind it.  Beside
    the load nothing may access memory until the second clock is read, and nothing global at all.
    """
    timed = [body for body in loops(code) if _clocks(body) and count(body, "LDG")]
    body = min(timed, key=len, default=())
    clocks = _clocks(body)
    loads = [n for n, each in enumerate(body) if each.opcode.startswith(("LD", "ST", "RED", "AT"))]
    if len(clocks) != 2 or not loads or not body[loads[0]].opcode.startswith("LDG.E.64"):
        return False
    first, second = clocks
    if body[first].opcode != body[second].opcode:
        return False  # one of them through another unit: the difference has the times of both in it
    value = int(body[loads[0]].operands.removeprefix("R").split(",")[0])
    return (
        first < loads[0] < second
        and any(value in each.registers for each in body[loads[0] + 1 : second])
        and all(n > second and body[n].opcode.startswith("STS") for n in loads[1:])
    )


def _clocks(code: Code) -> list[int]:
    """Where the cycle counter is read."""
    return [n for n, each in enumerate(code) if "SR_CLOCKLO" in each.operands]


def count(code: Code, pattern: str) -> int:
    """Instructions whose opcode matches ``pattern`` from its beginning."""
    return sum(re.match(pattern, each.opcode) is not None for each in code)


def loads_under_way(code: Code, width: int = 16) -> int:
    """Global loads of ``width`` bytes that are issued before one of their values is needed.

    ``code`` is the body of a loop, read from its beginning.  A store to global memory ends the
    count as well: what stands behind it is not asked for before something else is written.
    """
    waiting: set[int] = set()
    loads = 0
    for each in code:
        if each.width("LDG.") == width:  # LDGSTS has no register to wait for
            waiting |= each.loaded
            loads += 1
        elif loads and (each.opcode.startswith("STG") or each.registers & waiting):
            break
    return loads


def tile_loop(code: Code, width: int = 16) -> Code:
    """The loop over whole tiles: without a loop inside, with the most accesses of ``width`` bytes.

    Counted are accesses of global memory.
    """

    def accesses(body: Code) -> int:
        return sum(each.width("LDG.", "STG.") == width for each in body)

    best = max(flat_loops(code), key=accesses, default=())
    assert accesses(best), f"no loop with global accesses of {width} bytes"
    return best


@dataclass(frozen=True)
class Streams:
    """Statement: a tile has so many accesses, and its loads are issued before the first is needed.

    Attributes:
        loads, stores: global ones of a thread in the loop over whole tiles.
        width: bytes of each.
    """

    loads: int
    stores: int
    width: int = 16

    def check(self, entry: str, code: Code) -> None:
        """Fail unless the machine code of ``entry`` shows that."""
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
    """Statement: the speed of this entry is in no number that is reported, for this reason."""

    why: str


Statement = Streams | Exempt | Callable[..., None]
"""What the machine code of an entry must show; a function is the test that reads it."""
