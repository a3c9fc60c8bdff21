"""The command line, with the test plug-in, in an empty directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import BENCHES, ROOT, Membench


@pytest.fixture
def membench(tmp_path: Path, nvml_library: Path) -> Iterator[Membench]:
    """The command line with the test plug-in installed, in an empty directory."""
    site = tmp_path / "site"
    info = site / "membench_test_benches-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "membench_test_benches.py").write_text(BENCHES)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: membench-test-benches\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[membench.benches]\ntests = membench_test_benches\n")
    flags = tmp_path / "flags"
    flags.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "TEST_FLAG": str(flags / "slow"),
    }
    environment.pop("COLUMNS", None)
    runner = Membench(work, environment, nvml_library)
    yield runner
    for process in runner.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
