#!/usr/bin/env bash
# The 90th percentile of ten samples (1 to 9 and an outlier of 100), with NumPy, polars and DuckDB.
#
# Expected: libraries interpolate differently between two samples, so results differ by a few
# percent. Approximate functions are exact for so few data.
# Seen (NumPy 2.4.6, polars 2.1.0, DuckDB 2.0.1): 18.1 with NumPy and with DuckDB's quantile_cont, 9
# with polars and with DuckDB's quantile, 54.5 with DuckDB's approx_quantile. The largest result is
# six times the smallest, for the same ten numbers.
# For users: you cannot compare tail latencies of few repetitions if the reports do not name the
# method, and approx_quantile is not suitable for small groups. Name the method, or publish the
# samples.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 \
    polars==2.1.0 \
    numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import duckdb
import numpy as np
import polars

samples = [*range(1, 10), 100]
print(f"version: NumPy {np.__version__}, polars {polars.__version__}, DuckDB {duckdb.__version__}")
seen = {
    "numpy.quantile": float(np.quantile(samples, 0.9)),
    "polars quantile": polars.Series(samples).quantile(0.9),
}
for function in ("quantile_cont", "quantile", "approx_quantile"):
    query = f"select {function}(x::double, 0.9) from (select unnest({samples}) as x)"
    seen["DuckDB " + function] = duckdb.sql(query).fetchall()[0][0]
print("expected: about the same value by all of them")
for name, value in seen.items():
    print(f"seen: {name}: {value:.1f}")
sys.exit(0 if [round(value, 1) for value in seen.values()] == [18.1, 9.0, 18.1, 9.0, 54.5] else 1)
PYTHON
