"""Copies by bulk copies (TMA), and multicast in a cluster, on the emulator."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, MissingFence, MissingWait, Race, small
from machine_code import Statement, count, loops, machine_code
from mutants import mutant
from proof import observe, prove

from membench.benches import registry
from membench.benches.gpu import multicast
from membench.benches.gpu.multicast import TILE, received, tile_sums
from membench.benches.hbm import async_copy
from membench.benches.link import peer
from membench.core.axes import OMITTED, Value
from membench.core.errors import Skip, VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import KIB
from membench.gpu.verify.pattern import pattern

pytestmark = pytest.mark.sampled(4)

D2D, MULTICAST = registry().benches["hbm/d2d"], registry().benches["smem/multicast"]
SIZE = 11 * 8 * KIB + 48
"""Whole pieces of 8 KiB, and 3 more vectors."""

TILES = 9
"""More tiles than stages, so that the kernel refills each stage."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a set of 8 tiles, so that the 9th tile is the first tile again."""
    monkeypatch.setattr(multicast, "SIZE", 8 * TILE)
    monkeypatch.setattr(multicast, "TILES", TILES)
    for module in (async_copy, peer):
        monkeypatch.setattr(module, "HOPS", 64)
        monkeypatch.setattr(module, "LAUNCHES", 2)


def copy(**others: Value) -> dict[str, Value]:
    return {"size": SIZE, "count": "rw_sum", "engine": "tma", **others}


@pytest.mark.parametrize("arch", ["90", "120"])
@pytest.mark.parametrize("size", [SIZE, 16, 8 * KIB, 200 * KIB])
def test_a_copy_moves_each_byte_in_and_out_once(size: int, arch: str) -> None:
    proven = prove(D2D, copy(size=size), EmulatedGpu(small(1, arch)))
    assert proven.declared == 2 * 2 * size
    counts = proven.counts
    assert counts.bytes["bulk.load"] == counts.bytes["bulk.store"] == 2 * size
    assert counts.loaded == counts.stored == 2 * size  # and no other bytes


@pytest.mark.parametrize("name", ["peer/read", "peer/write", "peer/bidir"])
def test_another_gpu_is_copied_from_and_to_by_bulk_copies(name: str) -> None:
    gpu = EmulatedGpu(small(2))
    proven = prove(registry().benches[name], {"size": SIZE, "engine": "tma"}, gpu)
    assert proven.counts.bytes["bulk.load"] == proven.counts.bytes["bulk.store"] == proven.declared
    assert proven.work.detail["engine"] == "tma"


def test_bulk_copies_begin_with_hopper() -> None:
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        D2D.build(EmulatedGpu(small(1, "89")), copy())


def test_the_driver_copies_where_no_engine_is_named() -> None:
    proven = prove(D2D, copy(engine=OMITTED), EmulatedGpu(small(1)))
    assert not proven.counts.bytes
    assert proven.work.detail["api"] == "cudaMemcpyAsync"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("cluster", [1, 2, 4, 8])
def test_a_tile_is_read_once_and_reaches_every_block(cluster: int) -> None:
    gpu = EmulatedGpu(small(8))
    proven = prove(MULTICAST, {"cluster": cluster}, gpu, iterations=1)
    blocks = gpu.ran[0].grid
    assert blocks == 8
    assert proven.counts.bytes["bulk.arrived"] == proven.declared == blocks * TILES * TILE
    assert proven.counts.bytes["bulk.load"] == proven.declared // cluster
    assert proven.work.detail["l2_bytes"] == proven.declared // cluster
    # The kernel reads all bytes from shared memory. The block sum reads 7 more words.
    assert proven.counts.bytes["ld.shared"] - 7 * 4 * blocks == proven.declared


def test_what_a_block_gets_in_closed_form() -> None:
    words = pattern(0, 8 * TILE // 4, 3).reshape(8, -1).sum(axis=1, dtype=np.uint64)
    sums = tile_sums(8, 3)
    assert [int(one) % 2**32 for one in sums] == [int(one) % 2**32 for one in words]
    taken = sum(int(words[(1 + n * 3) % 8]) for n in range(5))
    assert received(1, 3, 5, sums) == taken % 2**32


@pytest.mark.parametrize("arch", ["89", "120"])
def test_multicast_is_skipped_where_it_is_none(arch: str) -> None:
    for cluster in (1, 2):
        with pytest.raises(Skip, match=r"multicast need compute capability 9\.0, or 10\.0"):
            MULTICAST.build(EmulatedGpu(small(4, arch)), {"cluster": cluster})


def test_no_cluster_of_multicast_waits_for_another() -> None:
    gpcs = (18, 18, 18, 16, 16, 16, 16, 14)
    work = MULTICAST.build(EmulatedGpu(small(132), gpcs=gpcs), {"cluster": 8})
    assert work.detail["blocks"] == 8 * 15


@pytest.mark.sampled(1)
@pytest.mark.parametrize("arch", ["90", "120"])
@pytest.mark.parametrize("name", ["hbm/bulk", "peer/bulk"])
def test_a_hop_is_one_bulk_copy_of_16_bytes(name: str, arch: str) -> None:
    gpu = EmulatedGpu(small(1, arch))
    _, observation = observe(registry().benches[name], {"size": 8 * KIB}, gpu)
    hops = 3 * 64  # launches, hops
    assert gpu.counts["tma_chase"].bytes["bulk.load"] == hops * 16
    assert gpu.counts["tma_chase"].bytes["ld.shared"] == hops * 8
    assert gpu.counts["tma_chase"].bytes["ld.global"] == 0
    assert len(observation.samples[Metric.LATENCY, Stat.MEDIAN]) == 2
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        registry().benches[name].build(EmulatedGpu(small(1, "80")), {"size": 8 * KIB})


CHASE_MUTANTS = [
    ("await(barrier, parity);", "", EmulationError),
    ("parity ^= 1;\n        asm", "asm", EmulationError),
    ("hop < LOADS * turns", "hop + 1 < LOADS * turns", VerificationFailed),
    ("expect(barrier, 16);", "expect(barrier, 32);", EmulationError),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("before", "after", "catch"), CHASE_MUTANTS)
def test_a_mutant_of_the_chase_is_caught(before: str, after: str, catch: type[Exception]) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("tma.cu", before, after), fuel=60_000)
    with pytest.raises(catch):
        observe(registry().benches["hbm/bulk"], {"size": 8 * KIB}, gpu)


