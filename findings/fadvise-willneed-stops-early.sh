#!/usr/bin/env bash
# posix_fadvise(POSIX_FADV_WILLNEED), readahead(2) and madvise(MADV_WILLNEED) over a large file.
#
# Expected: the kernel starts to read the whole named range, so that one call warms a file of
# weights or KV blocks. The manual of readahead says that the call reads COUNT bytes.
# Seen (Linux 6.18, ext4, read_ahead_kb 128): of 64 MiB, each of the three calls reads only 1.25
# MiB, which is the larger of read_ahead_kb and max_sectors_kb of the disk. The calls return 0. A
# mapping with MAP_POPULATE reads the whole range.
# For users: after one such call only the beginning of the file is warm, and a test of warm reads
# measures the disk. Make a call for each piece of at most read_ahead_kb, or read the file.
# Needs: Linux 6.5 or newer (cachestat); root, to mount a file of its own.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'umount "$folder/mounted" 2>/dev/null || true; rm -rf "$folder"' EXIT
truncate -s 256M "$folder/disk"
mkfs.ext4 -q "$folder/disk"
mkdir "$folder/mounted"
mount -o loop "$folder/disk" "$folder/mounted"
queue=/sys/block/$(basename "$(findmnt -no SOURCE "$folder/mounted")")/queue
echo 128 > "$queue/read_ahead_kb"
echo "version: Linux $(uname -r), ext4, read_ahead_kb $(<"$queue/read_ahead_kb"), max_sectors_kb $(<"$queue/max_sectors_kb")"
python3 - "$folder/mounted/file" <<'PYTHON'
import ctypes, mmap, os, sys, time

CACHESTAT = 451  # the number of the system call, the same on every architecture
SIZE = 64 << 20
libc = ctypes.CDLL(None, use_errno=True)


def cached(descriptor):
    span, answer = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    if libc.syscall(CACHESTAT, descriptor, span, answer, 0):
        raise OSError(ctypes.get_errno(), "cachestat")
    return answer[0] * mmap.PAGESIZE


def advise_file(descriptor):
    os.posix_fadvise(descriptor, 0, SIZE, os.POSIX_FADV_WILLNEED)


def read_ahead(descriptor):
    assert libc.readahead(descriptor, ctypes.c_int64(0), ctypes.c_size_t(SIZE)) == 0


def advise_mapping(descriptor):
    mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ).madvise(mmap.MADV_WILLNEED)


def populate(descriptor):
    mmap.mmap(descriptor, SIZE, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)


with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(1 << 20) * 64)
    os.fsync(file.fileno())
print(f"expected: {SIZE >> 10} KiB are cached after each call")
seen = {}
for call in (advise_file, read_ahead, advise_mapping, populate):
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    assert cached(descriptor) == 0
    call(descriptor)
    time.sleep(1)  # reading goes on after the call
    seen[call.__name__] = cached(descriptor)
    os.close(descriptor)
    print(f"seen: {call.__name__}: {seen[call.__name__] >> 10} KiB")
short = all(value < SIZE // 4 for name, value in seen.items() if name != "populate")
sys.exit(0 if short and seen["populate"] == SIZE else 1)
PYTHON
