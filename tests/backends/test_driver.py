"""Driver calls through ctypes, with stubs compiled from the structures in cuda.h."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import c_library
import pytest

from membench.core.errors import BackendUnavailable
from membench.gpu.cuda.driver import resident_clusters

SOURCE = Path(__file__).parents[1] / "support" / "cluster_stub.c"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ctypes.CDLL(str(c_library.build(tmp_path_factory.mktemp("driver") / "stub.so", SOURCE)))


@pytest.mark.parametrize(("size", "block", "shared"), [(8, 1024, 114 << 10), (16, 32, 32 << 10)])
def test_clusters_are_asked_for_in_the_drivers_own_layout(
    driver: Any, size: int, block: int, shared: int
) -> None:
    found = resident_clusters(driver, 1 << 40, size, block, shared)
    assert found == 1_000_000 * size + 1000 * (block // 32) + shared // 1024


def test_a_driver_that_does_not_place_them_is_quoted(driver: Any) -> None:
    with pytest.raises(BackendUnavailable, match="clusters of 4 blocks: CUDA_ERROR_INVALID_HANDLE"):
        resident_clusters(driver, 0, 4, 32, 0)


def test_a_driver_without_clusters_is_named() -> None:
    with pytest.raises(BackendUnavailable, match="does not support clusters"):
        resident_clusters(SimpleNamespace(), 1, 4, 32, 0)
