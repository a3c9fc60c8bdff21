"""ci/gpu.sh without a GPU: each stage goes as far as it can, and a wrong call says how."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "ci" / "gpu.sh"


def call(*arguments: str, limit: int = 500) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "LIMIT": str(limit)}
    return subprocess.run(
        [str(SCRIPT), *arguments], capture_output=True, text=True, check=False, env=environment
    )


NOT_THERE = ("scipy", "jsonschema", "dask", "distributed", "pyarrow", "libcachesim")
"""Packages of the tests that a machine with a GPU need not have."""


@pytest.mark.slow
def test_check_collects_the_tests_for_a_gpu_and_counts_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    gone = "".join(f"sys.modules[{name!r}] = None\n" for name in NOT_THERE)
    (lacking / "sitecustomize.py").write_text(f"import sys\n{gone}")
    monkeypatch.setenv("PYTHONPATH", str(lacking))
    ran = call(str(tmp_path), "check", "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "test_gpu_contract.py::test_what_goes_up_comes_down[cuda]" in ran.stdout
    counts = (tmp_path / "counts.csv").read_text().splitlines()
    assert counts[0] == "pattern,emulated_ld,emulated_st,counted_ld,counted_st"
    assert counts[1] == '"copy, 16 bytes a thread",32768,32768,,'
    assert len(counts) == 7
    every = (tmp_path / "every.log").read_text()
    assert "hbm/triad/size=1GiB/vec=16" in every
    assert "decode/attn/" in every
    assert "energy" not in every
    assert "ddr/" not in every
    assert ran.stdout.splitlines()[-1].split() == ["check", ran.stdout.split()[-2], "none"]


def test_check_runs_every_test_for_a_gpu() -> None:
    marked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.gpu" in path.read_text() and path.parent != Path(__file__).parent
    }
    assert marked
    assert all(path in SCRIPT.read_text() for path in marked)


@pytest.mark.parametrize("stage", ["quick", "full", "peers"])
def test_a_profile_is_planned(tmp_path: Path, stage: str) -> None:
    ran = call(str(tmp_path), stage, "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    size = "1GiB" if stage == "peers" else "auto"  # as large as the peers' arrays
    assert f"hbm/triad/size={size}/vec=16" in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stage}.log"]


@pytest.mark.parametrize(
    "arguments", [(), ("out",), ("out", "everything"), ("out", "check", "--dry")]
)
def test_a_wrong_call_is_answered_with_the_usage(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    given = [str(tmp_path) if one == "out" else one for one in arguments]
    ran = call(*given)
    assert ran.returncode == 2
    assert "ci/gpu.sh OUTDIR STAGE" in ran.stderr


def test_what_does_not_end_in_time_is_a_failure_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\n[ "$1" = - ] || exec sleep 60\n')
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    ran = call(str(tmp_path), "quick", "--dry-run", limit=1)
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1].split()[2:] == ["quick(124)"]
