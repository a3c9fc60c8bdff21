"""Restores the default handling of signals for processes that tests start."""

from __future__ import annotations

import signal


def hear_signals() -> None:
    """Reset SIGINT and SIGHUP to their default action.

    A background job of a shell ignores SIGINT, and under nohup also SIGHUP. Child processes inherit
    this setting, and could not be interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
