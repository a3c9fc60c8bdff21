#!/usr/bin/env bash
# Dropping a part of a file from the page cache: posix_fadvise(POSIX_FADV_DONTNEED) on clean pages,
# with an offset and a length that are multiples of 4096.
#
# Expected: the pages of that part leave the cache. The manual excludes pages that are only partly
# inside the range, and a page has 4 KiB.
# Seen (Linux 6.18, ext4, a file that was read in pieces of 1 MiB): for a range of 64 KiB in the
# middle of the file, at any offset, the kernel drops no page. For an aligned range of 2 MiB, the
# kernel drops all pages. ext4 (since 6.16) and xfs (since earlier versions) cache files in folios of
# up to 2 MiB, and the kernel drops only whole folios.
# For users: a benchmark that drops single blocks before random reads still reads from memory. Drop
# the whole file and check with cachestat or mincore, or read with O_DIRECT.
# Needs: Linux 6.16 or newer; root, to mount a file of its own.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'umount "$folder/mounted" 2>/dev/null || true; rm -rf "$folder"' EXIT
truncate -s 256M "$folder/disk"
mkfs.ext4 -q -b 4096 "$folder/disk"
mkdir "$folder/mounted"
mount -o loop "$folder/disk" "$folder/mounted"
echo 2048 > "/sys/block/$(basename "$(findmnt -no SOURCE "$folder/mounted")")/queue/read_ahead_kb"
echo "version: Linux $(uname -r), ext4"
python3 - "$folder/mounted/file" <<'PYTHON'
import ctypes, mmap, os, sys

CACHESTAT = 451  # the number of the system call, the same on every architecture
libc = ctypes.CDLL(None, use_errno=True)


def cached(descriptor, offset, length):
    span, answer = (ctypes.c_uint64 * 2)(offset, length), (ctypes.c_uint64 * 5)()
    if libc.syscall(CACHESTAT, descriptor, span, answer, 0):
        raise OSError(ctypes.get_errno(), "cachestat")
    return answer[0] * mmap.PAGESIZE >> 10


with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(1 << 20) * 64)
    os.fsync(file.fileno())
descriptor = os.open(sys.argv[1], os.O_RDONLY)
seen = []
for offset, length in ((20 << 20, 64 << 10), ((20 << 20) + 4096, 64 << 10), (20 << 20, 2 << 20)):
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(descriptor, 0, os.SEEK_SET)
    while os.read(descriptor, 1 << 20):
        pass
    before = cached(descriptor, offset, length)
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
    after = cached(descriptor, offset, length)
    print(f"DONTNEED of {length >> 10} KiB at {offset >> 10} KiB: {before} KiB cached before")
    print("expected: 0 KiB cached after")
    print(f"seen: {after} KiB cached after")
    seen.append((before, after))
sys.exit(0 if seen == [(64, 64), (64, 64), (2048, 0)] else 1)
PYTHON
