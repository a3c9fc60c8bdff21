"""Time of the whole command that summarises a fleet, including the start and the page.

``MEMBENCH_MACHINES=10000 pytest tests/bench/test_fleet_scale.py --benchmark-enable`` gives the time
in `docs/fleet.md`. The test writes about 2.5 GB to pytest's temporary directory.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_files import make_fleet
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.slow

# So many machines that membench reads the files in several processes.
MACHINES = int(os.environ.get("MEMBENCH_MACHINES", "70"))
ROWS = 300 if MACHINES >= 1000 else 12


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`MACHINES` files of `ROWS` rows; two machines are slow in some cases."""
    directory = tmp_path_factory.mktemp("fleet")
    make_fleet(directory, MACHINES, ROWS, slow={3: {0, 1, 2, 5}, 7: {4, 6, 9}})
    return directory


@pytest.mark.benchmark(group="fleet report", max_time=1, min_rounds=1, warmup=False)
def test_summarising_a_fleet(benchmark: BenchmarkFixture, fleet: Path, tmp_path: Path) -> None:
    page = tmp_path / "fleet.html"
    command = [sys.executable, "-m", "membench", "fleet", "report", str(fleet), "-o", str(page)]

    def report() -> str:
        page.unlink(missing_ok=True)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    shown = benchmark(report)
    assert f"{MACHINES} machines, {ROWS} cases: 2 stragglers" in shown
    assert page.stat().st_size < 4 << 20
    # The peak of the largest process. The parent and each reader stay below this value.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    benchmark.extra_info["peak MiB of the largest process"] = peak
