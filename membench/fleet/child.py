"""Become `membench ...`, and be told when the parent is gone.

Started as ``python -m membench.fleet.child PARENT_PID ARGUMENT...`` by a
worker of the cluster.  Should that worker die, whichever way, the kernel sends
SIGTERM, which ends a run politely: its journal is whole, so that it can be
resumed, and the next run on this host does not meet it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # outlives execve(2)


def main(argv: list[str]) -> None:
    """Never returns."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(argv[0]):  # it died before the kernel knew what we want
        os._exit(128 + signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "membench", *argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
