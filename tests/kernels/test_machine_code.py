"""The machine code of every entry is read, on Hopper and on Blackwell; no GPU is needed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from machine_code import (
    Exempt,
    Instruction,
    Statement,
    code_of,
    count,
    innermost,
    is_one_hop_between_clocks,
    loads_under_way,
    loops,
    machine_code,
)
from mutants import edited

from membench.gpu.cuda.compile import ARCHITECTURES, compile_text
from membench.gpu.cuda.kernel_files import kernel_names
from membench.gpu.verify.walk import chase_variant

pytestmark = pytest.mark.sampled(4)

DISASSEMBLED = ("90", "120")


@pytest.mark.slow
@pytest.mark.parametrize("arch", DISASSEMBLED)
@pytest.mark.parametrize("file", kernel_names())
def test_no_entry_touches_local_memory(file: str, arch: str) -> None:
    for entry, code in machine_code(file, (), arch).items():
        assert count(code, "LDL|STL") == 0, entry


@pytest.mark.parametrize("vec", [4, 8, 16])
def test_vec_is_the_width_of_an_access(vec: int) -> None:
    for entry, code in machine_code("stream.cu", (f"-DVEC={vec}",), "90").items():
        accesses = {each.width("LDG", "STG") for each in code} - {0}
        assert accesses - {vec} <= {4}, entry  # 4 bytes: the sums of the read kernel


OPERATORS = {
    "plain": "LDG.E.64",
    "ca": "LDG.E.64.STRONG.SM",
    "cg": "LDG.E.64.STRONG.GPU",
    "cv": "LDG.E.64.STRONG.SYS",
}


@pytest.mark.parametrize("arch", DISASSEMBLED)
@pytest.mark.parametrize("hint", OPERATORS)
def test_a_hop_of_the_chase_is_one_load_and_nothing_else(hint: str, arch: str) -> None:
    code = machine_code("chase.cu", chase_variant(hint).options, arch)["chase_run"]
    body = innermost(code, "LDG")
    hops = [each for each in body if each.opcode.startswith("LDG")]
    assert [each.opcode for each in hops] == [OPERATORS[hint]] * 32
    # Each address is the result of the previous load, without index arithmetic.
    chain = [each.operands.partition(",") for each in hops]
    for (before, _, _), (_, _, address) in pairwise(chain):
        assert f"[{before}.64]" in address
    others = [each.opcode for each in body if not each.opcode.startswith("LDG")]
    assert len(others) <= 4, others  # loop counter and branch


@pytest.mark.parametrize("arch", DISASSEMBLED)
def test_the_closing_clock_waits_for_the_last_hop(arch: str) -> None:
    code = machine_code("chase.cu", ("-DLOADS=32",), arch)["chase_run"]
    last = max(n for n, each in enumerate(code) if each.opcode.startswith("LDG"))
    value = code[last].operands.split(",")[0]
    tail = code[last + 1 :]
    clock = next(n for n, each in enumerate(tail) if "SR_CLOCKLO" in each.operands)
    # Instructions issue in order: an instruction that waits for a value delays all later
    # instructions.
    assert any(f"{value}," in each.operands for each in tail[:clock])


TIMED_HOPS = pytest.mark.parametrize(
    ("file", "entry"), [("chase.cu", "chase_hops"), ("loaded.cu", "loaded_chase")]
)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@TIMED_HOPS
def test_single_hops_are_one_load_between_two_clocks(file: str, entry: str, arch: str) -> None:
    assert is_one_hop_between_clocks(machine_code(file, (), arch)[entry])


READ = """    asm volatile(
        "{ .reg .pred p; setp.ne.u64 p, %1, 0; @p mov.u32 %0, %%clock; @!p mov.u32 %0, 0; }"
        : "=r"(before)
        : "l"(at)
        : "memory");
