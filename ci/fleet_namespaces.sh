#!/usr/bin/env bash
# Test a fleet of three hosts. Each host is a network namespace on this machine. During the run, one
# host is killed and one host is disconnected. The received results must be complete, the output must
# name the missing hosts, and a resume must complete the run.
#
#   sudo ci/fleet_namespaces.sh [PYTHON]     where PYTHON has the `fleet` extra installed
#
# Needs root, iproute2 and util-linux. All addresses are inside the new namespaces, and no link leaves
# the namespaces. The hosts share this machine, so the hosts are measured one after the other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=$(command -v "${1:-python3}") || { echo "there is no ${1:-python3}" >&2; exit 1; }
python=$(realpath -s "$python")
for tool in ip unshare; do
    command -v "$tool" > /dev/null || { echo "there is no $tool (iproute2, util-linux)" >&2; exit 1; }
done
[[ $(id -u) == 0 ]] || { echo "run it as root: it makes network namespaces" >&2; exit 1; }

hub=mbench-hub-$$
work=$(mktemp -d)
rounds=6
declare -A pid=()

# A silent worker counts as lost after 15 seconds instead of five minutes; Dask requires at least 11
# seconds for TCP.
export DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="15 seconds"
export DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP="12 seconds"
export DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="10 seconds"

space() { echo "mbench-$1-$$"; }

clean() {
    # These namespaces contain only processes of this script.
    for name in "$hub" "$(space 1)" "$(space 2)" "$(space 3)"; do
        ip netns pids "$name" 2> /dev/null | xargs -r kill -9 2> /dev/null || true
        ip netns delete "$name" 2> /dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT

fail() {
    echo "FAILED: $1" >&2
    tail -n 8 "$work"/*.log >&2 || true
    exit 1
}

worker() {
    ip netns exec "$(space "$1")" unshare --uts sh -c 'hostname "$0" && exec "$@"' "node-$1" \
        "$python" -m distributed.cli.dask_worker "tcp://10.77.$1.1:8786" --name "node-$1" \
        --nthreads 1 --memory-limit 0 --no-dashboard --resources membench-host=1 \
        --local-directory "$work/dask-$1" >> "$work/worker-$1.log" 2>&1 &
    pid[$1]=$!
    disown
}

fleet() { ip netns exec "$hub" "$python" -P -m membench fleet "$@"; }

state() { # of host $1 in the newest ledger
    "$python" -c 'import json, sys
path, name = sys.argv[1:]
print(*[host["state"] for host in json.load(open(path))["hosts"] if host["name"] == name])' \
        "$(find "$work/results" -name '*.fleet.json')" "node-$1"
}

until_journal() { # wait until host $1 has some of its rounds in its journal
    for _ in $(seq 600); do
        journal=$(find "$work" -name "node-$1.journal" 2> /dev/null || true)
        if [[ -n $journal && $(wc -l < "$journal" || echo 0) -ge 3 ]]; then return; fi
        sleep 0.1
    done
    fail "node-$1 never began"
}

ip netns add "$hub"
ip -n "$hub" link set lo up
for n in 1 2 3; do
    ip netns add "$(space $n)"
    ip -n "$hub" link add "veth$n" type veth peer name eth0 netns "$(space $n)"
    ip -n "$hub" address add "10.77.$n.1/30" dev "veth$n"
    ip -n "$(space $n)" address add "10.77.$n.2/30" dev eth0
    ip -n "$hub" link set "veth$n" up
    ip -n "$(space $n)" link set eth0 up
    ip -n "$(space $n)" link set lo up
done
ip netns exec "$hub" "$python" -m distributed.cli.dask_scheduler --host 0.0.0.0 --port 8786 \
    --no-dashboard > "$work/scheduler.log" 2>&1 &
disown
sleep 2
for n in 1 2 3; do worker $n; done
printf 'node-%s\n' 1 2 3 4 > "$work/hosts.txt"

echo "== three hosts; node-3 is killed, node-2 is cut off, node-4 does not exist"
fleet run --insecure --scheduler tcp://127.0.0.1:8786 --hosts "$work/hosts.txt" --per worker \
    --host-directory "$work/hosts" -o "$work/results" --wait 15 --retries 1 \
    --select 'host/chase/size=16KiB*' --rounds $rounds > "$work/client.log" 2>&1 &
client=$!
( until_journal 3
  # Kill the worker, not its nanny, which then starts another worker.
  pgrep -P "${pid[3]}" -f multiprocessing.spawn | xargs -r kill -9 ) &
killer=$!
( until_journal 2; ip -n "$hub" link set veth2 down ) &
cutter=$!
code=0
wait "$client" || code=$?
wait "$killer" "$cutter"
cat "$work/client.log"
[[ $code == 3 ]] || fail "exit code $code, not 3"
[[ $(state 1) == arrived ]] || fail "node-1 did not arrive"
[[ $(state 3) == arrived ]] || fail "the killed node-3 was not asked again"
[[ $(state 2) == failed ]] || fail "node-2 was cut off and is $(state 2)"
[[ $(state 4) == missing ]] || fail "node-4 is $(state 4)"
[[ ! -e $work/results/node-2 ]] || fail "something of node-2 was kept"

echo "== the report names what is missing"
code=0
fleet report "$work/results" --fail-on missing,failed || code=$?
[[ $code == 3 ]] || fail "exit code $code, not 3"

echo "== the cable is back; resume completes"
ip -n "$hub" link set veth2 up
kill -9 "${pid[2]}" 2> /dev/null || true
worker 2
worker_4() { # the fourth host comes late, from the namespace of the first
    ip netns exec "$(space 1)" "$python" -m distributed.cli.dask_worker tcp://10.77.1.1:8786 \
        --name node-4 --nthreads 1 --memory-limit 0 --no-dashboard --resources membench-host=1 \
        --local-directory "$work/dask-4" >> "$work/worker-4.log" 2>&1 &
    disown
}
worker_4
fleet run --insecure --scheduler tcp://127.0.0.1:8786 --resume "$work/results" --wait 30 || fail "resume: exit code $?"
for n in 1 2 3 4; do
    [[ $(state $n) == arrived ]] || fail "node-$n is $(state $n) after resume"
done
"$python" - "$work/results" $rounds <<'PYTHON' || fail "what arrived is not whole"
import sys
from pathlib import Path

from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows

files = sorted(Path(sys.argv[1]).glob("*/*.csv"))
assert [path.parent.name for path in files] == [f"node-{n}" for n in (1, 2, 3, 4)], files
for path in files:
    sidecar = read_sidecar(path)
    assert sidecar is not None and verify_sha256(path, sidecar), path
    assert {row.rounds for row in read_rows(path)} == {int(sys.argv[2])}, path
    print(f"{path.parent.name}: {len(read_rows(path))} row of {sys.argv[2]} rounds, whole")
PYTHON
echo "passed"
