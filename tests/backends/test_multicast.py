"""Multicast objects through ctypes, with a stub driver compiled from the structures in cuda.h."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import c_library
import pytest

from membench.core.errors import BackendUnavailable
from membench.core.units import MIB
from membench.gpu.cuda.multicast import multicast_memory

SOURCE = Path(__file__).parents[1] / "support" / "multicast_stub.c"
GPUS = (0, 1, 2)
MADE = [
    *("create 400000", "add 28", "add 29", "add 2a"),
    *(
        f"{step} {number}"
        for handle in ("128", "129", "12a")
        for step, number in (
            *(("memory", handle), ("bind", handle)),
            *(("reserve", "400000"), ("map", handle), ("access", "3")),
        )
    ),
    *("reserve 400000", "map 77", "access 3"),
]
UNDONE = [
    *("unmap 400000", "give 400000"),
    *(
        step
        for device, handle in (("2a", "12a"), ("29", "129"), ("28", "128"))
        for step in ("unmap 400000", "give 400000", f"unbind {device}", f"release {handle}")
    ),
    "release 77",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = c_library.build(tmp_path_factory.mktemp("driver") / "multicast.so", SOURCE)
    return ctypes.CDLL(str(path))


@pytest.fixture
def driver(built: Any) -> Any:
    ctypes.memset(ctypes.addressof(_said(built)), 0, 4096)
    for name, number in (("supported", 1), ("fails_at", -1), ("calls", 0)):
        ctypes.c_int.in_dll(built, name).value = number
    return built


def _said(driver: Any) -> Any:
    return (ctypes.c_char * 4096).in_dll(driver, "said")


def said(driver: Any) -> list[str]:
    return [str(line) for line in _said(driver).value.decode().splitlines()]


def test_memory_of_every_gpu_gets_one_address_and_one_of_its_own(driver: Any) -> None:
    made = multicast_memory(driver, GPUS, 3 * MIB)
    assert made.size == 4 * MIB  # rounded up to whole granules
    assert len({made.address, *made.each}) == 4
    assert said(driver) == MADE


def test_everything_is_given_back_in_reverse(driver: Any) -> None:
    made = multicast_memory(driver, GPUS, 3 * MIB)
    made.free()
    assert said(driver) == MADE + UNDONE
    made.free()  # a second call frees nothing
    assert said(driver) == MADE + UNDONE


def test_what_fails_half_way_leaves_nothing_behind(driver: Any) -> None:
    ctypes.c_int.in_dll(driver, "fails_at").value = MADE.index("bind 129")
    with pytest.raises(
        BackendUnavailable, match="cuMulticastBindMem failed: CUDA_ERROR_SYSTEM_NOT_READY"
    ):
        multicast_memory(driver, GPUS, 3 * MIB)
    undone = said(driver)[MADE.index("bind 129") + 1 :]
    assert undone == ["release 129", *UNDONE[-5:]]


def test_gpus_without_a_switch_are_named(driver: Any) -> None:
    ctypes.c_int.in_dll(driver, "supported").value = 0
    with pytest.raises(
        BackendUnavailable, match=r"GPU 0 does not support multicast: .* NVLink switch"
    ):
        multicast_memory(driver, GPUS, MIB)
    with pytest.raises(BackendUnavailable, match="no multicast objects"):
        multicast_memory(SimpleNamespace(), GPUS, MIB)
