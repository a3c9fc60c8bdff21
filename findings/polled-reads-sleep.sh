#!/usr/bin/env bash
# Polled reads (hipri=1 of fio, RWF_HIPRI of preadv2) from a disk without poll queues.
#
# Expected: the same answer from both interfaces of the kernel: polling, or an error.
# Seen (Linux 6.18, fio 3.33): preadv2 accepts RWF_HIPRI and sleeps in every read until the
# interrupt, as without the flag. io_uring refuses the same read with "Operation not supported". So
# fio with ioengine=pvsync2 and hipri=1 ends with exit code 0 and an ordinary result, and its JSON
# says "hipri": "1" among the options; ioengine=io_uring ends with an error.
# For users: a latency "with polling" of pvsync2 or of a program with RWF_HIPRI may be a latency
# with interrupts. NVMe has poll queues only if the module parameter nvme.poll_queues is above 0
# (default 0). Read /sys/block/DISK/queue/io_poll, or use io_uring.
# Needs: a temporary folder on a local filesystem with O_DIRECT, on a disk whose io_poll is 0.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to fetch a package of Debian" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'rm -rf "$folder"' EXIT
disk=$(stat -c %Hd:%Ld "$folder")
queue=/sys/dev/block/$disk/queue
[ -e "$queue" ] || queue=/sys/dev/block/$disk/../queue
[ "$(cat "$queue/io_poll" 2> /dev/null)" = 0 ] || { echo "needs a disk with io_poll 0" >&2; exit 2; }
# Debian 12: the package and what it needs that is not installed, unpacked into the folder.
mkdir -p "$folder/packages/partial" "$folder/root"
apt-get install -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder/packages" fio=3.33-3 > /dev/null
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu:$folder/root/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
fio=$folder/root/usr/bin/fio
echo "version: $("$fio" --version), Linux $(uname -r); io_poll of the disk: $(cat "$queue/io_poll")"
cd "$folder"
"$fio" --name=lay-out --filename=file --rw=write --bs=1m --size=16m --direct=1 --output=/dev/null
cat > sleeps.py <<'PYTHON'
import mmap, os, resource, sys

file = os.open("file", os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 4096)
sleeps = {}
for name, flags in (("without a flag", 0), ("with RWF_HIPRI", os.RWF_HIPRI)):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    for read in range(1000):
        assert os.preadv(file, [buffer], 4096 * read, flags) == 4096
    sleeps[flags] = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
    print(f"preadv2 {name}: 1000 reads slept {sleeps[flags]} times (polling would not sleep)")
sys.exit(0 if min(sleeps.values()) > 900 else 1)
PYTHON
python3 sleeps.py
declare -A code
for engine in pvsync2 io_uring; do
    code[$engine]=0 error=
    "$fio" --name=a --filename=file --rw=randread --bs=4k --size=4m --direct=1 \
        --ioengine="$engine" --hipri=1 --output=out.json --output-format=json 2> complaints > /dev/null || code[$engine]=$?
    error=$(grep -o 'Operation not supported' complaints | head -1 || true)
    echo "ioengine=$engine hipri=1: exit code ${code[$engine]}; message: ${error:-none}"
done
[ "${code[pvsync2]}" = 0 ] && [ "${code[io_uring]}" != 0 ] && [ -n "$error" ]
