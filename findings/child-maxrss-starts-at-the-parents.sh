#!/usr/bin/env bash
# The peak memory of a child process, from ru_maxrss of getrusage, or "Maximum resident set size" of
# time -v.
#
# Expected: a small program that a large program starts reports its own small peak, because exec
# gives it new memory.
# Seen (Linux 6.18, Python's subprocess): a process with 300 MiB starts a program that needs 8 MiB.
# The program reports a peak of 310 MiB, both in its own getrusage and in RUSAGE_CHILDREN of the
# parent. Between fork and exec the child has the parent's pages, and exec does not reset the peak.
# VmHWM in /proc/PID/status restarts at exec and is correct.
# For users: if a program with large buffers starts benchmarks, the ru_maxrss of a benchmark is the
# size of that program. Read VmHWM while the child runs, or memory.peak of the control group.
set -euo pipefail
echo "version: Linux $(uname -r), $(python3 --version)"
python3 - <<'PYTHON'
import resource, subprocess, sys

child = [sys.executable, "-I", "-S", "-c",
         "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss);"
         "print([l for l in open('/proc/self/status') if l.startswith('VmHWM')][0].split()[1])"]


def peaks():
    return [int(kib) >> 10 for kib in subprocess.check_output(child, text=True).split()]


small = peaks()
held = bytearray(b"x") * (300 << 20)
large = peaks()
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(f"started by a small process: ru_maxrss {small[0]} MiB, VmHWM {small[1]} MiB")
print("expected: the same when a process that holds 300 MiB starts it")
print(f"seen: ru_maxrss {large[0]} MiB, VmHWM {large[1]} MiB, RUSAGE_CHILDREN {children} MiB")
sys.exit(0 if large[0] >= 300 and children >= 300 and large[1] < 100 and small[0] < 100 else 1)
PYTHON
