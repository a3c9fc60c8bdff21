"""Page reads on the emulator: kernels read exactly the pages of the table."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, OutOfBounds, small
from hypothesis import given
from hypothesis import strategies as st
from mutants import mutant
from proof import prove

from membench.benches import registry
from membench.benches.hbm import gather as hbm_gather
from membench.benches.hbm.gather import sensible, shifts, table_sum
from membench.core.errors import VerificationFailed
from membench.core.units import KIB, MIB
from membench.gpu.verify.pattern import pattern
from membench.workloads.page_gather import page_table

pytestmark = pytest.mark.sampled(4)

GATHER = registry().benches["hbm/gather"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use few pages, with an incomplete last tile."""
    monkeypatch.setattr(hbm_gather, "READ_BYTES", 220 * KIB)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("arch", ["80", "90", "120"])
@pytest.mark.parametrize("page", [32, 512, 8 * KIB])
def test_useful_bytes_are_those_of_the_pages(page: int, arch: str) -> None:
    gpu = EmulatedGpu(small(1, arch))
    proven = prove(GATHER, {"size": MIB, "page": page, "table": "uniform"}, gpu)
    vectors = proven.declared // 16
    sums = 4 * gpu.ran[0].grid * proven.iterations
    # In addition to the pages: the thread of every vector reads an entry of the table.
    assert proven.counts.loaded - sums - 4 * vectors == proven.declared
    assert proven.declared == 2 * (220 * KIB // page * page)
    assert proven.counts.executed("ld.global.nc.v4.u32") == vectors


def test_a_large_page_is_read_by_whole_sectors_and_a_small_one_too() -> None:
    for page in (32, 4 * KIB):
        gpu = EmulatedGpu(small(1))
        proven = prove(GATHER, {"size": MIB, "page": page, "table": "seq"}, gpu)
        warps = proven.declared // 512
        of_table = warps * max(1, 16 * 4 // 32 if page == 32 else 1)  # sectors of the table entries
        sums = gpu.ran[0].grid * proven.iterations
        assert 32 * (proven.counts.sectors["ld.global"] - of_table - sums) == proven.declared


@given(st.sampled_from(["uniform", "zipf", "seq"]), st.integers(0, 10), st.integers(1, 500))
def test_tables_name_pages_of_the_pool(kind: str, bits: int, count: int) -> None:
    table = page_table(kind, 1 << bits, count)
    assert table.size == count
    assert int(table.max()) < 1 << bits


def test_a_skewed_table_wants_few_pages_often() -> None:
    counts = {
        kind: np.sort(np.bincount(page_table(kind, 4096, 100_000), minlength=4096))[::-1]
        for kind in ("uniform", "zipf")
    }
    assert counts["uniform"][0] < 60  # the expectation is 24 for each page
    top = counts["zipf"] / 100_000
    assert 0.07 < top[0] < 0.10  # ln 2 / ln 4096
    assert top[:64].sum() > 0.45  # ln 65 / ln 4096
    assert top[0] > 1.4 * top[1]


@given(st.sampled_from([32, 64, 4096]), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_sum_over_a_table(page: int, count: int, salt: int) -> None:
    table = page_table("uniform", 16, count)
    pool = pattern(0, 16 * page // 4, salt).reshape(16, -1)
    expected = int(pool[table].sum(dtype=np.uint64)) % 2**32
    assert table_sum(table, page, salt) == expected


@given(st.integers(1, 16), st.integers(1, 40), st.data())
def test_the_sum_over_a_table_that_is_taken_further(
    pages: int, count: int, data: st.DataObject
) -> None:
    shift = data.draw(st.integers(0, pages - 1))
    table = page_table("uniform", pages, count)
    pool = pattern(0, pages * 16, 5).reshape(pages, -1)
    expected = int(pool[(table + shift) % pages].sum(dtype=np.uint64)) % 2**32
    assert table_sum(table, 64, 5, shift, pages) == expected


@pytest.mark.parametrize(("table", "tables"), [("uniform", 5), ("seq", 5), ("zipf", 1)])
def test_every_launch_reads_other_pages(table: str, tables: int) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(GATHER, {"size": MIB, "page": 4 * KIB, "table": table}, gpu, iterations=7)
    assert proven.work.detail["tables"] == tables  # 55 pages from pools of 256 pages
    assert shifts(table, 256, 55) == ((0, 55, 110, 165, 220) if tables > 1 else (0,))


def test_the_full_profile_reads_every_page_size_at_random() -> None:
    assert sensible("full", 32, "uniform", size=MIB)
    assert sensible("full", 4 * KIB, "zipf", size=MIB)
    assert not sensible("full", 32, "seq", size=MIB)


MUTANTS = [
    (
        "v + (kInFlight - 1) * kBlock < vectors",
        "v + (kInFlight - 2) * kBlock < vectors",
        OutOfBounds,
    ),
    (
        "for (; v < vectors; v += kBlock)",
        "for (; v + kBlock < vectors; v += kBlock)",
        VerificationFailed,
    ),
    ("shifted(page[k],", "shifted(page[0],", VerificationFailed),
    ("(v & within)", "0", VerificationFailed),
    ("page < rest ? page + shift : page - rest", "page + (rest & 0)", VerificationFailed),
    ("page < rest ? page + shift : page - rest", "page + shift + (rest & 0)", OutOfBounds),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("before", "after", "catch"), MUTANTS)
def test_a_mutant_is_caught(before: str, after: str, catch: type[Exception]) -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("gather.cu", before, after))
    with pytest.raises(catch):
        prove(GATHER, {"size": MIB, "page": 512, "table": "uniform"}, gpu, iterations=4)
