#!/usr/bin/env bash
# Checks and measurements on a machine with a GPU: ci/gpu.sh OUTDIR STAGE [--dry-run]
#
#   first-look  contract tests, doctor, hbm/read and the chase (under three minutes)
#   ab          the design decisions against their alternatives, as a table (five minutes)
#   check       the emulator's counts against ncu, and one round of every GPU case; a second call
#               runs only the failed cases (three minutes)
#   quick       the quick profile of the benches that need the GPU (three minutes)
#   full        the full profile of these benches, ROUNDS rounds (3); energy if ENERGY=1 (nine)
#   peers       nvbandwidth and BabelStream, if the folder PEERS has the sources (five minutes)
#
# All stages together, in this order, take thirty minutes. Each stage ends within LIMIT seconds (500
# by default). A second call continues the stage. Measurements stay in STATE (default: build/gpu of
# the checkout, which git ignores). Each call writes the files of its stage to OUTDIR (at most eight
# files of at most 16 MiB), and finally prints a short table. OUTDIR may be emptied between calls.
# The script runs from a checkout without network. The packages must be installed. PYTHON names the
# interpreter (default: python3). --dry-run does everything that is possible without a GPU.
# The script changes no setting of the GPU.
set -uo pipefail

usage() {
    sed -n '2,10p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2
    exit 2
}