"""
CLOSING = READ.replace("before", "after")
MISTIMED = {
    "the clock does not wait for the load": (
        CLOSING,
        'asm volatile("mov.u32 %0, %%clock;" : "=r"(after)::"memory");',
    ),
    "the clock is read before the load": (
        "at = Between(at);",
        "const unsigned long long from = at;\n    at = Between(at);",
        CLOSING,
        CLOSING.replace('"l"(at)', '"l"(from)'),
    ),
    "a hop is two loads": ("at = Between(at);", "at = Between(Between(at));"),
    "the two reads are not the same": (
        READ,
        'asm volatile("mov.u32 %0, %%clock;" : "=r"(before)::"memory");',
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("arch", DISASSEMBLED)
@pytest.mark.parametrize("mistake", MISTIMED)
@TIMED_HOPS
def test_mistimed_hops_are_seen(mistake: str, file: str, entry: str, arch: str) -> None:
    before, after, *further = MISTIMED[mistake]
    edits = [(before, after), *zip(further[::2], further[1::2], strict=True)]
    image = compile_text(file, edited(file, *edits), (), arch)
    assert not is_one_hop_between_clocks(code_of(image)[entry])


@pytest.mark.parametrize("arch", DISASSEMBLED)
def test_stamps_that_are_stored_straight_to_global_memory_are_seen(arch: str) -> None:
    edits = (
        ("cycles[timed++] = timed_hop", "took[timed++] = timed_hop"),
        (
            "took[hop] = cycles[hop];",
            "cycles[hop] = 0;",
        ),
    )
    code = code_of(compile_text("loaded.cu", edited("loaded.cu", *edits), (), arch))
    assert not is_one_hop_between_clocks(code["loaded_chase"])


def test_the_hold_sleeps_and_the_idle_kernel_does_nothing() -> None:
    code = machine_code("control.cu", (), "90")
    assert count(innermost(code["control_hold"], "NANOSLEEP"), "LDG.*SYS") == 1
    assert count(code["control_idle"], "LDG|STG") == 0


# Tests of the parser of machine code.


def test_loads_in_flight_counts_up_to_the_first_use() -> None:
    load = [Instruction("LDG.E.128.CONSTANT", f"R{n},desc[UR4][R2.64]") for n in (4, 8, 12, 16)]
    use = Instruction("DADD", "R4,R4,R8")
    store = Instruction("STG.E.128", "desc[UR4][R20.64],R24")
    assert loads_under_way((use, *load, use)) == 4
    assert loads_under_way((load[0], use, load[1], use)) == 1
    assert loads_under_way((load[0], load[1], use, load[2], load[3])) == 2
    assert loads_under_way((load[0], load[1], load[2], store, load[3])) == 3


def test_a_load_of_256_bits_fills_two_fours_of_registers() -> None:
    load = Instruction("LDG.E.ENL2.256", "R8,R4,desc[UR8][R14.64]")
    assert load.loaded == {4, 5, 6, 7, 8, 9, 10, 11}
    uses = [Instruction("IADD3", f"R0,PT,PT,R{n},R1,RZ") for n in (14, 5)]
    second = Instruction("LDG.E.ENL2.256", "R20,R16,desc[UR8][R24.64]")
    assert loads_under_way((load, uses[0], second, uses[1]), 32) == 2
    assert loads_under_way((load, uses[1], second), 32) == 1


def test_a_loop_is_what_a_branch_goes_back_over() -> None:
    code = (
        Instruction("MOV", address=0),
        Instruction("LDG.E", address=16),
        Instruction("BRA", "0x10", "@P0", 32),
        Instruction("EXIT", address=48),
        # The idle loop that the assembler adds after every function.
        Instruction("BRA", "0x40", address=64),
    )
    assert [[each.address for each in body] for body in loops(code)] == [[16, 32]]


@pytest.mark.parametrize(
    ("opcode", "width"),
    [("LDG.E.128.CONSTANT", 16), ("LDG.E", 4), ("LDG.E.U8", 1), ("STG.E.64", 0), ("IADD3", 0)],
)
def test_the_width_of_a_load(opcode: str, width: int) -> None:
    assert Instruction(opcode).width("LDG") == width


_CLOCKS = test_single_hops_are_one_load_between_two_clocks
_CONTROL = test_the_hold_sleeps_and_the_idle_kernel_does_nothing
MACHINE_CODE: dict[str, Statement] = {
    "chase_run": test_a_hop_of_the_chase_is_one_load_and_nothing_else,
    "chase_hops": _CLOCKS,
    "chase_link": Exempt("links the ring before it is timed"),
    "loaded_chase": _CLOCKS,
    "loaded_prepare": Exempt("only fills the arrays, before the timing starts"),
    "loaded_check": Exempt("verifies"),
    "control_hold": _CONTROL,
    "control_idle": _CONTROL,
    "control_probe": Exempt("reads clocks outside of the timed span"),
    "control_sweep": Exempt("flushes L2 before the timed span"),
    "control_echo": Exempt("answers the host: what is timed is the way there and back"),
    **dict.fromkeys(
        (f"pattern_{name}" for name in ("fill", "fill_small")),
        Exempt("only fills the arrays, before the timing starts"),
    ),
    **dict.fromkeys(
        (f"pattern_check{name}" for name in ("", "_value", "_linear", "_blocks")),
        Exempt("verifies"),
    ),
}
