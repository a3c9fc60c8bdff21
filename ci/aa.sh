#!/usr/bin/env bash
# Compare a machine with itself: ci/aa.sh OUTDIR PAIRS [options of membench run]
#
# The script measures PAIRS pairs of runs. The two runs of a pair follow each other directly, and
# nothing changes between them. So every "better" and every "worse" is a false alarm. The script does
# not repeat runs whose results are in OUTDIR, and resumes interrupted runs. PYTHON names the
# interpreter (default: python3). WITH is a command prefix for each run, such as "flock FILE".
set -euo pipefail

[[ $# -ge 2 && $2 =~ ^[1-9][0-9]*$ ]] || { sed -n '2,7p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
pairs=$2
shift 2

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3}
read -ra with <<<"${WITH:-}"

measure() {  # a run that fails some case is still a run
    local csv=$1 status=0
    shift
    if [[ -e ${csv%.csv}.journal ]]; then
        set -- --resume "$csv"
    elif [[ -e $csv ]]; then
        return
    else
        set -- "$@" -o "$csv"
    fi
    ${with[@]+"${with[@]}"} "$python" -m membench run "$@" >"${csv%.csv}.log" || status=$?
    [[ $status == 0 || $status == 3 ]] || { cat "${csv%.csv}.log"; exit "$status"; }
}

for ((pair = 1; pair <= pairs; pair++)); do
    first=$(printf '%s/%02da.csv' "$out" "$pair")
    second=$(printf '%s/%02db.csv' "$out" "$pair")
    measure "$first" "$@"
    measure "$second" "$@"
    "$python" -m membench compare a="$first" b="$second" --format json >"${first%a.csv}.json"
done
"$python" "$root/ci/aa_table.py" "$out"/[0-9]*[0-9].json
