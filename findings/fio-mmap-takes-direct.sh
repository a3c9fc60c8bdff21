#!/usr/bin/env bash
# direct=1 with an engine of fio that cannot do direct I/O: ioengine=mmap.
#
# Expected: an error, as for other options that exclude each other, or at least a warning.
# Seen (fio 3.33): no message, and exit code 0. fio opens the file with O_DIRECT and then maps it,
# so that the whole file is in the page cache afterwards. The JSON has "direct": "1" among the
# options of the job.
# For users: a result contains the requested options, not the effective options. A benchmark that
# runs several engines with direct=1 compares memory with disks if mmap is one of the engines.
# Needs: a temporary folder on a filesystem that supports O_DIRECT.
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
cat > resident.py <<'PYTHON'
import ctypes, mmap, os, sys

libc = ctypes.CDLL(None, use_errno=True)
file = os.open("file", os.O_RDWR)
size = os.fstat(file).st_size
mapping = mmap.mmap(file, size)
pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE))()
address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
assert libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), pages) == 0
print(sum(page & 1 for page in pages) * 100 // len(pages))
PYTHON
"$fio" --name=lay-out --filename=file --rw=write --bs=1m --size=16m --direct=1 --output=/dev/null
declare -A cached
for engine in psync mmap; do
    "$fio" --name=a --filename=file --rw=read --bs=64k --size=16m --direct=1 --ioengine="$engine" \
        --output=out.json --output-format=json 2> complaints
    cached[$engine]=$(python3 resident.py)
    asked=$(python3 -c 'import json; print(json.load(open("out.json"))["jobs"][0]["job options"]["direct"])')
    echo "ioengine=$engine: expected: 0 % of the file is cached after direct reads, or an error"
    echo "ioengine=$engine: seen: ${cached[$engine]} % is cached, direct $asked in the JSON, $(wc -c < complaints) bytes of complaints"
    [ ! -s complaints ]
done
[ "${cached[psync]}" = 0 ] && [ "${cached[mmap]}" = 100 ]
