#!/usr/bin/env bash
# The environment of the program that starts a Dask LocalCluster.
#
# Expected: unchanged. What Dask sets for its workers (one thread for OpenMP and BLAS) is set in
# them.
# Seen (distributed 2026.8.0): OMP_NUM_THREADS, MKL_NUM_THREADS and OPENBLAS_NUM_THREADS are 1 and
# MALLOC_TRIM_THRESHOLD_ is 65536 in the program itself, and stay so after the cluster was closed.
# For users: a STREAM or another program with OpenMP that the same script starts afterwards runs on
# one thread, and shows a part of the machine's bandwidth; whether it does depends on what ran
# before. Pass a copy of the environment from before, or start the cluster in a process of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check distributed==2026.8.0 \
    dask==2026.8.0
cd "$folder"
cat > measure.py <<'PYTHON'
import os, subprocess, sys

import distributed

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")


def of_a_child():
    code = f"import os; print(*(os.environ.get(name) for name in {NAMES}))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


if __name__ == "__main__":
    for name in NAMES:
        os.environ.pop(name, None)
    before = of_a_child()
    with distributed.LocalCluster(n_workers=1, dashboard_address=None):
        pass
    after = of_a_child()
    print(f"version: distributed {distributed.__version__}")
    print(f"{', '.join(NAMES)} of a child process:")
    print(f"expected, as before the cluster: {before}")
    print(f"seen, after it was closed: {after}")
    sys.exit(0 if before == "None None None None" and after == "1 1 1 65536" else 1)
PYTHON
"$folder/venv/bin/python" measure.py
