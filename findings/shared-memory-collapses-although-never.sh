#!/usr/bin/env bash
# Huge pages for shared memory (memfd, /dev/shm) if shmem_enabled in
# /sys/kernel/mm/transparent_hugepage is "never", its default.
#
# Expected: no huge pages, whatever a program does.
# Seen (Linux 6.18): MADV_HUGEPAGE gives no huge pages, as expected. But MADV_COLLAPSE makes 8 MiB
# of huge pages at once, without an earlier MADV_HUGEPAGE. smaps shows THPeligible 0 for this memory,
# and counts the pages under ShmemPmdMapped, not under AnonHugePages. MADV_COLLAPSE also makes huge
# pages of private memory if the setting is "madvise".
# For users: the sysfs setting does not prove that a run had no huge pages. And even with "never", a
# program can have huge pages for shared host buffers of KV blocks. Read the counters in smaps under
# both names.
# Needs: shmem_enabled set to "never"; Linux 6.1 or newer.
set -euo pipefail
setting=/sys/kernel/mm/transparent_hugepage/shmem_enabled
grep -q '\[never\]' "$setting" || { echo "shmem_enabled is not never: $(<"$setting")" >&2; exit 2; }
echo "version: Linux $(uname -r), shmem_enabled $(<"$setting")"
python3 - <<'PYTHON'
import ctypes, mmap, os, sys

SIZE, HUGE, HUGEPAGE, COLLAPSE = 8 << 20, 2 << 20, 14, 25
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
READ_WRITE, SHARED, FIXED = 3, 1, 0x10


def shared():
    """Address of 8 MiB of shared memory, filled, that begins at a multiple of 2 MiB."""
    descriptor = os.memfd_create("finding")
    os.ftruncate(descriptor, SIZE)
    room = libc.mmap(None, SIZE + HUGE, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    start = (room + HUGE - 1) // HUGE * HUGE
    assert libc.mmap(start, SIZE, READ_WRITE, SHARED | FIXED, descriptor, 0) == start
    ctypes.memset(start, 1, SIZE)
    return start


def counted(start):
    inside, found = False, {}
    with open("/proc/self/smaps") as file:
        for line in file:
            name, *words = line.split()
            if "-" in name and not name.endswith(":"):
                low, high = (int(part, 16) for part in name.split("-"))
                inside = low <= start < high
            elif inside:
                found[name[:-1]] = words[0]
    return {key: int(found[key]) for key in ("AnonHugePages", "ShmemPmdMapped", "THPeligible")}


advised, collapsed = shared(), shared()
libc.madvise(advised, SIZE, HUGEPAGE)
ctypes.memset(advised, 2, SIZE)
answer = libc.madvise(collapsed, SIZE, COLLAPSE)
print("expected: 0 KiB of huge pages by either")
print(f"seen: MADV_HUGEPAGE: {counted(advised)}")
print(f"seen: MADV_COLLAPSE: returns {answer}, {counted(collapsed)}")
want = {"AnonHugePages": 0, "ShmemPmdMapped": SIZE >> 10, "THPeligible": 0}
none = {"AnonHugePages": 0, "ShmemPmdMapped": 0, "THPeligible": 0}
sys.exit(0 if answer == 0 and counted(collapsed) == want and counted(advised) == none else 1)
PYTHON
