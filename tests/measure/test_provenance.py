"""The digest in a row that identifies the measured sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from membench import workloads
from membench.benches import registry
from membench.core.backend import Backend
from membench.measure.worker import case_run
from membench.measure.worker.case_run import kernel_hash

BENCH = registry().benches["hbm/read"]


class Kernels:
    """A backend that has only a digest."""

    def __init__(self, digest: str) -> None:
        self.kernel_digest = digest


def hash_of(digest: str = "00") -> str:
    case_run._kernel_hash.cache_clear()  # a new process
    return kernel_hash(BENCH, cast("Backend", cast("Any", Kernels(digest))))


def test_shared_work_and_kernels_belong_to_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_of()
    copy = tmp_path / "workloads"
    shutil.copytree(next(iter(workloads.__path__)), copy)
    monkeypatch.setattr(workloads, "__path__", [str(copy)])
    assert hash_of() == before  # independent of the folder of the sources
    with (copy / "gpu_streams.py").open("a") as file:
        file.write("# changed\n")
    assert hash_of() != before
    assert hash_of("01") != hash_of()
