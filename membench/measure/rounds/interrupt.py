"""Turns Ctrl-C, SIGTERM and a closed terminal into an event that a loop can wait for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def signal_name(number: int) -> str:
    """``SIGTERM`` for 15; ``signal 40`` for a number that has no name in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Interrupted(Exception):
    """The run must stop now, because of the signal ``signum``."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal_name(signum))
        self.signum = signum


@dataclass
class Interrupt:
    """A flag with a file descriptor that becomes readable when a signal arrives.

    Attributes:
        signum: number of the first signal that arrived; 0 if no signal arrived.
    """

    fd: int
    signum: int = 0

    def check(self) -> None:
        """Raise `Interrupted` if a signal has arrived."""
        if self.signum:
            raise Interrupted(self.signum)


_open: list[Interrupt] = []  # the outermost block, if the process is in one


@contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Catch `SIGNALS` inside the block. Only the main thread may use this context.

    A handler that raises could interrupt the write of a journal record. So the handler sets a flag,
    which the runner checks at safe points. A block inside another block has the same flag. Only the
    end of the outer block restores the handlers, so a second signal cannot end the process before
    the results are written.
    """
    if _open:
        yield _open[0]
        return
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    interrupt = Interrupt(reader)

    def handle(signum: int, _frame: object) -> None:
        interrupt.signum = interrupt.signum or signum

    before = {
        number: signal.signal(number, handle)
        for number in SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN  # a signal that nohup ignores stays ignored
    }
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _open.append(interrupt)
    try:
        yield interrupt
    finally:
        _open.clear()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
