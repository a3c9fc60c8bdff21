#!/usr/bin/env bash
# Reading single pages at random from a file that is not cached, with pread and through mmap.
#
# Expected: both methods read about the requested bytes. The kernel reads ahead only for sequential
# accesses.
# Seen (Linux 6.18, ext4, read_ahead_kb 128): with pread, 100 pages cause 0.4 MiB of reads from the
# disk. Through a mapping the same 100 pages cause about 12 MiB, because every page fault reads
# read_ahead_kb around the page, also for random accesses. (Some virtual disks have read_ahead_kb
# set to 8 MiB; then one access reads 8 MiB.) MADV_RANDOM prevents this.
# For users: random reads of KV blocks or tensors through a mapping (fio's ioengine=mmap, readers of
# safetensors and GGUF) show the bandwidth of large reads, and the number of reads per second
# depends on read_ahead_kb. Compare a mapping with pread only under MADV_RANDOM.
# Needs: root, to mount a file of its own.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'umount "$folder/mounted" 2>/dev/null || true; rm -rf "$folder"' EXIT
truncate -s 256M "$folder/disk"
mkfs.ext4 -q "$folder/disk"
mkdir "$folder/mounted"
mount -o loop "$folder/disk" "$folder/mounted"
echo 128 > "/sys/block/$(basename "$(findmnt -no SOURCE "$folder/mounted")")/queue/read_ahead_kb"
echo "version: Linux $(uname -r), ext4, read_ahead_kb 128"
python3 - "$folder/mounted/file" <<'PYTHON'
import mmap, os, random, sys

SIZE, PAGES = 128 << 20, 100
with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(1 << 20) * (SIZE >> 20))
    os.fsync(file.fileno())
offsets = [page * 4096 for page in random.Random(1).sample(range(SIZE // 4096), PAGES)]


def read_bytes():
    """Bytes that this process has had read from disks."""
    with open("/proc/self/io") as file:
        return int(dict(line.split(": ") for line in file.read().splitlines())["read_bytes"])


def by_pread(descriptor):
    for offset in offsets:
        os.pread(descriptor, 4096, offset)


def by_mapping(descriptor, advice=None):
    mapping = mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ)
    if advice is not None:
        mapping.madvise(advice)
    for offset in offsets:
        mapping[offset]


print(f"expected: {PAGES * 4} KiB read for {PAGES} pages of 4 KiB, each way")
seen = {}
for name, read in (
    ("pread", by_pread),
    ("mmap", by_mapping),
    ("mmap with MADV_RANDOM", lambda descriptor: by_mapping(descriptor, mmap.MADV_RANDOM)),
):
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    before = read_bytes()
    read(descriptor)
    seen[name] = read_bytes() - before
    os.close(descriptor)
    print(f"seen: {name}: {seen[name] >> 10} KiB read")
still = seen["mmap"] > 10 * seen["pread"] and seen["mmap with MADV_RANDOM"] < 2 * seen["pread"]
sys.exit(0 if still else 1)
PYTHON
