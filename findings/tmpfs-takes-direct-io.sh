#!/usr/bin/env bash
# Opening a file on tmpfs with O_DIRECT.
#
# Expected: EINVAL. Manuals say that tmpfs does not support direct I/O, and benchmarks use this
# error to notice that their folder (/tmp, /dev/shm) is in memory.
# Seen (Linux 6.18; since 6.6): open succeeds. A write of 3 bytes at offset 1 succeeds too, which no
# disk accepts. All data stay in memory. statx reports no alignment (STATX_DIOALIGN is not set).
# For users: "direct=1" does not prove that a benchmark measures a disk: fio on /tmp shows gigabytes
# per second and no error. Get the type of the filesystem from statfs.
set -euo pipefail
folder=$(mktemp -d /dev/shm/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
echo "version: Linux $(uname -r), filesystem $(stat -f -c %T "$folder")"
[ "$(stat -f -c %T "$folder")" = tmpfs ] || { echo "/dev/shm is no tmpfs here" >&2; exit 2; }
python3 - "$folder/file" <<'PYTHON'
import os, sys

print("expected: EINVAL from open")
try:
    descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_DIRECT)
except OSError as error:
    print(f"seen: {error}")
    sys.exit(1)
written = os.pwrite(descriptor, b"abc", 1)
print(f"seen: open succeeds; a direct write of 3 bytes at offset 1 wrote {written} bytes")
sys.exit(0 if written == 3 else 1)
PYTHON
