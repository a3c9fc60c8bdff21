#!/usr/bin/env bash
# Opening a file on tmpfs with O_DIRECT.
#
# Expected: EINVAL. That tmpfs has no direct I/O is in every manual, and benchmarks rely on the
# error to notice that the folder which they were given (/tmp, /dev/shm) is memory.
# Seen (Linux 6.18; since 6.6): open succeeds, and so does a write of 3 bytes at offset 1, which no
# disk takes; all of it stays in memory. statx reports an alignment of nothing (STATX_DIOALIGN
# unset).
# For users: "direct=1" no longer proves that a disk is measured: fio on /tmp gives gigabytes a
# second and no error. Ask statfs for the filesystem's type.
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
