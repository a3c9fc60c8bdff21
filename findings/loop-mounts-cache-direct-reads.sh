#!/usr/bin/env bash
# Direct I/O (O_DIRECT) on a filesystem in a file that is mounted with "mount -o loop".
#
# Expected: O_DIRECT bypasses the page cache. ext4 accepts O_DIRECT and does not cache the data, so a
# read comes from the disk.
# Seen (Linux 6.18, mount of util-linux 2.38.1): the loop device reads and writes its file through
# the page cache. After 64 MiB of direct writes and reads, all 64 MiB of the file are cached, and a
# second direct read comes from memory. losetup shows DIO 0. With "losetup --direct-io=on" nothing
# is cached.
# For users: a test of direct I/O on a filesystem in a file measures memory, even with flags such as
# fio's direct=1. Set up the loop device with --direct-io=on.
# Needs: Linux 6.5 or newer (cachestat); root; the temporary folder on a disk, not on tmpfs.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
device=
end() {
    umount "$folder/mounted" 2>/dev/null || true
    [ -z "$device" ] || losetup -d "$device"
    rm -rf "$folder"
}
trap end EXIT
[ "$(stat -f -c %T "$folder")" != tmpfs ] || { echo "TMPDIR must be on a disk" >&2; exit 2; }
cat > "$folder/measure.py" <<'PYTHON'
import ctypes, mmap, os, sys

CACHESTAT = 451  # the number of the system call, the same on every architecture
libc = ctypes.CDLL(None, use_errno=True)


def cached(descriptor):
    span, answer = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    if libc.syscall(CACHESTAT, descriptor, span, answer, 0):
        raise OSError(ctypes.get_errno(), "cachestat")
    return answer[0] * mmap.PAGESIZE >> 20


folder, below, wanted = sys.argv[1], os.open(sys.argv[2], os.O_RDONLY), sys.argv[3]
buffer = mmap.mmap(-1, 1 << 20)
buffer[:] = os.urandom(1 << 20)
file = os.open(folder + "/file", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
for piece in range(64):
    os.pwrite(file, buffer, piece << 20)
os.fsync(file)
os.posix_fadvise(below, 0, 0, os.POSIX_FADV_DONTNEED)
for piece in range(64):
    os.preadv(file, [buffer], piece << 20)
print(f"seen: after direct reads of 64 MiB: {cached(file)} MiB of the file and {cached(below)} MiB "
      "of the file below the loop device are cached")
sys.exit(0 if (cached(below) >= 60) == (wanted == "cached") and cached(file) == 0 else 1)
PYTHON
echo "version: Linux $(uname -r), $(mount --version | head -1)"
echo "expected: 0 MiB and 0 MiB are cached"
truncate -s 256M "$folder/disk"
mkfs.ext4 -q "$folder/disk"
mkdir "$folder/mounted"
mount -o loop "$folder/disk" "$folder/mounted"
python3 "$folder/measure.py" "$folder/mounted" "$folder/disk" cached
umount "$folder/mounted"
rm "$folder/disk"
truncate -s 256M "$folder/disk"
device=$(losetup --find --show --direct-io=on "$folder/disk")
mkfs.ext4 -q "$device"
mount "$device" "$folder/mounted"
echo "the same with losetup --direct-io=on:"
python3 "$folder/measure.py" "$folder/mounted" "$folder/disk" direct
