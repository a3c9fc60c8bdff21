"""Disk cases from the command line: the scratch file, its limits, and no leftover files."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from driver import Membench, alive, until

from membench.core.terms import Metric, Stat, Status
from membench.machine.disks.filesystem import read_filesystem
from membench.results.schema import Row
from membench.results.sidecar import read_sidecar
from membench.results.table import read_rows


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A directory whose files are on a disk."""
    place = tmp_path / "scratch"
    place.mkdir()
    found = read_filesystem(place)
    assert not found.direct_io, f"set TMPDIR to a directory on a disk: {found.direct_io}"
    return place


def rows(membench: Membench) -> list[Row]:
    return read_rows(membench.directory / "o.csv")


def test_a_disk_is_measured_and_nothing_is_left_of_it(membench: Membench, scratch: Path) -> None:
    done = membench(
        *("run", "--select", "ssd/tiny", "--rounds", "2", "-o", "o.csv", "--scratch", str(scratch))
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "writing a scratch file of 16.0 MiB in " in done.stdout
    found = {(row.metric, row.stat): row for row in rows(membench)}
    assert len(found) == 6
    for row in found.values():
        assert (row.status, row.rounds, row.backend) == (Status.OK, 2, "storage")
        assert row.verified
        assert row.detail["resident"] == "0.0%"
        assert row.device
    tail = [found[Metric.LATENCY, stat].value or 0 for stat in (Stat.P50, Stat.P95, Stat.P99)]
    assert tail == sorted(tail)
    assert list(scratch.iterdir()) == []
    sidecar = read_sidecar(membench.directory / "o.csv")
    assert sidecar is not None
    assert sidecar.plan.scratch == str(scratch)


@pytest.mark.slow
def test_a_link_to_a_directory_is_followed_and_the_file_beside_it_is_not_touched(
    membench: Membench, scratch: Path
) -> None:
    link = membench.directory / "link"
    link.symlink_to(scratch)
    done = membench(
        *("run", "--select", "ssd/tiny", "--rounds", "1", "-o", "o.csv", "--scratch", "link")
    )
    assert done.returncode == 0, done.stderr
    assert {row.status for row in rows(membench)} == {Status.OK}
    assert link.is_symlink()
    assert list(scratch.iterdir()) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--scratch", "/dev/shm"), "no disk can be measured in /dev/shm: tmpfs"),
        (
            ("--disk-budget", "8MiB"),
            "needs a file of 16.0 MiB, but --disk-budget allows only 8.00 MiB",
        ),
    ],
)
def test_where_no_disk_can_be_measured_its_cases_are_skipped_with_the_reason(
    membench: Membench, scratch: Path, options: tuple[str, ...], reason: str
) -> None:
    place = () if "--scratch" in options else ("--scratch", str(scratch))
    done = membench("run", "--select", "ssd/tiny", *options, *place, "-o", "o.csv")
    assert done.returncode == 0, done.stderr
    for row in rows(membench):
        assert row.status is Status.SKIPPED
        assert row.reason.startswith(reason)


@pytest.mark.parametrize("place", ["precious", "nowhere", "/dev/null"])
def test_only_directories_are_accepted(membench: Membench, place: str) -> None:
    (membench.directory / "precious").write_text("mine")
    done = membench.refuses("run", "--select", "ssd/read", "--scratch", place, "-o", "o.csv")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: the scratch path {place} is not a directory\nHint: ")
    assert (membench.directory / "precious").read_text() == "mine"
    assert not (membench.directory / "o.csv").exists()


@pytest.mark.slow
def test_a_file_that_does_not_fit_costs_the_disk_cases_and_nothing_else(
    membench: Membench, scratch: Path
) -> None:
    done = membench(
        *("run", "--select", "ssd/tiny", "--select", "ddr/steady", "--rounds", "1"),
        *("-o", "o.csv", "--scratch", str(scratch)),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert done.returncode == 3, done.stderr
    assert "a scratch file of 16.0 MiB" in done.stderr
    by_status = {row.case: row.status for row in rows(membench)}
    assert by_status["ssd/tiny"] is Status.FAILED
    assert by_status["ddr/steady/n=1"] is Status.OK
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_a_killed_run_leaves_no_byte_on_the_disk(membench: Membench, scratch: Path) -> None:
    run = membench.start(
        *("run", "--select", "ssd/slow", "--rounds", "1", "-o", "o.csv"),
        *("--scratch", str(scratch)),
    )
    worker = membench.wait_for_slow()
    assert list(scratch.iterdir()) == []  # the scratch file has no name even during the run
    held = [str(fd.readlink()) for fd in Path(f"/proc/{run.pid}/fd").iterdir()]
    assert any(str(scratch) in target and "(deleted)" in target for target in held)
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: not alive(worker), seconds=5)
    run.communicate(timeout=10)
    assert list(scratch.iterdir()) == []
    membench.flag.unlink()
    membench.flag.parent.rmdir()
    done = membench("run", "--resume", "o.csv")  # the resumed run writes a new scratch file
    assert done.returncode == 0, done.stderr
    assert {row.status for row in rows(membench)} == {Status.OK}