MUTANTS = [
    ("for (size_t p = 0; p < count + kAhead; ++p)", "for (size_t p = 0; p < count; ++p)"),
    ("left < kPieceBytes ? static_cast<unsigned>(left) : kPieceBytes", "kPieceBytes"),
    ("await(filled + 8 * s, static_cast<unsigned>(q / kStages) & 1);", ""),
    ('"n"(kStages - kAhead - 1)', '"n"(kStages - 1)'),
    ('asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");', ""),
    ('asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");', ""),
    ("[=](size_t p) { return to + place(p); }", "[=](size_t p) { return to + place(p) / 2; }"),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("before", "after"), MUTANTS)
def test_a_mutant_of_the_copy_is_caught(before: str, after: str) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("tma.cu", before, after), fuel=100_000)
    with pytest.raises((VerificationFailed, EmulationError)):
        prove(D2D, copy(size=40 * 8 * KIB + 48), gpu)


MULTICAST_MUTANTS = [
    ("    meet();  // every block's mbarriers", "    //", (MissingFence, EmulationError)),
    ("            wait_for_all();\n            ask(", "            ask(", (Race, EmulationError)),
    ("await(first + 8 * stage, parity);", "", MissingWait),
    ("parity ^= 1;", "", EmulationError),
    ("expect(barrier, kTileBytes);", "expect(barrier, kPart);", EmulationError),
    ("tile + mine, kPart", "tile, kPart", VerificationFailed),
    ("to + mine, tile", "to, tile", EmulationError),
    ("(1u << CLUSTER) - 1", "(1u << CLUSTER) - 2", EmulationError),
    ("n - 1 + kStages", "n + kStages", (VerificationFailed, EmulationError)),
    ("cluster + n * clusters", "cluster + n * clusters + 1", VerificationFailed),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("before", "after", "catch"), MULTICAST_MUTANTS)
def test_a_mutant_of_the_multicast_is_caught(
    before: str, after: str, catch: type[Exception] | tuple[type[Exception], ...]
) -> None:
    gpu = EmulatedGpu(small(4), compile_=mutant("tma.cu", before, after), fuel=60_000)
    with pytest.raises(catch):
        prove(MULTICAST, {"cluster": 2}, gpu, iterations=1)


# Machine code.


@pytest.mark.parametrize("arch", ["90", "100", "120"])
def test_a_copy_touches_no_register(arch: str) -> None:
    code = machine_code("tma.cu", (), arch)["tma_copy"]
    body = max(loops(code), key=len)
    assert count(body, r"UBLKCP\.S\.G") == count(body, r"UBLKCP\.G\.S") == 1
    assert count(body, "UTMACMDFLUSH") == 1
    assert count(code, r"SYNCS\.PHASECHK\.TRANS64\.TRYWAIT") >= 1
    through = [each for each in code if each.opcode.startswith(("LDG", "STG", "LDS", "STS"))]
    assert all(each.predicate == "@!PT" for each in through)


@pytest.mark.parametrize("arch", ["90", "100", "120"])
def test_a_hop_of_the_chase_waits_for_its_copy(arch: str) -> None:
    code = machine_code("tma.cu", (), arch)["tma_chase"]
    body = max((one for one in loops(code) if count(one, "UBLKCP")), key=len)
    shown = "".join(
        letter
        for each in body
        for opcode, letter in (
            *(("SYNCS.ARRIVE.TRANS64", "e"), ("UBLKCP.S.G", "c")),
            *(("SYNCS.PHASECHK.TRANS64.TRYWAIT", "w"), ("LDS.64", "l")),
        )
        if each.opcode.startswith(opcode)
    )
    assert shown == "ecwl"  # expect, copy, wait, load the address from shared memory
    assert count(body, "LDG|STG") == 0


@pytest.mark.parametrize("arch", ["90", "100"])
@pytest.mark.parametrize("cluster", [1, 2, 16])
def test_multicast_is_one_instruction_of_one_thread(cluster: int, arch: str) -> None:
    code = machine_code("tma.cu", (f"-DCLUSTER={cluster}",), arch)["tma_multicast"]
    asked = [each.opcode for each in code if each.opcode.startswith("UBLKCP")]
    assert len(asked) >= 2  # one to fill the ring, one in the loop
    assert all(("MULTICAST" in one) == (cluster > 1) for one in asked)
    body = max((one for one in loops(code) if count(one, "LDS")), key=len)
    assert count(body, r"LDS\.128") == 4
    assert count(body, "UBLKCP") == 1
    assert count(body, "UCGABAR_WAIT") >= count(body, "UCGABAR_ARV") == 1
    assert count(code, r"LDG\.E\.128|LDGSTS") == 0


MACHINE_CODE: dict[str, Statement] = {
    "tma_copy": test_a_copy_touches_no_register,
    "tma_chase": test_a_hop_of_the_chase_waits_for_its_copy,
    "tma_multicast": test_multicast_is_one_instruction_of_one_thread,
}
