#!/usr/bin/env bash
# Parsing /proc/PID/numa_maps. According to numa(7) and the kernel's documentation a line has an
# address, the memory policy and KEY=VALUE fields, with spaces between them.
#
# Expected: the second word of a line is the policy: default, bind:0, interleave:0-1.
# Seen (Linux 6.18): the names of two policies contain a space: "prefer (many):0"
# (MPOL_PREFERRED_MANY, since 5.15: numactl --preferred-many) and "weighted interleave:0" (since
# 6.9: numactl --weighted-interleave). The second word is "prefer", which is another policy, or
# "weighted", which is not a policy; the nodes are in the third word.
# For users: a script that splits a line at spaces reports MPOL_PREFERRED instead of
# MPOL_PREFERRED_MANY, and loses the nodes. Read up to the next KEY=, or call get_mempolicy(2).
set -euo pipefail
[ "$(uname -m)" = x86_64 ] || { echo "the numbers of the system calls are those of x86-64" >&2; exit 2; }
[ -r /proc/self/numa_maps ] || { echo "this kernel has no NUMA" >&2; exit 2; }
echo "version: Linux $(uname -r)"
python3 - <<'PYTHON'
import ctypes, os, sys

SET_MEMPOLICY = 238
libc = ctypes.CDLL(None, use_errno=True)
node = ctypes.c_ulong(1)  # node 0


def seen(mode):
    """The second and the third word of a line under that policy, or the kernel's refusal."""
    reading, writing = os.pipe()
    if not os.fork():
        failed = libc.syscall(
            ctypes.c_long(SET_MEMPOLICY), ctypes.c_int(mode), ctypes.byref(node), ctypes.c_ulong(64)
        )
        with open("/proc/self/numa_maps") as file:
            words = file.readline().split()
        os.write(writing, (os.strerror(ctypes.get_errno()) if failed else " | ".join(words[1:3])).encode())
        os._exit(0)
    os.wait()
    os.close(writing)
    with open(reading) as file:
        return file.read()


found = {}
for name, mode in (("MPOL_BIND", 2), ("MPOL_PREFERRED_MANY", 5), ("MPOL_WEIGHTED_INTERLEAVE", 6)):
    found[name] = seen(mode)
    print(f"{name}: words 2 and 3 of a line: {found[name]}")
print("expected: word 2 is the whole policy")
many, weighted = found["MPOL_PREFERRED_MANY"], found["MPOL_WEIGHTED_INTERLEAVE"]
if "Invalid argument" in (many, weighted):
    sys.exit(2)
sys.exit(0 if many.startswith("prefer | (many):0") and weighted.startswith("weighted | interleave:0") else 1)
PYTHON
