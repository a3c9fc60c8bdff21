#!/usr/bin/env bash
# stats.total in the JSON of pytest-benchmark, beside rounds and iterations.
#
# Expected: the time of all calls together, so that total / (rounds * iterations) is the mean.
# Seen (pytest-benchmark 5.3.1): total is the sum of the means of the rounds. With 5 rounds of 100
# iterations, total is five times the mean, which is a hundredth of the measured time.
# pytest-benchmark chooses many iterations for fast functions on its own.
# For users: if you divide bytes or calls by total, the rates are too high by the number of
# iterations, but only for fast cases. Use mean, or total times iterations.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pytest-benchmark==5.3.1 \
    pytest==9.2.0
cd "$folder"
cat > test_time.py <<'PYTHON'
import time


def test_pause(benchmark):
    benchmark.pedantic(time.sleep, args=(0.001,), rounds=5, iterations=100)
PYTHON
"$folder/venv/bin/python" -m pytest -q -p no:cacheprovider test_time.py --benchmark-json=out.json > /dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata, json, sys

with open("out.json") as file:
    stats = json.load(file)["benchmarks"][0]["stats"]
print(f"version: pytest-benchmark {importlib.metadata.version('pytest-benchmark')}")
print("expected: a total above 0.5 s: 5 rounds of 100 calls that pause for 1 ms each")
print(f"seen: total {stats['total']:.4f} s, mean {stats['mean'] * 1e3:.3f} ms, "
      f"{stats['rounds']} rounds of {stats['iterations']} iterations")
five_means = abs(stats["total"] / stats["mean"] - 5) < 1e-6
sys.exit(0 if five_means and stats["total"] < 0.1 and stats["iterations"] == 100 else 1)
PYTHON
