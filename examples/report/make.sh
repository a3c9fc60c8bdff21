#!/usr/bin/env bash
# The reports of this folder, made again from the reference results: examples/report/make.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

reference=results/reference
here=("$reference"/epyc-zen4-2cpu-vm/*.csv)
cited=("$reference"/{h100-sxm,h200-sxm,gh200-96}/figures.csv)
for output in report.html report.md; do
    membench report "${here[@]}" "${cited[@]}" -o "examples/report/$output"
done
membench report "${here[@]}" -o examples/report/report.zh-TW.html --lang zh-TW
cp examples/report/report_breakeven.svg examples/report/report_gaps.svg docs/images/
