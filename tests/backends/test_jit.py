"""The cache of compiled kernels is never in a folder in which other users can write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import membench
from membench.core.cache_dir import cache_directory
from membench.host.compiled.object_code import SUFFIX
from membench.host.memory.streams import source

PROGRAM = """
import sys
import numpy as np
from membench.host.memory.kernels import host_streams
a = np.zeros(16)
host_streams.fill(a.ctypes.data, 0, 16, 0)
print(int(a[3]), int("numba" in sys.modules))
"""


def run(environment: dict[str, str]) -> list[int]:
    kept = {k: os.environ[k] for k in ("PATH", "PYTHONPATH") if k in os.environ}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(membench.__file__).parents[1],
    )
    return [int(word) for word in result.stdout.split()]


@pytest.mark.slow
def test_the_second_process_loads_what_the_first_compiled_without_numba(tmp_path: Path) -> None:
    value, compiled = run({"NUMBA_CACHE_DIR": str(tmp_path)})
    assert compiled
    assert list(tmp_path.rglob(f"*{SUFFIX}"))
    assert run({"NUMBA_CACHE_DIR": str(tmp_path)}) == [value, 0]


@pytest.mark.parametrize(
    "environment",
    [{"NUMBA_CACHE_DIR": "file"}, pytest.param({"HOME": ""}, marks=pytest.mark.slow)],
)
def test_without_a_directory_everything_is_compiled_and_works(
    environment: dict[str, str], tmp_path: Path
) -> None:
    if "NUMBA_CACHE_DIR" in environment:
        blocked = tmp_path / "file"
        blocked.write_text("")
        environment = {"NUMBA_CACHE_DIR": str(blocked)}
    assert run(environment) == [int(source(3, 1, 0)[0]), 1]


def test_the_directory_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, base in (
        ("HOME", tmp_path / "home" / ".cache"),
        ("XDG_CACHE_HOME", tmp_path / "xdg"),
        ("NUMBA_CACHE_DIR", tmp_path / "numba"),
    ):
        for other in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
            if base != tmp_path / "xdg" or other != "HOME":
                monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, str(base.parent if name == "HOME" else base))
        found = cache_directory("abc")
        assert found is not None
        assert found.parent == base / "membench"
        assert found.stat().st_mode & 0o077 == 0
        assert found.name == "abc"
