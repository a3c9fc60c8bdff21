"""The command line with the test plug-in, in an empty directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import Membench, installed

from membench.host.memory import staircase
from membench.machine import snapshot


@pytest.fixture(scope="session")
def stairs() -> str:
    """The staircase of this machine as JSON, measured once."""
    return json.dumps(staircase.measure(snapshot()))


@pytest.fixture
def membench(tmp_path: Path, nvml_library: Path, stairs: str) -> Iterator[Membench]:
    """The command line with the test plug-in, in an empty directory.

    After the test, processes that still run are killed.
    """
    runner = installed(tmp_path, nvml_library, stairs)
    yield runner
    for process in runner.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
