"""The driver's batch copy through ctypes, against a stub driver that records its arguments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import c_library
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import BackendUnavailable, MembenchError
from membench.gpu.cuda.batch_copy import Attributes, BatchCopy, find_batch_copy

SOURCE = Path(__file__).parents[1] / "support" / "batch_stub.c"


class Recorded(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("calls", ctypes.c_int),
        ("count", ctypes.c_size_t),
        ("bytes", ctypes.c_size_t),
        ("attributes", ctypes.c_size_t),
        ("first_index", ctypes.c_size_t),
        ("order", ctypes.c_int),
        ("source_hint", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("stream", ctypes.c_uint64),
        ("had_fail_index", ctypes.c_int),
    )


Build = Callable[[int, int], Path]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A function that compiles a stub driver.

    ``newest`` is the version of the driver. ``fails`` is the error code that its copy call
    returns.
    """
    folder = tmp_path_factory.mktemp("driver")

    @cache
    def build(newest: int, fails: int = 0) -> Path:
        path = folder / f"libcuda_{newest}_{fails}.so"
        return c_library.build(path, SOURCE, f"-DNEWEST={newest}", f"-DFAILS={fails}")

    return build


def recorded(path: Path) -> Recorded:
    return Recorded.in_dll(ctypes.CDLL(str(path)), "recorded")


def run(copy: BatchCopy, sizes: list[int], stream: int = 0x5EED) -> bool:
    """Copy pieces of ``sizes`` bytes in reverse order; True if all bytes arrived."""
    source = np.random.default_rng(1).integers(0, 256, sum(sizes), np.uint8)
    target = np.zeros_like(source)
    starts = np.cumsum([0, *sizes[:-1]]).astype(np.uint64)
    ends = np.uint64(source.size) - starts - np.array(sizes, np.uint64)
    go = copy.prepare(
        np.uint64(target.ctypes.data) + ends,
        np.uint64(source.ctypes.data) + starts,
        np.array(sizes, np.uint64),
    )
    go(stream)
    pieces = np.split(source, starts[1:].astype(np.int64))
    return bool(np.array_equal(target, np.concatenate(pieces[::-1])))


@pytest.mark.parametrize(
    ("newest", "version"), [(12080, 12080), (12090, 12080), (13000, 13000), (13020, 13000)]
)
def test_the_signature_is_that_of_the_driver(newest: int, version: int, driver: Build) -> None:
    path = driver(newest, 0)
    copy = find_batch_copy(str(path))
    assert copy.version == version
    before = recorded(path).calls
    assert run(copy, [16, 4096, 28672, 1])
    seen = recorded(path)
    assert seen.calls == before + 1
    assert seen.version == version
    assert seen.count == 4
    assert seen.bytes == 16 + 4096 + 28672 + 1
    assert (seen.attributes, seen.first_index) == (1, 0)
    assert (seen.order, seen.source_hint, seen.flags) == (1, 0, 0)  # the copies are in stream order
    assert seen.stream == 0x5EED
    assert seen.had_fail_index == (version == 12080)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60))
def test_every_piece_comes_to_its_place(driver: Build, sizes: list[int]) -> None:
    assert run(find_batch_copy(str(driver(13000, 0))), sizes)


@pytest.mark.parametrize(
    ("order", "overlap", "said"), [("stream", True, (1, 1)), ("any", False, (3, 0))]
)
def test_the_order_of_the_sources_and_the_wish_to_overlap_are_passed_on(
    order: str, overlap: bool, said: tuple[int, int], driver: Build
) -> None:
    path = driver(13000, 0)
    data = np.zeros(2, np.uint64)
    address = np.array([data.ctypes.data], np.uint64)
    copy = find_batch_copy(str(path))
    copy.prepare(address, address + np.uint64(8), np.array([8], np.uint64), order, overlap=overlap)(
        0
    )
    seen = recorded(path)
    assert (seen.order, seen.flags) == said


def test_what_is_prepared_once_can_be_queued_again(driver: Build) -> None:
    path = driver(12080, 0)
    source, target = np.arange(8, dtype=np.uint64), np.zeros(8, np.uint64)
    go = find_batch_copy(str(path)).prepare(
        np.array([target.ctypes.data], np.uint64),
        np.array([source.ctypes.data], np.uint64),
        np.array([64], np.uint64),
    )
    before = recorded(path).calls
    for _ in range(3):
        target[:] = 0
        go(0)
        assert np.array_equal(target, source)
    assert recorded(path).calls == before + 3


@pytest.mark.parametrize("newest", [0, 12000, 12070])
def test_an_older_driver_has_none_and_says_so(newest: int, driver: Build) -> None:
    with pytest.raises(BackendUnavailable, match="no batch copy") as caught:
        find_batch_copy(str(driver(newest, 0)))
    assert "12.8" in caught.value.hint


def test_no_driver_is_said_in_one_line() -> None:
    with pytest.raises(BackendUnavailable, match="cannot be loaded"):
        find_batch_copy("libno-such-driver.so")


@pytest.mark.parametrize(
    ("newest", "error", "said"),
    [
        (12080, 1, r"\(copy 2\): CUDA_ERROR_INVALID_VALUE"),
        (13000, 1, "failed: CUDA_ERROR_INVALID_VALUE"),
        (13000, 700, "failed: error 700"),
    ],
)
def test_an_error_names_itself_and_the_copy(
    newest: int, error: int, said: str, driver: Build
) -> None:
    copy = find_batch_copy(str(driver(newest, error)))
    with pytest.raises(MembenchError, match=said):
        run(copy, [8, 8, 8, 8])


def test_arrays_of_different_lengths_are_refused(driver: Build) -> None:
    copy = find_batch_copy(str(driver(13000, 0)))
    one, two = np.zeros(1, np.uint64), np.zeros(2, np.uint64)
    with pytest.raises(ValueError, match="as many targets"):
        copy.prepare(two, one, two)
    with pytest.raises(ValueError, match="at least one"):
        copy.prepare(one[:0], one[:0], one[:0])


def test_the_attributes_have_the_size_of_the_header() -> None:
    # cuda.h: one enum, two locations of two ints each, one word of flags.
    assert ctypes.sizeof(Attributes) == 24
