#!/usr/bin/env bash
# The shares of the queue depths in fio's JSON (iodepth_level, in percent) for a job that syncs.
#
# Expected: the shares add up to 100.
# Seen (fio 3.33, --rw=write --fsync=4): iodepth_level "1" is 123.4 %. Each fsync counts as an
# operation at its depth, but the sum is divided only by the number of reads and writes.
# For users: a mean depth that is weighted by the shares is wrong for every job with fsync, fdatasync
# or sync_file_range. A check that the shares add up to 100 fails for these jobs. Divide the shares
# by their sum.
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
echo "version: $("$fio" --version)"
cd "$folder"
still=0
for sync in 0 4; do
    "$fio" --name=a --filename=file --rw=write --bs=4k --size=256k --fsync="$sync" --output=out.json --output-format=json
    python3 - "$sync" <<'PYTHON' || still=1
import json, sys

with open("out.json") as file:
    job = json.load(file)["jobs"][0]
total = sum(job["iodepth_level"].values())
print(f"--fsync={sys.argv[1]}: expected: shares that add up to 100")
print(f"--fsync={sys.argv[1]}: seen: {total:.1f}, with {job['write']['total_ios']} writes and "
      f"{job['sync']['total_ios']} syncs")
sys.exit(0 if (total > 120) == (sys.argv[1] == "4") else 1)
PYTHON
done
exit "$still"
