"""A disk that fills up or becomes read-only during a run, and the write budget of a run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import disk_under_faults
import pytest
from loop_filesystems import EXT4, KINDS, CannotBeMounted, Kind, on_filesystem

from membench.core.units import MIB
from membench.measure.scratch_layout import WRITE_FACTOR

pytestmark = pytest.mark.slow

STORIES = str(Path(disk_under_faults.__file__))
# Write all inode tables at once. Otherwise the kernel writes them during the run.
QUIET = Kind("ext4", (*EXT4, "-E", "lazy_itable_init=0,lazy_journal_init=0"))
FRAGILE = Kind("ext4", EXT4, options=",errors=remount-ro")
METADATA = 32 * MIB


def told(story: str, kind: Kind, folder: Path) -> dict[str, Any]:
    if os.geteuid():
        pytest.skip("only root mounts filesystems")
    try:
        done = on_filesystem(kind, folder, [sys.executable, STORIES, story, "point"])
    except CannotBeMounted as error:
        pytest.skip(f"{kind.name} cannot be mounted here: {error}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", KINDS[:3], ids=[kind.name for kind in KINDS[:3]])
def test_a_disk_that_fills_up_meanwhile_costs_nothing_of_what_lies_on_it_already(
    kind: Kind, tmp_path: Path
) -> None:
    found = told("full", kind, tmp_path)
    scratch = found["scratch"]
    assert scratch["left"] < 16 * MIB
    assert scratch["code"] == 0, scratch["err"]
    # The whole file was written before the fault, and is overwritten in place.
    assert {(status, rounds) for _, status, _, rounds in scratch["rows"]} == {("ok", 3)}
    results = found["results"]
    assert results["code"] == 1, results
    assert "No space left on device" in results["err"]
    assert results["err"].count("Error: ") == 1
    assert "Traceback" not in results["err"]
    assert found["kept"] >= 2
    assert found["resumed"]["code"] == 0, found["resumed"]["err"]
    assert {status for _, status, *_ in found["resumed"]["rows"]} == {"ok"}


def test_a_disk_that_turns_read_only_fails_what_writes_and_nothing_else(tmp_path: Path) -> None:
    found = told("read-only", FRAGILE, tmp_path)
    assert found["refused"] == "Read-only file system"
    assert found["code"] == 3, found["err"]
    assert "Traceback" not in found["err"]
    status = {case: (status, reason) for case, status, reason, _ in found["rows"]}
    reads = {status[case] for case in status if case.startswith("ssd/read")}
    assert reads == {("ok", "")}
    failed = [status[case] for case in status if case.startswith("ssd/write")]
    assert {one for one, _ in failed} == {"failed"}
    for _, reason in failed:  # the error is from the I/O in flight, or from opening the file again
        assert "Read-only file system" in reason or "Input/output error" in reason
        assert "\n" not in reason


def test_a_run_writes_what_the_kernel_counts_and_stays_within_eight_times_its_budget(
    tmp_path: Path,
) -> None:
    found = told("budget", QUIET, tmp_path)
    most = WRITE_FACTOR * disk_under_faults.BUDGET
    assert found["code"] == 0, found["err"]
    status = {status for _, status, *_ in found["rows"]}
    assert status == {"ok", "skipped"}  # the requested writes exceed the budget
    reasons = {reason for *_, reason, _ in found["rows"] if reason}
    assert all("use a larger --disk-budget" in reason for reason in reasons)
    assert disk_under_faults.BUDGET < found["kernel"] <= most + METADATA


def test_a_quota_that_is_used_up_meanwhile_keeps_what_was_measured(tmp_path: Path) -> None:
    found = told("quota", KINDS[2], tmp_path)
    assert found["code"] == 1, found
    assert found["err"].count("Error: ") == 1
    assert "Disk quota exceeded" in found["err"]
    assert "Traceback" not in found["err"]
    assert found["kept"] >= 2
    assert found["resumed"]["code"] == 0, found["resumed"]["err"]
    assert [(status, rounds) for _, status, _, rounds in found["resumed"]["rows"]] == [("ok", 8)]
