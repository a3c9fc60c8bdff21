"""Sums over several GPUs, and writes to several GPUs, on the emulator's multicast memory."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, OutOfBounds, small
from emulator.links import EmulatedLinks
from machine_code import Statement, count, machine_code, main_loop
from mutants import mutant
from proof import prove

from membench.benches import registry
from membench.benches.link.multimem import ENTRY, LARGEST, numbers
from membench.core.errors import Skip, VerificationFailed
from membench.core.units import KIB
from membench.core.work import Timed
from membench.gpu.protocol import KernelVariant

pytestmark = pytest.mark.sampled(4)

MULTIMEM, ALL = registry().benches["peer/multimem"], registry().benches["peer/all"]
SIZE = 74 * KIB + 48
"""A whole tile of 8 x 512 vectors, and more than one further block of 512 vectors."""

COUNTED = {"ld-reduce": "multimem.load", "st": "multimem.store", "red": "multimem.red"}


def several(gpus: int, sms: int = 2, **others: object) -> EmulatedGpu:
    gpu = EmulatedGpu(small(sms), **others)  # type: ignore[arg-type]  # whatever a test needs
    gpu.links = EmulatedLinks(gpu, gpus=gpus)
    return gpu


@pytest.mark.parametrize("gpus", [2, 5])
@pytest.mark.parametrize("op", COUNTED)
def test_what_goes_over_the_link_is_what_is_declared(op: str, gpus: int) -> None:
    proven = prove(MULTIMEM, {"size": SIZE, "op": op}, several(gpus))
    counts = proven.counts
    assert counts.bytes[COUNTED[op]] == proven.declared == 2 * SIZE
    own = counts.bytes["st.global" if op == "ld-reduce" else "ld.global"]
    assert own == proven.declared  # each GPU's own memory, in addition to the link
    assert counts.loaded + counts.stored == proven.declared
    assert proven.work.detail["gpus"] == gpus


def test_sums_of_a_million_additions_are_exact() -> None:
    drawn = numbers(3)
    assert drawn.max() == LARGEST
    assert (drawn == np.round(drawn)).all()
    assert np.float32((1_000_000 + 72) * LARGEST) == (1_000_000 + 72) * LARGEST < 2**24


@pytest.mark.parametrize("op", COUNTED)
def test_work_that_was_not_done_is_found(op: str) -> None:
    work = MULTIMEM.build(several(2), {"size": SIZE, "op": op})
    assert isinstance(work, Timed)
    with pytest.raises(VerificationFailed, match="numbers of the result are wrong"):
        work.verify(1)


def test_without_other_gpus_or_multimem_it_is_skipped() -> None:
    for name, params in (("peer/multimem", {"op": "st"}), ("peer/all", {"dir": "in"})):
        with pytest.raises(Skip, match="needs 2 GPUs, but membench may use only 1"):
            registry().benches[name].build(several(1), {"size": SIZE, **params})
    with pytest.raises(Skip, match=r"compute capability 9\.0"):
        MULTIMEM.build(EmulatedGpu(small(1, "89")), {"size": SIZE, "op": "st"})


MUTANTS = [
    ("i + (kInFlight - 1) * width < n", "i + width < n", "st", EmulationError),
    ("for (; i < n; i += width) put", "for (; i + width < n; i += width) put", "st", None),
    (
        "[=](size_t i) { return all + i; }",
        "[=](size_t i) { return all + i / 2; }",
        "ld-reduce",
        None,
    ),
    (
        "multimem.ld_reduce.relaxed.sys.global.add.v4.f32",
        "ld.global.v4.b32",
        "ld-reduce",
        OutOfBounds,
    ),
    ("multimem.st.relaxed.sys.global.v4.f32", "st.global.v4.b32", "st", OutOfBounds),
    (
        "multimem.st.relaxed.sys.global.v4.f32",
        "multimem.red.relaxed.sys.global.add.v4.f32",
        "st",
        None,
    ),
    (
        "multimem.red.relaxed.sys.global.add.v4.f32",
        "multimem.st.relaxed.sys.global.v4.f32",
        "red",
        None,
    ),
    ('"r"(v.word[2]), "r"(v.word[3])', '"r"(v.word[3]), "r"(v.word[2])', "red", None),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("before", "after", "op", "fault"), MUTANTS)
def test_a_mutant_is_caught(
    before: str, after: str, op: str, fault: type[Exception] | None
) -> None:
    gpu = several(3, 1, compile_=mutant("multimem.cu", before, after))
    with pytest.raises(fault or VerificationFailed):
        prove(MULTIMEM, {"size": SIZE, "op": op}, gpu)


def test_own_memory_is_no_multicast() -> None:
    gpu = several(2)
    kernel = gpu.kernel(KernelVariant.of("multimem.cu"), "multimem_store")
    own = gpu.allocate(KIB)
    gpu.fill(own, 0)
    gpu.launch(kernel, 1, 32, (own, own, np.uint64(4)))
    with pytest.raises(OutOfBounds, match="which is no multicast"):
        gpu.synchronize()


# Many to one, and one to many.


@pytest.mark.parametrize("way", ["in", "out"])
def test_all_others_are_copied_from_or_to_at_once(way: str) -> None:
    gpu = several(4)
    work = ALL.build(gpu, {"size": 4 * KIB, "dir": way})
    assert isinstance(work, Timed)
    with pytest.raises(VerificationFailed, match="peer/all: GPU 1"):
        work.verify(1)
    proven = prove(ALL, {"size": 4 * KIB, "dir": way}, gpu)
    assert proven.declared == 2 * 3 * 4 * KIB
    assert proven.work.detail["gpus"] == 4
    copied = [event.detail for event in gpu.log if event.kind == "copy"]
    assert len(copied) > 3 * 2


# Machine code.


@pytest.mark.parametrize("arch", ["90", "100", "120"])
def test_multimem_instructions_are_all_under_way(arch: str) -> None:
    code = machine_code("multimem.cu", (), arch)
    for entry, first, then in (
        ("multimem_reduce", r"LDGMC\.E\.ADD\.F32x4", r"STG\.E\.128"),
        ("multimem_store", r"LDG\.E\.128", r"STG\.E\.128\.STRONG\.SYS"),
        ("multimem_add", r"LDG\.E\.128", r"REDG\.E\.ADD\.F32x4"),
    ):
        body = main_loop(code[entry], first.replace("\\", ""))
        assert count(body, first) == count(body, then) == 8, entry
        last = max(n for n, one in enumerate(body) if count([one], first))
        assert count(body[:last], then) == 0, entry  # no value is needed before the last load


def test_before_hopper_multimem_stops_at_once() -> None:
    for entry, code in machine_code("multimem.cu", (), "80").items():
        assert count(code, "LDGMC|REDG") == 0, entry
        assert count(code, "BPT.TRAP") >= 1, entry


_UNDER_WAY = test_multimem_instructions_are_all_under_way
MACHINE_CODE: dict[str, Statement] = dict.fromkeys(ENTRY.values(), _UNDER_WAY)
