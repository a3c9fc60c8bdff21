#!/usr/bin/env bash
# What is done on a machine with a GPU: ci/gpu.sh OUTDIR STAGE [--dry-run]
#
#   first-look  contract tests, doctor, hbm/read and the chase (under three minutes)
#   ab          what was chosen against what it was chosen over: a table of its own (five minutes)
#   check       counts against ncu, and one round of every case that needs the GPU: does it run, is
#               its result right? Called again, it runs only what failed (three minutes)
#   quick       the quick profile of what needs the GPU (three minutes)
#   full        the full profile of it, in ROUNDS rounds (3), without energy unless ENERGY=1 (nine)
#   peers       nvbandwidth and BabelStream, where the folder PEERS has their sources (five minutes)
#
# Thirty minutes in all, in this order. Each stage ends within LIMIT seconds (500 by default) and
# goes on where it ended when it is called again: what was measured stays in STATE (build/gpu of the
# checkout, which git ignores). OUTDIR may be emptied between two calls: each leaves there the files
# that its stage has so far, eight at most, none over 16 MiB, and prints a short table last.
# From a bare checkout, without network: the packages must be there (PYTHON names the interpreter,
# python3 by default). --dry-run does the same without a GPU, as far as it can be done.
# No setting of the GPU is changed.
set -uo pipefail

usage() {
    sed -n '2,12p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2
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
$dry && state=$out # nothing is measured, so nothing is to be kept
mkdir -p "$state" || exit 1
state=$(cd "$state" && pwd)
began=$SECONDS
failed=""

left() { # a second at least: to `timeout`, 0 is no limit at all
    local seconds=$((limit - SECONDS + began))
    echo $((seconds > 1 ? seconds : 1))
}

# step NAME COMMAND...: its output goes to the screen and to STATE/NAME.log; it gets the time left,
# then an interrupt, which membench answers by keeping what it has.
step() {
    local name=$1 status
    shift
    echo "== $name: $*"
    timeout --signal=INT --kill-after=30 "$(left)" "$@" 2>&1 | tee "$state/$name.log"
    status=${PIPESTATUS[0]}
    [[ $status == 0 ]] || failed+=" $name($status)"
    return "$status"
}

# once NAME COMMAND...: as step, unless it has succeeded in a call before.
once() {
    if [[ -e $state/$1.done ]]; then
        echo "$1: done before"
    elif step "$@" && ! $dry; then
        touch "$state/$1.done"
    fi
}

membench() { step "$1" "$python" -m membench "${@:2}"; }

# gpu_benches PROFILE: --select for all of its benches that need the GPU; those that loop for 10 s
# only where ENERGY=1.
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

# --select for every case that failed in a results file.
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

# run NAME OPTIONS...: a run of membench, begun, continued, or found complete.
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

# give FILE...: copies of what there is of them go to OUTDIR, packed where they are large.
give() {
    local name given=0
    [[ $state == "$out" ]] && return
    for name in "$@"; do
        [[ -e $state/$name ]] || continue
        if ((given == most_files)); then
            echo "left out, $most_files files are given: $name"
        elif (($(stat -c %s "$state/$name") <= largest)); then
            cp "$state/$name" "$out/" && ((++given))
        else
            gzip -c "$state/$name" >"$out/$name.gz" && ((++given))
            if (($(stat -c %s "$out/$name.gz") > largest)); then
                echo "left out, too large even when packed: $name"
                rm -f "$out/$name.gz" && ((--given))
            fi
        fi
    done
}

first_look() {
    # By name: other tests import packages that a machine without network may lack.
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

# profile NAME OPTIONS...: that profile of what needs the GPU, with a recording of all stamps.
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
