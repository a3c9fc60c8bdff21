#!/usr/bin/env bash
# The sizes of caches according to lscpu, in text and in JSON (lscpu -J).
#
# Expected: the size of one cache, as lscpu printed for many years: 32 KiB for L1d.
# Seen (util-linux 2.38.1): lscpu prints the sum over all caches of the level, and the number of
# caches: "64 KiB (2 instances)" with two cores, so 2 MiB with 64 cores. For L3 the sum covers all
# groups of cores. The JSON has sum and number in one string, also with -B. The size of one cache is
# in lscpu -C (ONE-SIZE) and in /sys/devices/system/cpu/cpu0/cache.
# For users: a working set that a script computes from the sum is too large by the number of caches.
# The working set then lies in a different cache level on each machine. Older versions of lscpu show
# the size of one cache.
# Needs: root; a machine with two or more cores.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" util-linux=2.38.1-5+deb12u3 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
lscpu=$folder/root/usr/bin/lscpu
echo "version: $("$lscpu" --version)"
python3 - "$lscpu" <<'PYTHON'
import json, pathlib, re, subprocess, sys


def entries(nodes):
    for node in nodes:
        yield node
        yield from entries(node.get("children", []))


def size(word):
    number, prefix = re.match(r"([\d.]+)\s*([KMG]?)", word).groups()
    return int(float(number) * 1024 ** " KMG".index(prefix or " "))


def field(*options):
    text = subprocess.check_output([sys.argv[1], "-J", *options], text=True)
    return next(node["data"] for node in entries(json.loads(text)["lscpu"]) if node["field"] == "L1d cache:")


one = size(pathlib.Path("/sys/devices/system/cpu/cpu0/cache/index0/size").read_text())
text, plain = field(), field("-B")
if "(1 instance)" in text:
    print("there is one L1d here", file=sys.stderr)
    sys.exit(2)
count = int(re.search(r"\((\d+) instances\)", text)[1])
print(f"expected: L1d {one >> 10} KiB, as in /sys")
print(f"seen: lscpu -J: {text!r}; lscpu -J -B: {plain!r}")
sys.exit(0 if size(text) == one * count and size(plain) == one * count else 1)
PYTHON
