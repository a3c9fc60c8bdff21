"""Ensures that a process does not outlive its parent, however the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, by: signal.Signals) -> None:
    """Let the kernel send ``by`` to this process when its parent ``parent`` is gone.

    The setting survives execve(2) but not fork(2): prctl(2). Does not return if the parent is gone
    already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew what we want
        os._exit(128 + by)
