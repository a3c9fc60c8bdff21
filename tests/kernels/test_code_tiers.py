"""The machine code of the timed loops of every tier's kernels, on Hopper and on Blackwell."""

from __future__ import annotations

from itertools import pairwise

import pytest
from machine_code import (
    Code,
    Exempt,
    Statement,
    Streams,
    count,
    loads_under_way,
    machine_code,
    main_loop,
)

pytestmark = pytest.mark.sampled(4)

ARCHS = pytest.mark.parametrize("arch", ["90", "120"])


def body(file: str, entry: str, opcode: str, arch: str, *options: str) -> Code:
    return main_loop(machine_code(file, options, arch)[entry], opcode)


def is_one_chain(code: Code, opcode: str, hops: int) -> None:
    """Check that ``code`` has ``hops`` dependent loads and almost no other instruction.

    The address of each load is the result of the previous load.
    """
    loads = [each for each in code if each.opcode == opcode]
    assert len(loads) == hops
    for before, after in pairwise(loads):
        assert f"[{before.operands.split(',')[0]}" in after.operands.replace("desc", "")
    assert len(code) - hops <= 4  # loop counter and branch


@ARCHS
def test_cache_reads_keep_four_wide_loads_in_flight_past_l1(arch: str) -> None:
    code = machine_code("cache.cu", (), arch)["cache_read"]
    loop = main_loop(code, "LDG.E.128")
    assert count(loop, r"LDG\.E\.128\.STRONG\.GPU") == 4
    assert loads_under_way(loop) == 4
    assert count(body("cache.cu", "cache_write", "STG", arch), r"STG\.E\.128") == 4


@ARCHS
def test_l1_reads_go_through_l1(arch: str) -> None:
    loop = body("cache.cu", "cache_read", "LDG.E.128", arch, '-DHINT=".ca"')
    assert count(loop, r"LDG\.E\.128\.STRONG\.SM") == 4
    # Plain loads, as in ordinary kernels: neither strong nor read-only.
    loop = body("cache.cu", "cache_read", "LDG.E.128", arch, '-DHINT=""')
    assert count(loop, r"LDG\.E\.128$") == loads_under_way(loop) == 4


