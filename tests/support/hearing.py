"""Signals for processes that tests start, whatever this one was started by."""

from __future__ import annotations

import signal


def hear_signals() -> None:
    """Let SIGINT and SIGHUP do again what they do by default.

    A job that a shell starts in the background ignores the one, under nohup the other;
    what it starts inherits that, and would never be interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
