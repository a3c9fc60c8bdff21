#!/usr/bin/env bash
# The memory that stress-ng --vm N --vm-bytes SIZE takes.
#
# Expected: N times SIZE. The manual says "mmap N bytes per vm worker".
# Seen (stress-ng 0.15.06): SIZE for all workers together. With 256M, two workers have 128 MiB each,
# four workers have 64 MiB each.
# For users: memory pressure for a test of reclaim, swap or the limit of a control group is N times
# weaker than planned, and a working set that should be in DRAM may fit into the cache. Give the
# total.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" stress-ng=0.15.06-2 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
python3 - "$folder/root/usr/bin/stress-ng" <<'PYTHON'
import os, subprocess, sys, time

version = subprocess.check_output([sys.argv[1], "--version"], text=True).strip()
print(f"version: {version}")


def workers_mib(session):
    """Resident MiB of each process of the session that holds more than 20 MiB."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                of_session = int(file.read().rpartition(")")[2].split()[3]) == session
            with open(f"/proc/{pid}/statm") as file:
                mib = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
        except OSError:
            continue
        if of_session and mib > 20:
            found.append(mib)
    return found


seen = {}
for count in (1, 2, 4):
    command = [sys.argv[1], "--vm", str(count), "--vm-bytes", "256M", "--vm-keep", "-t", "6", "-q"]
    with subprocess.Popen(command, start_new_session=True) as run:
        seen[count] = []
        while run.poll() is None:
            now = workers_mib(run.pid)
            if len(now) == count:
                seen[count] = max(seen[count], now, key=sum)
            time.sleep(0.1)
    print(f"--vm {count} --vm-bytes 256M: expected: {count} workers of 256 MiB")
    print(f"--vm {count} --vm-bytes 256M: seen: {seen[count]} MiB")
still = all(
    len(mib) == count and abs(sum(mib) - 256) < 16 * count and max(mib) < 1.2 * 256 / count
    for count, mib in seen.items()
)
sys.exit(0 if still else 1)
PYTHON