@ARCHS
@pytest.mark.parametrize(("width", "suffix"), [(4, ""), (8, ".64"), (16, ".128")])
def test_shared_memory_is_accessed_at_full_width(width: int, suffix: str, arch: str) -> None:
    option = f"-DWIDTH={width}"
    loop = body("shared.cu", "shared_read", "LDS", arch, option)
    each = 32 // width
    assert [one.opcode for one in loop if one.opcode.startswith("LDS")] == [f"LDS{suffix}"] * each
    # An SM moves 128 bytes and issues 4 instructions per cycle. So the loop may have 4 instructions
    # per 128 bytes.
    assert len(loop) <= 4 * each * (width // 4)
    loop = body("shared.cu", "shared_write", "STS", arch, option)
    assert [one.opcode for one in loop if one.opcode.startswith("STS")] == [f"STS{suffix}"] * each


@ARCHS
def test_hops_in_shared_memory_are_one_load_each(arch: str) -> None:
    is_one_chain(body("shared.cu", "shared_chase", "LDS", arch), "LDS", 32)
    is_one_chain(body("shared.cu", "cluster_chase", "LD.E", arch), "LD.E.64", 32)


@ARCHS
def test_a_neighbours_memory_is_read_by_16_bytes(arch: str) -> None:
    assert count(body("shared.cu", "cluster_read", "LD.E", arch), r"LD\.E\.128") == 2


@ARCHS
def test_pages_are_read_four_at_a_time(arch: str) -> None:
    loop = body("gather.cu", "gather_read", "LDG.E.128", arch)
    assert count(loop, r"LDG\.E\.128") == count(loop, r"LDG\.E\.CONSTANT") == 4
    assert loads_under_way(loop) == 4


@ARCHS
def test_each_way_into_shared_memory_is_its_own(arch: str) -> None:
    code = machine_code("async.cu", (), arch)
    assert loads_under_way(main_loop(code["async_ld"], "LDG.E.128")) == 4
    assert count(code["async_ld"], r"LDGSTS|UBLKCP") == 0
    loop = main_loop(code["async_cp"], "LDGSTS")
    assert count(loop, r"LDGSTS\.E\.BYPASS\.128") == 4  # bypasses L1
    assert count(code["async_cp"], r"LDG\.E\.128|UBLKCP") == 0
    assert count(code["async_bulk"], r"UBLKCP") >= 2  # one to fill the ring, one in the loop
    assert count(code["async_bulk"], r"SYNCS\.PHASECHK.*TRYWAIT") >= 1
    assert count(code["async_bulk"], r"LDG\.E\.128|LDGSTS") == 0
    for entry in ("async_ld", "async_cp", "async_bulk"):
        assert count(code[entry], r"LDS\.128") >= 4


@pytest.mark.parametrize("arch", ["80", "90", "120"])
@pytest.mark.parametrize(
    ("file", "entry", "opcode", "each"),
    [
        ("cache.cu", "cache_write", "STG.E.128", 4),
        ("async.cu", "async_ld", "LDS.128", 4),
        ("async.cu", "async_cp", "LDGSTS", 4),
        ("async.cu", "async_bulk", "LDS.128", 4),
    ],
)
def test_an_unrolled_loop_asks_for_its_end_once(
    file: str, entry: str, opcode: str, each: int, arch: str
) -> None:
    """If the stride is unsigned, the compiler may check the end of the loop before every access."""
    codes = machine_code(file, (), arch)
    if entry in codes:  # bulk copies need 9.0
        loop = main_loop(codes[entry], opcode)
        assert count(loop, opcode.replace(".", r"\.")) == each
        assert count(loop, "BRA|EXIT") == 1


@ARCHS
def test_atomics_are_what_their_names_say(arch: str) -> None:
    def ops(entry: str, opcode: str) -> int:
        return count(body("atomics.cu", entry, opcode, arch), opcode.replace(".", r"\."))

    assert ops("atomics_red", "REDG.E.ADD.STRONG.GPU") == 4
    assert ops("atomics_atom", "ATOMG.E.ADD.STRONG.GPU") == 4
    assert ops("atomics_shared", "ATOMS.ADD") == 4
    assert ops("atomics_system", "REDG.E.ADD.STRONG.SYS") == 1


@ARCHS
def test_lines_of_l2_are_followed_between_two_clocks(arch: str) -> None:
    loop = body("l2map.cu", "l2map_run", "LDG.E.64", arch)
    shown = "".join(
        "L" if each.opcode.startswith("LDG.E.64") else "c"
        for each in loop
        if each.opcode.startswith(("LDG.E.64", "CS2"))
    )
    assert shown == "L" + "c" + 16 * "L" + "c"
    assert count(loop, r"LDG\.E\.64\.STRONG\.GPU") == 17


@ARCHS
def test_the_generator_has_a_whole_chunk_under_way(arch: str) -> None:
    code = machine_code("loaded.cu", (), arch)["loaded_generate"]
    assert loads_under_way(main_loop(code, "LDG.E.128")) == 8
    assert count(code, r"STG\.E\.128") == 8
    assert count(code, r"REDG\.E\.ADD\.64") == 1
    is_one_chain(body("loaded.cu", "loaded_chase", "LDG.E.64", arch), "LDG.E.64", 32)


@ARCHS
@pytest.mark.parametrize("kv", ["fp16", "fp8"])
def test_attention_multiplies_on_the_tensor_cores_and_asks_ahead(kv: str, arch: str) -> None:
    loop = body("attention.cu", "attention_read", "HMMA", arch, f"-DFP8={int(kv == 'fp8')}")
    loads = {"fp16": 16, "fp8": 8}[kv]
    assert count(loop, r"LDG\.E\.128\.CONSTANT") == loads
    assert count(loop, r"HMMA\.16816\.F32") == 16
    assert count(loop, r"F2FP.*E4M3") == (64 if kv == "fp8" else 0)
    # The sums of the weights; the kernel has no other multiplication.
    assert count(loop, r"FFMA") == 2
    # The weights, and the scale factor after a larger maximum.
    assert count(loop, r"MUFU\.EX2") == 4 + 2
    assert count(loop, r"(LDS|STS|LDSM)") == 0
    # K, softmax, V: the loads of each half are issued once their registers are free.
    shown = "".join(
        {"LDG.E.128": "L", "HMMA": "H", "MUFU.EX2": "e"}[kind]
        for each in loop
        for kind in ("LDG.E.128", "HMMA", "MUFU.EX2")
        if each.opcode.startswith(kind)
    )
    half = loads // 2 * "L"
    assert shown == 8 * "H" + half + 6 * "e" + 8 * "H" + half


_ATOMICS = test_atomics_are_what_their_names_say
_SHARED = test_shared_memory_is_accessed_at_full_width
_HOPS = test_hops_in_shared_memory_are_one_load_each
_WAYS = test_each_way_into_shared_memory_is_its_own
MACHINE_CODE: dict[str, Statement] = {
    "cache_read": Streams(loads=4, stores=0),
    "cache_write": Streams(loads=0, stores=4),
    "gather_read": Streams(loads=4, stores=0),
    "async_ld": Streams(loads=4, stores=0),
    "async_cp": _WAYS,
    "async_bulk": _WAYS,
    "shared_read": _SHARED,
    "shared_write": _SHARED,
    "shared_chase": _HOPS,
    "cluster_chase": _HOPS,
    "cluster_read": test_a_neighbours_memory_is_read_by_16_bytes,
    **dict.fromkeys((f"atomics_{kind}" for kind in ("red", "atom", "shared", "system")), _ATOMICS),
    "l2map_run": test_lines_of_l2_are_followed_between_two_clocks,
    "l2map_where": Exempt("asks on which SM a block runs"),
    "l2map_link": Exempt("links the lines before they are timed"),
    "loaded_generate": Streams(loads=8, stores=8),
    "attention_read": test_attention_multiplies_on_the_tensor_cores_and_asks_ahead,
    "attention_merge": Exempt("adds up a few partial results of attention_read"),
}
