#!/usr/bin/env bash
# Reading results as JSON lines with polars, if a key occurs only in later rows (a flag, the reason
# why a case was skipped, a percentile that needs many samples).
#
# Expected: a column with nulls in the rows without the key, or an error.
# Seen (polars 2.1.0): if the key does not occur in the first 100 lines (infer_schema_length), the
# column is missing, and there is no error. This happens with read_ndjson and scan_ndjson. If a
# column first has whole numbers and a fraction only after these lines, polars reports an error, so
# values of known columns are not changed.
# For users: a table of results that is read in this way has no flagged rows: no row is noisy, and
# no row was skipped. Pass infer_schema_length=None.
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
