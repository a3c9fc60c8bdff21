#!/usr/bin/env bash
# What is done on a machine with a GPU: ci/gpu.sh OUTDIR STAGE [--dry-run]
#
#   check  the proofs on the GPU itself: the backend's contract, counts against ncu, and one round
#          of every case that needs the GPU (about two minutes): does it run, is its result right?
#   quick  the quick profile
#   full   the full profile
#   peers  nvbandwidth and BabelStream, where the folder PEERS has their sources, beside membench
#
# A profile that was not completed goes on when it is called again with the same OUTDIR.
# From a bare checkout, without network: the packages must be there (PYTHON names the interpreter,
# python3 by default). Each stage ends within LIMIT seconds (500 by default), leaves flat files in
# OUTDIR and prints a short table last. --dry-run does the same without a GPU, as far as it can be done.
# No setting of the GPU is changed.
set -uo pipefail

usage() {
    sed -n '2,8p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2
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
began=$SECONDS
failed=""

left() { # a second at least: to `timeout`, 0 is no limit at all
    local seconds=$((limit - SECONDS + began))
    echo $((seconds > 1 ? seconds : 1))
}

# step NAME COMMAND...: its output goes to the screen and to OUTDIR/NAME.log; it gets the time left,
# then an interrupt, which membench answers by keeping what it has.
step() {
    local name=$1 status
    shift
    echo "== $name: $*"
    timeout --signal=INT --kill-after=30 "$(left)" "$@" 2>&1 | tee "$out/$name.log"
    status=${PIPESTATUS[0]}
    [[ $status == 0 ]] || failed+=" $name($status)"
    return "$status"
}

membench() { step "$1" "$python" -m membench "${@:2}"; }

# --select, for all benches that need the GPU and no loop of 10 s.
gpu_benches() {
    "$python" - <<'PYTHON'
from membench.core.case import Needs
from membench.core.registry import registry

for name, bench in registry().benches.items():
    if Needs.GPU in bench.needs and not name.endswith("/energy"):
        print(f"--select={name}/*")
PYTHON
}

check() {
    # By name: other tests import packages that a machine without network may lack.
    local tests=(-q -p no:cacheprovider -m gpu --require-gpu tests/backends/test_gpu_contract.py) every
    mapfile -t every < <(gpu_benches)
    every=(run --profile full --rounds 1 "${every[@]}")
    if $dry; then
        step tests "$python" -m pytest --collect-only "${tests[@]}"
        step counts "$python" ci/gpu_counts.py "$out/counts.csv" --dry-run
        membench every "${every[@]}" --dry-run
        return
    fi
    membench doctor doctor
    step tests "$python" -m pytest "${tests[@]}"
    step counts "$python" ci/gpu_counts.py "$out/counts.csv"
    rm -f "$out"/every.{csv,json,journal} # of a check before this one: one round is no result
    membench every "${every[@]}" --strict --timeout 20 -o "$out/every.csv"
}

peers() { step peers "$python" ci/gpu_peers.py "$out" "$@"; }

# profile NAME: a run of that profile, begun, continued, or found complete.
profile() {
    local name=$1
    if $dry; then
        membench "$name" run --dry-run --profile "$name"
        return
    fi
    export MEMBENCH_RECORDING="$out/$name.recording.jsonl"
    if [[ -e $out/$name.journal ]]; then
        membench "$name" run --resume "$out/$name.csv"
    elif [[ -e $out/$name.csv ]]; then
        echo "$name: complete"
    else
        membench "$name" run --profile "$name" --strict --timeout 60 -o "$out/$name.csv"
    fi
    if [[ -e $out/$name.journal ]]; then
        echo "$name: not complete yet; call it again with this OUTDIR"
    elif [[ -e $MEMBENCH_RECORDING ]]; then # tens of MiB after a full run, a tenth of that packed
        gzip --force "$MEMBENCH_RECORDING"
    fi
}

case $stage in
    check) check ;;
    quick | full) profile "$stage" ;;
    peers) if $dry; then peers --dry-run; else peers; fi ;;
    *) usage ;;
esac

echo
printf '%-8s %-8s %s\n' stage seconds failed
printf '%-8s %-8s %s\n' "$stage" $((SECONDS - began)) "${failed:- none}"
[[ -z $failed ]]
