"""A process that does not outlive its parent, whichever way the parent goes."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, by: signal.Signals) -> None:
    """Have the kernel send ``by`` to this process when process ``parent``, its parent, is gone.

    It outlives execve(2), not fork(2): prctl(2).  Does not return if the parent is gone already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew what we want
        os._exit(128 + by)
