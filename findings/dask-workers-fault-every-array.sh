#!/usr/bin/env bash
# A function that creates, fills and frees an array of 1 MiB repeatedly, in this program and in a
# Dask worker.
#
# Expected: the function does the same work in both. glibc keeps the memory of freed arrays, so only
# the first array causes page faults.
# Seen (distributed 2026.8.0, glibc 2.36): no page faults in this program, 257 for each array in a
# worker. The nanny, the process that starts a worker, sets MALLOC_TRIM_THRESHOLD_=65536. With this
# variable glibc no longer keeps the memory of large arrays: glibc maps and unmaps each array of 128
# KiB or more.
# For users: under Dask, the time of copies and NumPy expressions includes the time in which the
# kernel clears new pages. Do not compare times under Dask with times without Dask. Or remove the
# variable from the setting distributed.nanny.pre-spawn-environ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check distributed==2026.8.0 \
    dask==2026.8.0 \
    numpy==2.4.6
cd "$folder"
cat > measure.py <<'PYTHON'
import os, resource, sys

import distributed
import numpy as np


def faults(size=1 << 20, times=100):
    """Page faults for each array of that many bytes, made and filled."""
    for _ in range(5):
        np.empty(size, np.uint8).fill(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.empty(size, np.uint8).fill(1)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times


if __name__ == "__main__":
    here = faults()
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        there = client.submit(faults).result()
        variable = client.submit(os.environ.get, "MALLOC_TRIM_THRESHOLD_").result()
    print(f"version: distributed {distributed.__version__}, NumPy {np.__version__}, {os.confstr('CS_GNU_LIBC_VERSION')}")
    print(f"expected: {here:.1f} page faults for each array, as in this process")
    print(f"seen: {there:.1f} in the worker, where MALLOC_TRIM_THRESHOLD_ is {variable}")
    sys.exit(0 if here < 2 and there > 200 else 1)
PYTHON
"$folder/venv/bin/python" measure.py
