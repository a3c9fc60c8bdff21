"""Every entry of ``kernels/`` has a machine-code statement, and the statement is true.

The statements are in the constant ``MACHINE_CODE`` of the modules in this folder. CONTRIBUTING.md
explains machine-code statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest
from machine_code import Exempt, Instruction, Statement, Streams, machine_code

from membench.gpu.cuda.compile import ARCHITECTURES, compile_source
from membench.gpu.cuda.kernel_files import kernel_names

DISASSEMBLED = ("90", "120")


def stated() -> list[tuple[str, str, Statement]]:
    """(module, entry, statement) of all other test modules in this folder."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name != Path(__file__).name:
            statements = getattr(import_module(path.stem), "MACHINE_CODE", {})
            found += [(path.name, entry, statement) for entry, statement in statements.items()]
    return found


def entries() -> dict[str, str]:
    """Entry -> its source file."""
    return {
        entry: file for file in kernel_names() for entry in compile_source(file, (), "90").resources
    }


def missing(sources: Mapping[str, str], known: set[str]) -> str:
    """The statements to write for entries without a statement; empty if none is missing."""
    lines = []
    for entry, file in sorted(sources.items()):
        if entry not in known:
            proof = f"tests/kernels/test_proof_{file.removesuffix('.cu')}.py"
            lines.append(
                f"kernels/{file}: the entry {entry} has no machine-code statement; write into "
                f"{proof}: from machine_code import Streams; "
                f'MACHINE_CODE = {{"{entry}": Streams(loads=N, stores=M)}} with the loads and '
                "stores of a thread in its main loop (other statements: CONTRIBUTING.md, "
                '"Add a GPU kernel")'
            )
    return "\n".join(lines)


STATED = stated()
STREAMS = {entry: statement for _, entry, statement in STATED if isinstance(statement, Streams)}


def test_every_entry_has_a_statement() -> None:
    text = missing(entries(), {entry for _, entry, _ in STATED})
    assert not text, text


def test_every_statement_is_of_one_entry() -> None:
    known = entries()
    for module, entry, statement in STATED:
        assert entry in known, f"{module}: no file in kernels/ has the entry {entry}"
        places = [other for other, same, _ in STATED if same == entry]
        assert places == [module], f"{entry} has statements in {places}"
        if callable(statement):  # a test function that pytest runs
            assert statement.__name__.startswith("test_"), f"{module}: {entry}"
        elif isinstance(statement, Exempt):
            assert statement.why, f"{module}: {entry} is exempt for no reason"


@pytest.mark.parametrize("arch", DISASSEMBLED)
@pytest.mark.parametrize("entry", STREAMS)
def test_loads_and_stores_are_as_stated(entry: str, arch: str) -> None:
    STREAMS[entry].check(entry, machine_code(entries()[entry], (), arch)[entry])


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("entry", STREAMS)
def test_loads_and_stores_are_as_stated_everywhere(entry: str, arch: str) -> None:
    STREAMS[entry].check(entry, machine_code(entries()[entry], (), arch)[entry])


def test_a_missing_statement_is_asked_for_by_name() -> None:
    text = missing({"stride_read": "stride.cu", "known": "known.cu"}, {"known"})
    assert text.count("\n") == 0
    for part in (
        "kernels/stride.cu",
        "tests/kernels/test_proof_stride.py",
        'MACHINE_CODE = {"stride_read": Streams(',
    ):
        assert part in text


def loop(*body: Instruction) -> list[Instruction]:
    """A loop: ``body`` at new addresses, and a branch back to its first instruction."""
    placed = [
        Instruction(each.opcode, each.operands, "", 16 * number) for number, each in enumerate(body)
    ]
    return [*placed, Instruction("BRA", "0x0", "@P0", 16 * len(placed))]


LOADS = [Instruction("LDG.E.128", f"R{n},desc[UR4][R2.64]") for n in (4, 8)]
USE = Instruction("IADD3", "R0,R4,R5,R0")


def test_a_false_statement_fails() -> None:
    Streams(2, 0).check("two", loop(*LOADS, USE))
    with pytest.raises(AssertionError, match=r"2 loads and 0 stores .* says 4 and 0"):
        Streams(4, 0).check("two", loop(*LOADS, USE))
    with pytest.raises(AssertionError, match="1 of 2 loads are issued before"):
        Streams(2, 0).check("waits", loop(LOADS[0], USE, LOADS[1], USE))
    with pytest.raises(AssertionError, match="no loop with global accesses of 8 bytes"):
        Streams(2, 0, width=8).check("wide", loop(*LOADS, USE))
    store = Instruction("STG.E.128", "desc[UR4][R20.64],R4")
    with pytest.raises(AssertionError, match="2 loads and 1 stores"):
        Streams(2, 0).check("stores", loop(*LOADS, store))
