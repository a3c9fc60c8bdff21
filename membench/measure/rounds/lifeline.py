"""Ends a process when its parent ends, even if the parent is killed."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, by: signal.Signals) -> None:
    """Let the kernel send the signal ``by`` to this process when process ``parent`` ends.

    The setting survives execve(2) but not fork(2); see prctl(2). If the parent has already ended,
    this function ends the process immediately.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before prctl took effect
        os._exit(128 + by)
