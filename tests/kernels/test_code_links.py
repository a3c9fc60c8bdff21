"""The machine code of the loops that move data over links, on Hopper and on Blackwell."""

from __future__ import annotations

import pytest
from machine_code import (
    Code,
    Statement,
    Streams,
    count,
    innermost,
    loads_under_way,
    loops,
    machine_code,
    main_loop,
)

from membench.workloads import kv_move, link_copy

ARCHITECTURES = ("90", "120")
ANEW = r"LDG\.E\.128\.STRONG\.SYS"
"""A load of 16 bytes that bypasses the L1 cache: ld.global.cv."""


def in_flight(code: Code) -> int:
    """Number of loads that are issued before the first store."""
    first = next(n for n, each in enumerate(code) if each.opcode.startswith("STG"))
    return count(code[:first], ANEW)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_copy_by_kernel_has_all_loads_under_way_before_a_store(arch: str) -> None:
    code = machine_code("link.cu", (f"-DUNROLL={link_copy.UNROLL}",), arch)["link_copy"]
    assert in_flight(code) >= link_copy.UNROLL
    assert count(code, r"STG\.E\.128") >= link_copy.UNROLL
    loads = [each for each in code if each.opcode.startswith("LDG")]
    assert count(loads, ANEW) == len(loads)  # no load that a cache may serve


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_kv_blocks_are_moved_by_wide_accesses_all_under_way(arch: str) -> None:
    code = machine_code("kv.cu", (f"-DUNROLL={kv_move.UNROLL}",), arch)["kv_move"]
    body = innermost(code, "STG")
    assert in_flight(code) == kv_move.UNROLL
    assert count(code, r"STG\.E\.128") == kv_move.UNROLL
    assert count(body, r"LDG\.E(\.CONSTANT)?$") == 2  # loads from the two tables
    assert count(code, "LDS|STS|BAR") == 0


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_bulk_copies_go_both_ways_and_touch_no_register(arch: str) -> None:
    code = machine_code("kv.cu", (), arch)["kv_bulk"]
    body = max(loops(code), key=len)
    assert count(body, r"UBLKCP\.S\.G") == 1  # from global to shared memory
    assert count(body, r"UBLKCP\.G\.S") == 1  # from shared to global memory
    assert count(body, r"SYNCS\.ARRIVE.*TRANS64") >= 1
    assert count(body, "UTMACMDFLUSH") == 1  # the bulk copies are committed as a group
    assert count(code, r"SYNCS\.PHASECHK\.TRANS64\.TRYWAIT") >= 1
    assert count(code, "DEPBAR") >= 2  # a wait for each stage, and a wait for all stages at the end
    through = [each for each in code if each.opcode.startswith(("LDS", "STS", "STG"))]
    assert all(each.predicate == "@!PT" for each in through)  # no byte goes through a register


def test_before_hopper_the_bulk_kernel_stops_at_once() -> None:
    code = machine_code("kv.cu", (), "80")["kv_bulk"]
    assert count(code, "LDG|STG|LDS|STS") == 0
    assert count(code, "BPT.TRAP") == 1


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("unroll", [1, 2, 4])
def test_zero_copy_reads_keep_as_many_loads_under_way_as_asked(unroll: int, arch: str) -> None:
    code = machine_code("zerocopy.cu", (f"-DUNROLL={unroll}",), arch)["zerocopy_read"]
    # The loads of a whole tile, and the load of the loop over the rest.
    assert count(code, ANEW) == unroll + 1
    assert loads_under_way(main_loop(code, "LDG.E.128")) == unroll
    assert count(code, "STG") == 0
    assert count(code, "REDG|ATOMG") == 1  # one per warp, at its end


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("unroll", [1, 4])
def test_zero_copy_writes_are_wide_and_read_nothing(unroll: int, arch: str) -> None:
    code = machine_code("zerocopy.cu", (f"-DUNROLL={unroll}",), arch)["zerocopy_write"]
    assert count(code, r"STG\.E\.128") == unroll + 1
    assert count(code, "LDG") == 0


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_stamp_is_one_reading_of_the_global_timer(arch: str) -> None:
    code = machine_code("link.cu", (), arch)["link_stamp"]
    assert sum("GLOBALTIMER" in each.operands for each in code) >= 1
    assert count(code, "STG") == 1


MACHINE_CODE: dict[str, Statement] = {
    "link_copy": test_a_copy_by_kernel_has_all_loads_under_way_before_a_store,
    "link_stamp": test_a_stamp_is_one_reading_of_the_global_timer,
    "kv_move": Streams(loads=4, stores=4),
    "kv_bulk": test_bulk_copies_go_both_ways_and_touch_no_register,
    "zerocopy_read": test_zero_copy_reads_keep_as_many_loads_under_way_as_asked,
    "zerocopy_write": test_zero_copy_writes_are_wide_and_read_nothing,
}
