"""A run on a GPU from the command line, with doubles of NVML and CuPy.

The results files of these runs contain no measured values.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from cupy_double.library import UUIDS
from cupy_double.real import no_driver
from driver import ROOT, Membench, alone

from membench.core.terms import Metric, Status
from membench.results.table import read_rows

pytestmark = pytest.mark.skipif(not no_driver(), reason="this machine has a driver")

IN_WORKERS = f"""
import sys

if "membench.measure.worker.main" in sys.orig_argv:
    sys.path.insert(0, {str(ROOT / "tests" / "support")!r})
    from cupy_double import patched

    sys.cupy_double = patched(gpus=1, ns_per_step=1000)
    sys.cupy_double.__enter__()
"""


@pytest.fixture
def environment(membench: Membench) -> dict[str, str]:
    made = membench.with_gpu(f"GPU-{uuid.UUID(bytes=UUIDS[0])}")
    site = Path(made["PYTHONPATH"].partition(":")[0])
    (site / "sitecustomize.py").write_text(IN_WORKERS)
    return made


CASES = (
    "gpu/launch/kind=kernel",
    "gpu/roundtrip/kind=launch",
    "hbm/d2d/size=64KiB/count=rw_sum",
    "hbm/memset/size=64KiB",
)


def test_a_run_goes_through_the_cuda_backend_in_fresh_processes(
    membench: Membench, environment: dict[str, str]
) -> None:
    selected = [part for case in CASES for part in ("--select", case)]
    done = membench(
        *("run", "--profile", "full", "--rounds", "2", "--strict", "-o", "o.csv", *selected),
        env=environment,
    )
    assert (done.returncode, alone(done.stderr)) == (0, ""), done.stdout
    rows = read_rows(membench.directory / "o.csv")
    assert {row.case for row in rows} == set(CASES)
    for row in rows:
        assert (row.status, row.backend, row.verified, row.rounds) == (Status.OK, "cuda", True, 2)
        assert row.device == "NVIDIA H100 of the tests"
    (copied,) = (row for row in rows if row.case.startswith("hbm/d2d"))
    assert copied.metric is Metric.BANDWIDTH
    assert copied.peak
