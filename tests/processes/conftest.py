"""The command line, with the test plug-in, in an empty directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import Membench, installed


@pytest.fixture
def membench(tmp_path: Path, nvml_library: Path) -> Iterator[Membench]:
    """The command line with the test plug-in installed, in an empty directory."""
    runner = installed(tmp_path, nvml_library)
    yield runner
    for process in runner.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
