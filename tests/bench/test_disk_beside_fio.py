"""Direct reads of a disk by membench and by fio, measured alternately on one filesystem.

``pytest -m "" tests/bench/test_disk_beside_fio.py --benchmark-enable --benchmark-json FILE`` writes
two medians over ``MEMBENCH_PAIRS`` pairs for each block size and depth. One is the median of (IOPS
of ``ssd/read``) / (IOPS of fio's faster engine). The other is the median of the same ratio of the
p99 latencies. membench and fio each use a file in the folder ``MEMBENCH_SCRATCH``. fio runs
io_uring with registered buffers and files, and native AIO. The buffers of fio are in huge pages if
the kernel has reserved 160 MiB of huge pages (``vm.nr_hugepages``).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("fio") is None, reason="needs fio"),
]

PAIRS = int(os.environ.get("MEMBENCH_PAIRS", "0"))
SIZE = "1GiB" if PAIRS else "256MiB"
SHAPES = [
    (pattern, block, depth)
    for pattern, block in (("rand", "4KiB"), ("seq", "1MiB"))
    for depth in (1, 32, 128)
]
ENGINES = {
    "io_uring": ("--ioengine=io_uring", "--fixedbufs=1", "--registerfiles=1"),
    "libaio": ("--ioengine=libaio",),
}
Rates = tuple[float, float]  # IOPS, p99 latency in ns


def _huge_pages() -> bool:
    """Whether the kernel has at least 160 MiB of huge pages free for fio's buffers."""
    text = Path("/proc/meminfo").read_text()
    values = dict(line.split(":") for line in text.splitlines())
    free = int(values["HugePages_Free"]) * int(values["Hugepagesize"].split()[0])
    return free >= 160 << 10


def _ours(folder: Path, pattern: str, block: str, depth: int) -> Rates:
    case = f"ssd/read/pattern={pattern}/block={block}/qd={depth}/pages=thp"
    file = folder / "ours.csv"
    file.unlink(missing_ok=True)
    file.with_suffix(".json").unlink(missing_ok=True)
    command = ["-m", "membench", "run", "--select", case, "--profile", "full", "--rounds", "1"]
    command += ["--scratch", str(folder), "--disk-budget", SIZE, "-o", str(file)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    rows = pd.read_csv(file).set_index(["metric", "stat"])["value"]
    return float(rows["iops", "median"]), float(rows["latency", "p99"])


def _fio(folder: Path, pattern: str, block: str, depth: int, engine: str) -> Rates:
    options = [  # by default, fio takes KiB for 1000 bytes and K for 1024 bytes
        "--name=beside",
        f"--filename={folder / 'fio.bin'}",
        f"--size={SIZE[:-2]}",
        f"--bs={block[:-2]}",
        f"--rw={'randread' if pattern == 'rand' else 'read'}",
        f"--iodepth={depth}",
        "--direct=1",
        "--time_based",
        "--runtime=1",
        "--lat_percentiles=1",
        "--clat_percentiles=0",
        "--percentile_list=99",
        "--output-format=json",
        *(["--mem=shmhuge"] if _huge_pages() else []),
        *ENGINES[engine],
    ]
    done = subprocess.run(["fio", *options], check=True, capture_output=True, text=True, cwd=folder)
    read = json.loads(done.stdout)["jobs"][0]["read"]
    return read["iops"], read["lat_ns"]["percentile"]["99.000000"]


@pytest.mark.parametrize("shape", SHAPES if PAIRS else SHAPES[:1])
def test_direct_reads(
    tmp_path: Path, benchmark: BenchmarkFixture, shape: tuple[str, str, int]
) -> None:
    folder = Path(os.environ.get("MEMBENCH_SCRATCH", tmp_path))
    tools: dict[str, Callable[[], Rates]] = {
        "ours": partial(_ours, folder, *shape),
        **{engine: partial(_fio, folder, *shape, engine) for engine in ENGINES},
    }
    measured: dict[str, list[Rates]] = {name: [] for name in tools}

    def turns() -> None:
        for turn in range(PAIRS or 1):
            for name in list(tools)[:: 1 if turn % 2 else -1]:
                measured[name].append(tools[name]())

    benchmark.pedantic(turns, rounds=1)  # type: ignore[no-untyped-call]
    (folder / "fio.bin").unlink()
    medians = {name: statistics.median(rate for rate, _ in measured[name]) for name in tools}
    best = max(ENGINES, key=lambda engine: medians[engine])
    for index, metric in enumerate(("iops", "p99")):
        pairs = zip(measured["ours"], measured[best], strict=True)
        ratios = [ours[index] / theirs[index] for ours, theirs in pairs]
        benchmark.extra_info[metric] = statistics.median(ratios)
        benchmark.extra_info[f"{metric}_range"] = [min(ratios), max(ratios)]
    benchmark.extra_info |= {"engine": best, "medians": medians}
    assert min(medians.values()) > 0
