"""The console of Rich with which membench writes to a terminal or a pipe."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class Terminal(Console):
    """A console that raises `BrokenPipeError` on a closed pipe; Rich would exit the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