[[ $# -ge 2 ]] || usage
mkdir -p "$1" || exit 1
out=$(cd "$1" && pwd)
stage=$2
dry=false
[[ ${3:-} == --dry-run ]] && dry=true
[[ -z ${3:-} ]] || $dry || usage

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export PYTHONPATH="$PWD:$PWD/tests/support${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 NO_COLOR=1
python=${PYTHON:-python3}
limit=${LIMIT:-500}
largest=$((16 * 1024 * 1024))
most_files=8
state=${STATE:-build/gpu}
$dry && state=$out # a dry run has no measurements to keep
mkdir -p "$state" || exit 1
state=$(cd "$state" && pwd)
began=$SECONDS
failed=""

left() { # at least one second, because 0 means no limit for `timeout`
    local seconds=$((limit - SECONDS + began))
    echo $((seconds > 1 ? seconds : 1))
}

# step NAME COMMAND...: run COMMAND, with the output on the screen and in STATE/NAME.log. At the time
# limit, COMMAND gets SIGINT; membench then keeps all finished results.
step() {
    local name=$1 status
    shift
    echo "== $name: $*"
    timeout --signal=INT --kill-after=30 "$(left)" "$@" 2>&1 | tee "$state/$name.log"
    status=${PIPESTATUS[0]}
    [[ $status == 0 ]] || failed+=" $name($status)"
    return "$status"
}

# once NAME COMMAND...: like step, unless COMMAND has succeeded in an earlier call.
once() {
    if [[ -e $state/$1.done ]]; then
        echo "$1: done before"
    elif step "$@" && ! $dry; then
        touch "$state/$1.done"
    fi
}

membench() { step "$1" "$python" -m membench "${@:2}"; }

# gpu_benches PROFILE: print --select options for all benches of PROFILE that need the GPU. Energy
# benches, which loop for 10 s, are selected only if ENERGY=1.
gpu_benches() {
    "$python" - "$1" <<'PYTHON'
import os
import sys

from membench.benches import registry
from membench.core.case import Needs

energy = os.environ.get("ENERGY") == "1"
for name, bench in registry().benches.items():
    asked = Needs.GPU in bench.needs and sys.argv[1] in bench.profiles
    if asked and (energy or not name.endswith("/energy")):
        print(f"--select={name}/*")
PYTHON
}

# failed_cases FILE: print a --select option for every failed case in a results file.
failed_cases() {
    "$python" - "$1" <<'PYTHON'
import csv
import sys

with open(sys.argv[1], newline="", encoding="utf-8") as file:
    cases = {row["case"] for row in csv.DictReader(file) if row["status"] == "failed"}
for case in sorted(cases):
    print(f"--select={case}")
PYTHON
}

# run NAME OPTIONS...: start or resume a run of membench, unless the run is complete.
run() {
    local name=$1
    shift
    if $dry; then
        membench "$name" run --dry-run --all "$@"
    elif [[ -e $state/$name.journal ]]; then
        membench "$name" run --resume "$state/$name.csv"
    elif [[ -e $state/$name.csv ]]; then
        echo "$name: complete"
    else
        membench "$name" run --strict -o "$state/$name.csv" "$@"
    fi
    [[ -e $state/$name.journal ]] && echo "$name: not complete yet; call it again"
    return 0
}

# give FILE...: copy these files to OUTDIR if they exist, and compress large files.
give() {
    local name given=0
    [[ $state == "$out" ]] && return
    for name in "$@"; do
        [[ -e $state/$name ]] || continue
        if ((given == most_files)); then
            echo "left out, because OUTDIR already gets $most_files files: $name"
        elif (($(stat -c %s "$state/$name") <= largest)); then
            cp "$state/$name" "$out/" && ((++given))
        else
            gzip -c "$state/$name" >"$out/$name.gz" && ((++given))
            if (($(stat -c %s "$out/$name.gz") > largest)); then
                echo "left out, because the compressed file is too large: $name"
                rm -f "$out/$name.gz" && ((--given))
            fi
        fi
    done
}

first_look() {
    # Only this test file: other tests import packages that a machine without network may lack.
    local tests=(-q -p no:cacheprovider -m gpu --require-gpu tests/backends/test_gpu_contract.py)
    local look=(--profile full --rounds 1 --timeout 20 --select 'hbm/read/size=auto/*'
        --select 'gpu/chase/*/order=random/hint=plain')
    if $dry; then
        step tests "$python" -m pytest --collect-only "${tests[@]}"
    else
        once doctor "$python" -m membench doctor
        once tests "$python" -m pytest "${tests[@]}"
    fi
    run first-look "${look[@]}"
    give first-look.{csv,json,log} tests.log doctor.log
}

ab() {
    local arguments=("$state/ab.csv")
    $dry && arguments+=(--dry-run)
    step ab "$python" ci/gpu_ab.py "${arguments[@]}"
    give ab.{csv,log}
}

check() {
    local every again
    mapfile -t every < <(gpu_benches full)
    every=(--profile full --rounds 1 --timeout 20 "${every[@]}")
    if $dry; then
        step counts "$python" ci/gpu_counts.py "$state/counts.csv" --dry-run
        run every "${every[@]}"
        return
    fi
    once counts "$python" ci/gpu_counts.py "$state/counts.csv"
    if [[ -e $state/every.csv && ! -e $state/every.journal ]]; then
        local last=every
        [[ -e $state/again.csv ]] && last=again
        if [[ -e $state/again.journal ]]; then
            run again
        else
            mapfile -t again < <(failed_cases "$state/$last.csv")
            if ((${#again[@]})); then
                rm -f "$state"/again.{csv,json,journal}
                run again --profile full --rounds 1 --timeout 20 "${again[@]}"
            else
                echo "check: nothing failed in $last.csv"
            fi
        fi
    else
        run every "${every[@]}"
    fi
    give counts.csv {every,again}.{csv,json,log}
}

# profile NAME OPTIONS...: run the profile NAME of the benches that need the GPU, and record all
# time stamps.
profile() {
    local name=$1 benches
    shift
    mapfile -t benches < <(gpu_benches "$name")
    $dry || export MEMBENCH_RECORDING="$state/$name.recording.jsonl"
    run "$name" --profile "$name" --timeout 60 "$@" "${benches[@]}"
    give "$name".{csv,json,journal,log,recording.jsonl}
}

peers() {
    local arguments=("$state")
    $dry && arguments+=(--dry-run)
    once peers "$python" ci/gpu_peers.py "${arguments[@]}"
    give ratios.csv peers.{csv,json,log} nvbandwidth{,1}.csv babelstream.csv
}

case $stage in
    first-look) first_look ;;
    ab) ab ;;
    check) check ;;
    quick) profile quick ;;
    full) profile full --rounds "${ROUNDS:-3}" ;;
    peers) peers ;;
    *) usage ;;
esac

echo
printf '%-10s %-8s %s\n' stage seconds failed
printf '%-10s %-8s %s\n' "$stage" $((SECONDS - began)) "${failed:- none}"
[[ -z $failed ]]
