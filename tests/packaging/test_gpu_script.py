"""ci/gpu.sh without a GPU: each stage runs as far as possible; a wrong call prints the usage."""

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
"""Packages of the tests that a GPU machine may lack."""


@pytest.mark.slow
def test_check_collects_the_tests_for_a_gpu_and_counts_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    gone = "".join(f"sys.modules[{name!r}] = None\n" for name in NOT_THERE)
    (lacking / "sitecustomize.py").write_text(f"import sys\n{gone}")
    monkeypatch.setenv("PYTHONPATH", str(lacking))
    ran = call(str(tmp_path), "first-look", "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "test_gpu_contract.py::test_what_goes_up_comes_down[cuda]" in ran.stdout
    assert "gpu/chase/size=16GiB" not in ran.stdout  # without a GPU, the memory size is unknown
    assert "hbm/read/size=auto/config=best" in ran.stdout
    ran = call(str(tmp_path), "check", "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
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


@pytest.mark.sampled(1)
@pytest.mark.parametrize("stage", ["quick", "full", "peers"])
def test_a_profile_is_planned(tmp_path: Path, stage: str) -> None:
    ran = call(str(tmp_path), stage, "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    size = "1GiB" if stage == "peers" else "auto"  # the same size as the arrays of the other tools
    assert f"hbm/triad/size={size}/vec=16" in ran.stdout
    assert "energy" not in ran.stdout
    assert "ddr/" not in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stage}.log"]


def test_energy_is_measured_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENERGY", "1")
    assert "hbm/energy" in call(str(tmp_path), "full", "--dry-run").stdout


def test_the_choices_are_listed(tmp_path: Path) -> None:
    ran = call(str(tmp_path), "ab", "--dry-run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "smem/cluster of 8: resident +0, resident -1, resident +1" in ran.stdout
    assert "smem/multicast: clusters of 1, clusters of 2, clusters of 4" in ran.stdout
    assert "hbm/d2d 1GiB: driver, tma" in ran.stdout
    assert "gpu/gemm of Blackwell: mxfp8, nvfp4" in ran.stdout


MEMBENCH = r"""#!/usr/bin/env bash
# In the place of python3: membench runs leave what a test says; programs on standard input are run.
[[ $1 == - ]] && exec "$REAL" "$@"
echo "$*" >>"$CALLS"
[[ "$*" == *"-m membench run"* ]] || exit 0
for last; do [[ $previous == -o || $previous == --resume ]] && csv=$last; previous=$last; done
journal=${csv%.csv}.journal
if [[ "$*" == *"-o "* && -e $SLOW ]]; then
    touch "$journal"
    rm "$SLOW"
    exit 130
fi
rm -f "$journal"
printf 'case,status\n%s' "$(cat "$ROWS")" >"$csv"
head -c "$BYTES" /dev/zero >"${csv%.csv}.json"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fake `python` that pretends to measure, and its control files."""
    monkeypatch.setenv("REAL", sys.executable)
    fake = tmp_path / "python"
    fake.write_text(MEMBENCH)
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    for name in ("CALLS", "ROWS", "SLOW"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BYTES", "10")
    (tmp_path / "CALLS").touch()
    return tmp_path


def runs(machine: Path) -> list[str]:
    """The command lines of ``membench run`` since the last call."""
    found = [line for line in (machine / "CALLS").read_text().splitlines() if " run " in line]
    (machine / "CALLS").write_text("")
    return found


@pytest.mark.slow
def test_check_goes_on_where_it_ended_and_repeats_what_failed(machine: Path) -> None:
    (machine / "SLOW").touch()
    (machine / "ROWS").write_text("hbm/read,ok\nl2/map,failed\nlink/h2d,failed\n")
    first = call(str(machine / "one"), "check")
    assert (first.returncode, "not complete yet" in first.stdout) == (1, True)
    (begun,) = runs(machine)
    assert "--select=gpu/chase/*" in begun
    # Another folder: the state is stored elsewhere, so the run is resumed.
    assert call(str(machine / "two"), "check").returncode == 0
    (resumed,) = runs(machine)
    assert "--resume" in resumed
    (machine / "ROWS").write_text("l2/map,ok\nlink/h2d,failed\n")
    call(str(machine / "two"), "check")
    (again,) = runs(machine)
    assert again.split()[-2:] == ["--select=l2/map", "--select=link/h2d"]
    (machine / "ROWS").write_text("link/h2d,ok\n")
    call(str(machine / "two"), "check")
    assert [line.split()[-1] for line in runs(machine)] == ["--select=link/h2d"]
    last = call(str(machine / "three"), "check")
    assert "nothing failed" in last.stdout
    assert runs(machine) == []
    given = {path.name for path in (machine / "three").iterdir()}
    assert given == {"again.csv", "again.json", "again.log", "every.csv", "every.json", "every.log"}


def test_no_more_is_given_than_can_be_taken_along(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYTES", str(20 << 20))
    (machine / "ROWS").write_text("hbm/read,ok\n")
    ran = call(str(machine / "out"), "full")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    given = {path.name: path.stat().st_size for path in (machine / "out").iterdir()}
    assert "full.json.gz" in given
    assert len(given) <= 8
    assert max(given.values()) <= 16 << 20
    (run,) = runs(machine)
    assert "--rounds 3" in run
    assert call(str(machine / "out"), "full").returncode == 0
    assert runs(machine) == []  # the run is complete


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


@pytest.mark.slow
def test_what_does_not_end_in_time_is_a_failure_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\n[ "$1" = - ] || exec sleep 60\n')
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    ran = call(str(tmp_path / "out"), "quick", "--dry-run", limit=1)
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1].split()[2:] == ["quick(124)"]
