"""Times of whole commands relative to a baseline, in interleaved pairs of processes.

``pytest -m "" tests/bench/test_commands_speed.py --benchmark-enable --benchmark-json FILE`` writes
the medians of the ratios, in CPU time and in wall time. The baseline of ``list`` is the import of
click. The baseline of other commands is the checkout in ``MEMBENCH_BASE``, for example from ``git
worktree add BASE a1d60a3``.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[2]
BASE = os.environ.get("MEMBENCH_BASE")
PAIRS = int(os.environ.get("MEMBENCH_PAIRS", "1"))
RUN = next((HERE / "results" / "reference").glob("epyc-zen4-2cpu-vm/*_quick.csv"))
FIGURES = sorted((HERE / "results" / "reference").glob("*/figures.csv"))
CLICK = ("-c", "import click")
LISTING = {
    "list": ["list"],
    "list-full": ["list", "--profile", "full"],
    "info": ["info"],
}
READING = {
    "compare": ["compare", f"a={RUN}", f"b={RUN}"],
    "advise": ["advise", str(RUN), "--model", "llama-3.1-70b", "--context", "32768"],
    "report": ["report", str(RUN), "-o", "REPORT"],
    "report-20": ["report", *map(str, FIGURES[:20]), "-o", "REPORT"],
}


def _spent(checkout: Path, command: Sequence[str], folder: Path) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of ``command`` in a new process."""
    report = folder / "report.html"
    report.unlink(missing_ok=True)
    arguments = [str(report) if one == "REPORT" else one for one in command]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _pairs(
    benchmark: BenchmarkFixture,
    own: Sequence[str],
    other: tuple[Path, Sequence[str]],
    folder: Path,
) -> None:
    ratios: list[tuple[float, float]] = []

    def both() -> None:
        here, there = _spent(HERE, own, folder), _spent(*other, folder)
        ratios.append((here[0] / there[0], here[1] / there[1]))

    benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    for name, several in zip(("processor", "wall"), zip(*ratios, strict=True), strict=True):
        benchmark.extra_info[f"ratio, {name} time"] = statistics.median(several)


@pytest.mark.benchmark(group="beside importing click")
@pytest.mark.parametrize("name", LISTING)
def test_beside_click(benchmark: BenchmarkFixture, name: str, tmp_path: Path) -> None:
    _pairs(benchmark, ["-m", "membench", *LISTING[name]], (HERE, CLICK), tmp_path)


@pytest.mark.benchmark(group="beside another checkout")
@pytest.mark.parametrize("name", LISTING | READING)
def test_beside_another_checkout(benchmark: BenchmarkFixture, name: str, tmp_path: Path) -> None:
    """Without ``MEMBENCH_BASE``, the baseline is this checkout, and the ratio is about 1."""
    command = ["-m", "membench", *(LISTING | READING)[name]]
    _pairs(benchmark, command, (Path(BASE) if BASE else HERE, command), tmp_path)
