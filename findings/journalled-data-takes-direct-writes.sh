#!/usr/bin/env bash
# Direct I/O (O_DIRECT) on ext4 that is mounted with data=journal.
#
# Expected: a direct write, or an error. Direct I/O on ext4 is known to be reliable.
# Seen (Linux 6.18): the kernel's log says that data=journal disables O_DIRECT, but the program gets
# no error. open succeeds, 1 MiB of "direct" writes is in the page cache and dirty, and a write of 3
# bytes at offset 1 succeeds too, which direct I/O would refuse.
# For users: a benchmark with direct=1 measures memory on such a filesystem, although statfs and
# most reports show the same name, ext4. Read the mount options; statx leaves STATX_DIOALIGN at 0.
# Needs: Linux 6.5 or newer (cachestat); root, to mount a file of its own.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root, to mount a file of its own" >&2; exit 2; }
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/finding.XXXXXX")
trap 'umount "$folder/mounted" 2>/dev/null || true; rm -rf "$folder"' EXIT
truncate -s 256M "$folder/disk"
mkfs.ext4 -q "$folder/disk"
mkdir "$folder/mounted"
echo "version: Linux $(uname -r), ext4"
cat > "$folder/measure.py" <<'PYTHON'
import ctypes, mmap, os, sys

CACHESTAT = 451  # the number of the system call, the same on every architecture
libc = ctypes.CDLL(None, use_errno=True)
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
os.pwrite(file, buffer, 0)
span, answer = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
if libc.syscall(CACHESTAT, file, span, answer, 0):
    raise OSError(ctypes.get_errno(), "cachestat")
try:
    unaligned = f"wrote {os.pwrite(file, b'abc', 1)} bytes"
except OSError as error:
    unaligned = error.strerror
print(f"{sys.argv[2]}: of a direct write of 1 MiB {answer[0] * mmap.PAGESIZE >> 10} KiB are cached "
      f"and {answer[1] * mmap.PAGESIZE >> 10} KiB dirty; 3 bytes at offset 1: {unaligned}")
cached = answer[0] * mmap.PAGESIZE == 1 << 20 and "wrote" in unaligned
direct = answer[0] == 0 and "wrote" not in unaligned
sys.exit(0 if (direct if sys.argv[3] == "direct" else cached) else 1)
PYTHON
mount -o loop,data=ordered "$folder/disk" "$folder/mounted"
python3 "$folder/measure.py" "$folder/mounted/a" "expected, as with data=ordered" direct
umount "$folder/mounted"
mount -o loop,data=journal "$folder/disk" "$folder/mounted"
python3 "$folder/measure.py" "$folder/mounted/b" "seen with data=journal" cached
