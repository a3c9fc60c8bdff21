"""The extra in README's first command: a script without dependencies derives it from the driver."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nvml_stub
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the stub of the driver's library."""
    return nvml_stub.build(tmp_path_factory.mktemp("nvml")).parent


def asked(environment: Mapping[str, str]) -> str:
    """The output of ``membench.machine.gpus.extra`` in a Python with only the standard library."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "membench.machine.gpus.extra"],
        cwd=ROOT,
        env={"PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("cuda", "capabilities", "extra"),
    [
        (12080, ["9.0"], "[cuda12]"),
        (13000, ["9.0"], "[cuda13]"),
        (13020, ["12.0", "12.0"], "[cuda13]"),
        (13000, ["9.0", "7.0"], "[cuda12]"),  # CUDA 13 does not support Volta
        (13000, ["!3"], "[cuda13]"),  # the compute capability is unknown
        (11080, ["8.0"], ""),  # the driver is too old, and the run reports this
        (13000, [], ""),
    ],
)
def test_the_extra_is_that_of_the_driver_and_the_oldest_gpu(
    library: Path, tmp_path: Path, cuda: int, capabilities: list[str], extra: str
) -> None:
    cards: list[Mapping[str, object]] = [
        {**nvml_stub.H100, "capability": one} for one in capabilities
    ]
    told = tmp_path / "gpus"
    told.write_text(nvml_stub.text(cards, cuda=cuda))
    found = asked({"LD_LIBRARY_PATH": str(library), "NVML_STUB": str(told)})
    assert found == extra


def test_without_a_driver_or_with_one_that_fails_there_is_no_extra(
    library: Path, tmp_path: Path
) -> None:
    assert asked({"LD_LIBRARY_PATH": str(tmp_path)}) == ""
    told = tmp_path / "gpus"
    told.write_text(nvml_stub.text([nvml_stub.H100], cuda=13000, init=9))
    assert asked({"LD_LIBRARY_PATH": str(library), "NVML_STUB": str(told)}) == ""
    assert os.environ.get("NVML_STUB") is None
