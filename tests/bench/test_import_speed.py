"""CPU time and memory of import, relative to `json.loads` on the same bytes.

``pytest -m "" tests/bench/test_import_speed.py --benchmark-enable --benchmark-json FILE`` writes
the ratios. The two commands of each pair run one right after the other. `docs/formats.md` has the
results for ``MEMBENCH_MB=200`` and ``MEMBENCH_FILES=1000``.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.slow

MB = int(os.environ.get("MEMBENCH_MB", "4"))
FILES = int(os.environ.get("MEMBENCH_FILES", "20"))
PAIRS = 3
BINS = 1800  # bins of a histogram, as after a job of some minutes
ALONE = """
import json, sys
from pathlib import Path
for name in sys.argv[1:]:
    for path in sorted(Path(name).rglob("*.json")) if Path(name).is_dir() else [Path(name)]:
        json.loads(path.read_bytes())
"""


def _latency(rng: random.Random) -> dict[str, object]:
    places = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99)
    return {
        "mean": 90000.5,
        "percentile": {f"{place:.6f}": 90000 + round(place) for place in places},
        "bins": {str(rng.randrange(1 << 40)): rng.randrange(1, 5000) for _ in range(BINS)},
    }


def _side(rng: random.Random) -> dict[str, object]:
    figures = {"io_bytes": 409600000, "bw_bytes": 40960000, "bw": 40000, "iops": 10000.0}
    latencies = {name: _latency(rng) for name in ("slat_ns", "clat_ns", "lat_ns")}
    return {**figures, "runtime": 10000, "total_ios": 100000, **latencies}


@pytest.fixture(scope="module")
def json_plus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of ``fio --output-format=json+`` of `MB` MB."""
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("fio") / "big.json"
    with path.open("w") as file:
        file.write('{\n"fio version": "fio-3.36",\n"jobs": [\n')
        number = 0
        while file.tell() < MB * 1e6:
            job = {"jobname": f"j{number}", "read": _side(rng), "write": _side(rng)}
            file.write((",\n" if number else "") + json.dumps(job, indent=2))
            number += 1
        file.write("\n]}\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`FILES` outputs of ``nvbandwidth -j`` of a machine with one GPU."""
    rng = random.Random(2)
    path = tmp_path_factory.mktemp("nvbandwidth")
    tests = [
        f"{way}_memcpy_{how}"
        for way in ("host_to_device", "device_to_host")
        for how in ("ce", "sm")
    ]
    tests += [f"{way}_bidirectional_memcpy_ce" for way in ("host_to_device", "device_to_host")]
    for number in range(FILES):
        cases = [
            {
                "name": name,
                "status": "Passed",
                "bandwidth_description": "memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)",
                "bandwidth_matrix": [[f"{rng.uniform(20, 60):.4f}"]],
            }
            for name in tests
        ]
        waived = [{"name": f"device_to_device_{n}", "status": "Waived"} for n in range(6)]
        content = {"nvbandwidth": {"Driver Version": "570.10", "testcases": cases + waived}}
        (path / f"{number:04d}.json").write_text(json.dumps(content, indent=1))
    return path


def _spent(command: Sequence[str]) -> tuple[float, float]:
    """(CPU seconds, peak MiB) of ``command`` in a new process."""
    code = (
        "import os, resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=2);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    arguments = [sys.executable, "-c", code, sys.executable, *command]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


@pytest.mark.benchmark(group="import beside json.loads")
@pytest.mark.parametrize("tool", ["fio", "nvbandwidth"])
def test_importing_beside_json_alone(
    benchmark: BenchmarkFixture, tool: str, json_plus: Path, folder: Path, tmp_path: Path
) -> None:
    source = json_plus if tool == "fio" else folder
    output = tmp_path / "o.csv"
    times, memories = [], []

    def both() -> None:
        output.unlink(missing_ok=True)
        alone = _spent(["-c", ALONE, str(source)])
        whole = _spent(["-m", "membench", "import", tool, str(source), "-o", str(output)])
        times.append(whole[0] / alone[0])
        memories.append(whole[1] / alone[1])

    benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    assert output.stat().st_size > 1000
    benchmark.extra_info["times of json.loads alone"] = statistics.median(times)
    benchmark.extra_info["memory of json.loads alone"] = statistics.median(memories)
