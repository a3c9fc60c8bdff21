#!/usr/bin/env bash
# Five repetitions of a measurement in Dask: [client.submit(measure, size) for _ in range(5)], or
# client.map(measure, [size] * 5).
#
# Expected: five runs and five samples.
# Seen (distributed 2026.8.0): one run, and five futures with its result. submit and map name a task
# after its function and arguments, and do not run a second task with the same name. dask.delayed
# with the same function and arguments runs five times.
# For users: the five samples agree to the last digit, and their confidence interval has width zero.
# A benchmark that is submitted again finishes at once. Pass pure=False, or pass the number of the
# repetition as an argument.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check distributed==2026.8.0 \
    dask==2026.8.0
cd "$folder"
cat > measure.py <<'PYTHON'
import sys, time

import dask
import distributed


def measure(size):
    return time.monotonic_ns()


if __name__ == "__main__":
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        ways = {
            "submit": lambda: client.gather([client.submit(measure, 1) for _ in range(5)]),
            "map": lambda: client.gather(client.map(measure, [2] * 5)),
            "submit, pure=False": lambda: client.gather([client.submit(measure, 3, pure=False) for _ in range(5)]),
            "delayed": lambda: dask.compute(*[dask.delayed(measure)(4) for _ in range(5)]),
        }
        seen = {name: len(set(way())) for name, way in ways.items()}
    print(f"version: distributed {distributed.__version__}")
    for name, count in seen.items():
        print(f"{name}: expected: 5 different clock readings; seen: {count}")
    sys.exit(0 if list(seen.values()) == [1, 1, 5, 5] else 1)
PYTHON
"$folder/venv/bin/python" measure.py
