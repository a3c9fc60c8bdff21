#!/usr/bin/env bash
# Check every kind of report page with the rules of axe-core: ci/accessibility.sh [PYTHON]
# Needs node, npm and Chromium. Downloads axe-core and playwright-core from npm's registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=$(command -v "${1:-python3}") || { echo "$0: there is no ${1:-python3}" >&2; exit 1; }
CHROMIUM=$(command -v chromium || command -v google-chrome) || { echo "$0: no Chromium" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm install --silent --no-fund --no-audit --prefix "$work" axe-core@4 playwright-core@1

membench() { "$python" -m membench "$@" >/dev/null; }
here=(results/reference/epyc-zen4-2cpu-vm/*.csv)
cited=(results/reference/{h100-sxm,h200-sxm,gh200-96}/figures.csv)
membench report "${here[@]}" -o "$work/one.html"
membench report "${here[@]}" -o "$work/one.zh-TW.html" --lang zh-TW
membench report "${here[@]}" "${cited[@]}" -o "$work/four.html"
membench report "${here[@]}" "${cited[@]}" -o "$work/four.zh-TW.html" --lang zh-TW
membench report "${here[@]}" "${cited[@]}" -o "$work/full.html" --thesis full
membench report "${here[@]}" ref:epyc-9654 -o "$work/ref.html"
PYTHONPATH=.:tests/support "$python" - "$work" <<'PYTHON'
import sys
from pathlib import Path

from fleet_files import make_fleet
from history_files import make_history

make_history(Path(sys.argv[1]) / "box", 30, shifts={1: (20, 0.85)})
make_fleet(Path(sys.argv[1]) / "fleet", 24, 12, slow={7: {1, 2, 3, 4}})
PYTHON
for language in en zh-TW; do
    membench history "$work/box" -o "$work/history.$language.html" --lang "$language"
    membench fleet report "$work/fleet" -o "$work/fleet.$language.html" --lang "$language"
done

NODE_PATH=$work/node_modules CHROMIUM=$CHROMIUM node ci/accessibility.mjs "$work"/*.html
