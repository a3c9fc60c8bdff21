#!/usr/bin/env bash
# Reading results as JSON lines in polars, where a key occurs in later rows only (a flag, a reason
# why a case was skipped, a percentile that needs many samples).
#
# Expected: a column with nulls in the rows that lack the key, or an error.
# Seen (polars 2.1.0): without an error the column is not there at all, if the key does not occur in
# the first 100 lines (infer_schema_length): read_ndjson, and scan_ndjson too. A number with a
# fraction that comes as late is an error, so the values of known columns are safe.
# For users: a table of results read this way has no flagged rows: none is noisy, none was skipped.
# Pass infer_schema_length=None.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check polars==2.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json, sys

import polars

with open("rows.jsonl", "w") as file:
    for row in range(1000):
        flag = {"flag": "noisy"} if row >= 500 else {}
        file.write(json.dumps({"case": row, "gb_s": 1.5, **flag}) + "\n")
print(f"version: polars {polars.__version__}")
print("expected: 1000 rows with the columns case, gb_s and flag; 500 flags")
seen = []
for name, table in (
    ("read_ndjson", polars.read_ndjson("rows.jsonl")),
    ("scan_ndjson", polars.scan_ndjson("rows.jsonl").collect()),
    ("read_ndjson, infer_schema_length=None", polars.read_ndjson("rows.jsonl", infer_schema_length=None)),
):
    flags = table["flag"].count() if "flag" in table.columns else 0
    seen.append((table.height, "flag" in table.columns, flags))
    print(f"seen: {name}: {table.height} rows with {table.columns}; {flags} flags")
sys.exit(0 if seen == [(1000, False, 0), (1000, False, 0), (1000, True, 500)] else 1)
PYTHON
