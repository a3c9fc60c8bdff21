"""Prefetch and advice of managed memory, with a stub driver that records the arguments."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from c_library import build

from membench.core.errors import BackendUnavailable
from membench.gpu.cuda.driver import device_handle, explainer, open_driver
from membench.gpu.cuda.managed import ManagedMemory

DRIVER = """
#include <stddef.h>
typedef unsigned long long CUdeviceptr;
typedef int CUdevice;
struct { CUdeviceptr at; size_t size; int place; void *stream; int advice; } recorded;
int cuDeviceGet(CUdevice *device, int ordinal) { *device = ordinal + 40; return ordinal > 1; }
int cuMemPrefetchAsync(CUdeviceptr at, size_t size, CUdevice place, void *stream) {
    recorded.at = at; recorded.size = size; recorded.place = place; recorded.stream = stream;
    return size == 1 ? 700 : 0;
}
int cuMemAdvise(CUdeviceptr at, size_t size, int advice, CUdevice place) {
    recorded.at = at; recorded.size = size; recorded.place = place; recorded.advice = advice;
    return 0;
}
"""
ADDRESS, SIZE, STREAM = 0x7F12_3456_7000, 5 << 32, 0x5EED_0000_0001
HOST, GPU = -1, 41  # CU_DEVICE_CPU, and the handle of GPU 1


class Recorded(ctypes.Structure):
    _fields_ = (
        ("at", ctypes.c_uint64),
        ("size", ctypes.c_size_t),
        ("place", ctypes.c_int),
        ("stream", ctypes.c_void_p),
        ("advice", ctypes.c_int),
    )


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ctypes.CDLL(str(build(tmp_path_factory.mktemp("driver") / "libcuda.so", DRIVER)))


@pytest.mark.parametrize(("to_host", "place"), [(True, HOST), (False, GPU)])
def test_a_prefetch_names_the_host_or_the_gpu(driver: Any, to_host: bool, place: int) -> None:
    assert ManagedMemory(1, driver).prefetch(ADDRESS, SIZE, STREAM, to_host=to_host) == 0
    seen = Recorded.in_dll(driver, "recorded")
    assert (seen.at, seen.size, seen.place, seen.stream) == (ADDRESS, SIZE, place, STREAM)


@pytest.mark.parametrize(
    ("advice", "number", "place"),
    [("read-mostly", 1, GPU), ("prefer-host", 3, HOST), ("accessed-by", 5, GPU)],
)
def test_advice_is_that_of_cuda_h(driver: Any, advice: str, number: int, place: int) -> None:
    assert ManagedMemory(1, driver).advise(ADDRESS, SIZE, advice) == 0
    seen = Recorded.in_dll(driver, "recorded")
    assert (seen.at, seen.size, seen.advice, seen.place) == (ADDRESS, SIZE, number, place)


def test_an_error_is_handed_on(driver: Any) -> None:
    assert ManagedMemory(0, driver).prefetch(ADDRESS, 1, STREAM, to_host=True) == 700
    assert explainer(driver)(700) == "error 700"  # this stub driver has no error names


def test_a_gpu_that_the_driver_does_not_show_is_said(driver: Any) -> None:
    assert device_handle(driver, 2) is None
    with pytest.raises(BackendUnavailable, match="does not list GPU 2"):
        ManagedMemory(2, driver)


def test_no_driver_is_said_in_one_line() -> None:
    with pytest.raises(BackendUnavailable, match="cannot be loaded"):
        open_driver("libno-such-driver.so")
