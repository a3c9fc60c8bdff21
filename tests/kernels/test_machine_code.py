"""Every CUDA source is compiled here and its machine code is read; no GPU is needed.

The compiler and the disassembler are part of the `dev` extra.  Where they are
missing these tests fail: a skip would hide that no kernel was looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
from cupy.cuda import nvrtc

from membench.kernel_files import kernel_names, kernel_root, read_kernel

COMPILED = ("75", "80", "86", "89", "90", "90a", "100", "103", "120")
DISASSEMBLED = ("80", "90", "90a", "100", "120")


@dataclass(frozen=True)
class Demand:
    """What the machine code of one entry must show.

    Attributes:
        loads: 128-bit loads from global memory under way together.
        stores: 128-bit stores to global memory.
    """

    loads: int
    stores: int


DEMANDS = {
    "stream.cu": {
        "stream_read": Demand(loads=4, stores=0),
        "stream_write": Demand(loads=0, stores=4),
        "stream_copy": Demand(loads=4, stores=4),
        "stream_scale": Demand(loads=4, stores=4),
        "stream_add": Demand(loads=4, stores=4),
        "stream_triad": Demand(loads=4, stores=4),
    }
}
ENTRIES = [
    pytest.param(file, entry, arch, id=f"{entry}-sm_{arch}")
    for file, entries in DEMANDS.items()
    for entry in entries
    for arch in DISASSEMBLED
]


@dataclass(frozen=True)
class Image:
    """What one compilation gave; ``resources`` is the compiler's report by entry."""

    cubin: bytes
    log: str
    resources: dict[str, str]


@dataclass(frozen=True)
class Instruction:
    opcode: str
    operands: str

    @property
    def registers(self) -> set[int]:
        """The general registers that it names (a wide operand by its first)."""
        return {int(number) for number in re.findall(r"\bR(\d+)", self.operands)}

    @property
    def is_wide_load(self) -> bool:
        return self.opcode.startswith("LDG.E") and ".128" in self.opcode

    @property
    def is_wide_store(self) -> bool:
        return self.opcode.startswith("STG.E") and ".128" in self.opcode


@cache
def compiled(file: str, arch: str) -> Image:
    headers = {path.name: path.read_bytes() for path in kernel_root().glob("*.cuh")}
    names = tuple(name.encode() for name in headers)
    program = nvrtc.createProgram(read_kernel(file), file, tuple(headers.values()), names)
    try:
        options = (f"-arch=sm_{arch}", "-std=c++17", "--ptxas-options=-v")
        try:
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError:
            pytest.fail(f"{file} for sm_{arch}:\n{nvrtc.getProgramLog(program)}")
        log: str = nvrtc.getProgramLog(program)
        # The wrapper drops the last byte, without which the image is no valid ELF file.
        cubin: bytes = nvrtc.getCUBIN(program) + b"\0"
    finally:
        nvrtc.destroyProgram(program)
    reports = re.findall(r"Compiling entry function '(\w+)'(.*?)Compile time", log, re.DOTALL)
    return Image(cubin, log, dict(reports))


@pytest.fixture(scope="module")
def disassembler() -> Path:
    found = [f for f in distribution("nvidia-cuda-nvdisasm").files or () if f.stem == "nvdisasm"]
    (path,) = (Path(str(file.locate())) for file in found)
    return path


@pytest.fixture(scope="module")
def machine_code(
    disassembler: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, tuple[Instruction, ...]]]:
    """(file, architecture) -> entry -> its instructions, in the order of their addresses."""
    folder = tmp_path_factory.mktemp("cubin")
    code = {}
    for file in DEMANDS:
        for arch in DISASSEMBLED:
            path = folder / f"{file}.sm_{arch}.cubin"
            path.write_bytes(compiled(file, arch).cubin)
            command = [str(disassembler), "-json", str(path)]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            code[file, arch] = {
                function["function-name"]: tuple(
                    Instruction(each["opcode"], each.get("operands") or "")
                    for each in function["sass-instructions"]
                )
                for function in json.loads(shown)[1]
            }
    return code


def most_loads_in_flight(instructions: tuple[Instruction, ...]) -> int:
    """The most wide loads that are issued before the first of their values is needed."""
    waiting: list[set[int]] = []
    most = 0
    for instruction in instructions:
        waiting = [target for target in waiting if not target & instruction.registers]
        if instruction.is_wide_load:
            first = int(instruction.operands.removeprefix("R").split(",")[0])
            waiting.append(set(range(first, first + 4)))
            most = max(most, len(waiting))
    return most


def test_every_kernel_states_its_demands() -> None:
    assert set(DEMANDS) == set(kernel_names())
    for file, entries in DEMANDS.items():
        assert set(compiled(file, "90").resources) == set(entries), file


def test_sources_need_no_include_path() -> None:
    for name in kernel_names():
        assert not re.search(r"#\s*include\s*<", read_kernel(name)), name


@pytest.mark.parametrize("arch", COMPILED)
@pytest.mark.parametrize("file", kernel_names())
def test_compiles_bare_without_warnings_and_spills(file: str, arch: str) -> None:
    image = compiled(file, arch)
    assert not re.search("warning", image.log, re.IGNORECASE), image.log
    assert image.resources
    for entry, report in image.resources.items():
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in report, entry


@pytest.mark.parametrize(("file", "entry", "arch"), ENTRIES)
def test_machine_code(
    file: str,
    entry: str,
    arch: str,
    machine_code: dict[tuple[str, str], dict[str, tuple[Instruction, ...]]],
) -> None:
    instructions = machine_code[file, arch][entry]
    demand = DEMANDS[file][entry]
    assert not [each for each in instructions if each.opcode.startswith(("LDL", "STL"))]
    assert most_loads_in_flight(instructions) >= demand.loads
    assert sum(each.is_wide_store for each in instructions) >= demand.stores


def test_loads_in_flight_counts_up_to_the_first_use() -> None:
    load = [Instruction("LDG.E.128.CONSTANT", f"R{n},desc[UR4][R2.64]") for n in (4, 8, 12, 16)]
    use = Instruction("DADD", "R4,R4,R8")
    assert most_loads_in_flight((*load, use)) == 4
    assert most_loads_in_flight((load[0], use, load[1], use)) == 1
    assert most_loads_in_flight((load[0], load[1], use, load[2], load[3])) == 2
