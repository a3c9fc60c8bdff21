"""membench asks CUDA's driver, here a stub, for memory sizes that NVML does not report."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import c_library
import pytest

from membench.core.snapshot import GpuIdentity, Gpus
from membench.machine.gpus.cuda_sizes import with_sizes_of_cuda
from membench.machine.gpus.nvml import hashed

SOURCE = Path(__file__).parents[1] / "support" / "cuda_sizes_stub.c"


def gpu(device: int, memory: int | None, kind: str = "GPU") -> GpuIdentity:
    """The NVML description of device ``device`` of the stub."""
    named = hashed(f"{kind}-{uuid.UUID(bytes=bytes([device]) * 16)}")
    return GpuIdentity(device - 40, "NVIDIA of the tests", named, memory, "9.0")


def driver(folder: Path, fails: int = 0) -> str:
    return str(c_library.build(folder / f"libcuda{fails}.so", SOURCE, f"-DFAILS={fails}"))


def sizes(gpus: Gpus, library: str) -> list[int | None]:
    return [one.memory for one in with_sizes_of_cuda(gpus, library).devices]


def test_a_size_that_nvml_does_not_know_is_that_of_cuda(tmp_path: Path) -> None:
    library = driver(tmp_path)
    gpus = Gpus("580.1", "13.0", (gpu(40, None), gpu(41, None), gpu(40, None, "MIG")))
    assert sizes(gpus, library) == [96 << 30, None, 96 << 30]
    known = replace(gpus, devices=(gpu(40, 80 << 30), gpu(40, None)))
    assert sizes(known, library) == [80 << 30, 96 << 30]  # a size from NVML is kept


def test_where_nothing_is_missing_nothing_is_asked() -> None:
    gpus = Gpus("580.1", "13.0", (gpu(40, 80 << 30),))
    assert with_sizes_of_cuda(gpus, "/no/such/driver") is gpus
    assert with_sizes_of_cuda(Gpus(), "/no/such/driver") == Gpus()


@pytest.mark.parametrize("fails", [100, 803])
def test_without_an_answer_a_size_stays_unknown(fails: int, tmp_path: Path) -> None:
    gpus = Gpus("580.1", "13.0", (gpu(40, None),))
    assert sizes(gpus, driver(tmp_path, fails)) == [None]
    assert sizes(gpus, str(tmp_path / "absent.so")) == [None]
