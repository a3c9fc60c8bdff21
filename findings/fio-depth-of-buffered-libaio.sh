#!/usr/bin/env bash
# The queue depth in fio's JSON (iodepth_level) with ioengine=libaio, iodepth=16 and without
# direct=1.
#
# Expected: buffered reads with libaio do not overlap, as is well known. So the JSON shows a depth of
# 1, and the completion latency of a single read.
# Seen (fio 3.33): iodepth_level shows 16 for more than 95 % of the reads. The mean completion
# latency (clat_ns) is about 14 times the time of a read, because every read waits for its whole
# batch. The time of the reads themselves is in slat_ns, the submission latency. slat_ns times the
# number of reads is nearly the time of the whole run, so one read was in flight at any time.
# For users: depth and latency in such a result are wrong. If slat times the number of operations is
# close to the time of the run, the engine did not queue.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" fio=3.33-3 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
fio=$folder/root/usr/bin/fio
echo "version: $("$fio" --version), Linux $(uname -r)"
cd "$folder"
"$fio" --name=a --filename=file --rw=randread --bs=64k --size=64m --io_size=256m --ioengine=libaio \
    --iodepth=16 --output=out.json --output-format=json
python3 - <<'PYTHON'
import json, sys

with open("out.json") as file:
    job = json.load(file)["jobs"][0]
read = job["read"]
submitting = read["slat_ns"]["mean"] * read["total_ios"] / (job["job_runtime"] * 1e6)
ratio = read["clat_ns"]["mean"] / read["slat_ns"]["mean"]
deep = job["iodepth_level"]["16"]
print("expected: a depth of 1, a completion latency like the time of one read")
print(f"seen: iodepth_level 16 for {deep:.1f} % of the reads; reads one after the other for "
      f"{submitting:.0%} of the time; completion latency {ratio:.1f} times the time of one read")
sys.exit(0 if deep > 95 and submitting > 0.7 and 8 < ratio < 20 else 1)
PYTHON
