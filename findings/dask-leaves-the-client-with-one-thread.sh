#!/usr/bin/env bash
# The environment of the program that starts a Dask LocalCluster.
#
# Expected: the environment does not change. Dask sets its variables for workers (one thread for
# OpenMP and BLAS) only in the workers.
# Seen (distributed 2026.8.0): in the program itself OMP_NUM_THREADS, MKL_NUM_THREADS and
# OPENBLAS_NUM_THREADS become 1, and MALLOC_TRIM_THRESHOLD_ becomes 65536. The variables keep these
# values after the cluster is closed.
# For users: if the same script later starts STREAM or another OpenMP program, that program runs on
# one thread and reaches only a fraction of the machine's bandwidth. Start OpenMP programs with a
# copy of the environment from before the cluster, or start the cluster in a separate process.
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
