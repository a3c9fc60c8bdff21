#!/usr/bin/env bash
# Setting read_ahead_kb of a disk (in /sys/block, or with blockdev --setra) while a program reads.
#
# Expected: the setting applies to the disk, so to every read after the change.
# Seen (Linux 6.18, ext4): a file descriptor keeps the window that the disk had when the file was
# opened. After a change from 1024 to 16 KiB, a sequential read with the old descriptor still reads
# ahead as far as before; only a file that is opened after the change uses the new value.
# For users: a benchmark that tries several values of read_ahead_kb in one process measures the
# first value each time. A server (with a mapped model, or a database) must open its files again to
# use a new value.
# Needs: Linux 6.5 or newer (cachestat); root, to mount a file of its own.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'umount "$folder/mounted" 2>/dev/null || true; rm -rf "$folder"' EXIT
truncate -s 256M "$folder/disk"
mkfs.ext4 -q "$folder/disk"
mkdir "$folder/mounted"
mount -o loop "$folder/disk" "$folder/mounted"
echo "version: Linux $(uname -r), ext4"
setting=/sys/block/$(basename "$(findmnt -no SOURCE "$folder/mounted")")/queue/read_ahead_kb
python3 - "$folder/mounted/file" "$setting" <<'PYTHON'
import ctypes, mmap, os, sys, time

CACHESTAT = 451  # the number of the system call, the same on every architecture
libc = ctypes.CDLL(None, use_errno=True)


def cached(descriptor):
    span, answer = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    if libc.syscall(CACHESTAT, descriptor, span, answer, 0):
        raise OSError(ctypes.get_errno(), "cachestat")
    return answer[0] * mmap.PAGESIZE >> 10


def set_read_ahead(kib):
    with open(sys.argv[2], "w") as file:
        file.write(str(kib))


def far(descriptor):
    """KiB that are cached after two reads of 16 KiB from the beginning of the file."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.read(descriptor, 16 << 10), os.read(descriptor, 16 << 10)
    time.sleep(0.5)
    return cached(descriptor)


with open(sys.argv[1], "wb") as file:
    file.write(os.urandom(32 << 20))
    os.fsync(file.fileno())
set_read_ahead(1024)
old = os.open(sys.argv[1], os.O_RDONLY)
before = far(old)
set_read_ahead(16)
new = os.open(sys.argv[1], os.O_RDONLY)
after, fresh = far(old), far(new)
print(f"before, with 1024: {before} KiB cached after 32 KiB were read")
print(f"expected, with 16: the same small amount by both descriptors")
print(f"seen, with 16: {after} KiB by the old descriptor, {fresh} KiB by a new one")
sys.exit(0 if after == before and fresh < before else 1)
PYTHON
