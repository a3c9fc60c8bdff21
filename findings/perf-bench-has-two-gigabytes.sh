#!/usr/bin/env bash
# "GB/sec" in the output of perf bench mem memcpy (or memset) and of perf bench numa mem.
#
# Expected: one program has one unit, and GB is 10^9 bytes, as everywhere except for sizes of
# memory.
# Seen (perf 6.1.192): perf bench mem divides by 2^30, perf bench numa mem by 10^9. Both print
# GB/sec.
# For users: 20 GB/sec in perf bench mem are 21.5 GB/sec in perf bench numa. So a difference of 7.4
# % between them is not a difference between two machines or two kernels. perf bench mem
# --format=simple prints bytes per second.
# How the script sees it: for mem, from a run with known bytes and its wall time; for numa, from the
# nanoseconds per byte that it prints.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" linux-perf=6.1.192-3 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
python3 - "$folder/root/usr/bin/perf" <<'PYTHON'
import re, subprocess, sys, time

perf = sys.argv[1]
print(f"version: {subprocess.check_output([perf, '--version'], text=True).strip()}")


def run(*options):
    began = time.monotonic()
    done = subprocess.run([perf, "bench", *options], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr, time.monotonic() - began


loops = 100_000
output, wall = run("mem", "memset", "--function", "default", "--size", "1MB", "--nr_loops", str(loops))
printed = float(re.search(r"([\d.]+) GB/sec", output)[1])
rate = loops * 2**20 / wall
print(f"perf bench mem: {loops} times 1048576 bytes in {wall:.3f} s, start and end included")
print(f"expected: at least {rate / 1e9:.2f} GB/sec, counted in 10^9")
print(f"seen: {printed:.2f} GB/sec; counted in 2^30 it is at least {rate / 2**30:.2f}")
binary = rate / 2**30 <= printed < rate / 1e9
output, _ = run("numa", "mem", "-p", "1", "-t", "1", "-P", "64", "-T", "1", "-l", "40", "-q")
nanoseconds = float(re.search(r"([\d.]+) nsecs/byte/thread runtime", output)[1])
speed = float(re.search(r"([\d.]+) GB/sec total speed", output)[1])
print(f"perf bench numa mem: one thread takes {nanoseconds:.3f} ns for a byte")
print(f"expected: the same unit, so {1e9 / nanoseconds / 2**30:.2f} GB/sec in 2^30")
print(f"seen: {speed:.2f} GB/sec; in 10^9 it is {1 / nanoseconds:.2f}")
decimal = abs(speed * nanoseconds - 1) < 0.02
sys.exit(0 if binary and decimal else 1)
PYTHON
