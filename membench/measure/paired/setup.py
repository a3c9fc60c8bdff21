"""Runs a user's shell command before each round of a side, for example to set the clock rate."""

from __future__ import annotations

import subprocess

from membench.core.errors import MembenchError
from membench.core.text import one_line
from membench.measure.rounds.interrupt import Interrupt, signal_name
from membench.results.plan import Pairing


class SetupFailed(MembenchError):
    """A set-up command failed."""


def set_up(side: Pairing, timeout: float, interrupt: Interrupt) -> None:
    """Run the shell command of ``side`` if it has one. membench does not undo its effects.

    Raises:
        SetupFailed: the command did not exit with 0, or took longer than ``timeout`` seconds.
        Interrupted: a signal arrived while the command ran.
    """
    command, option = side.setup, f"--setup-{side.side}"
    if not command:
        return
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        interrupt.check()
        raise SetupFailed(
            f"the command of {option} took longer than {timeout:g} s: {one_line(command)}",
            "use a faster command, or increase --timeout",
        ) from None
    # Ctrl-C also ends the command. Report the signal, not the exit code.
    interrupt.check()
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        said = f": {one_line(lines[-1])[:200]}" if lines else ""
        code = done.returncode
        end = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        raise SetupFailed(
            f"the command of {option} {end}{said}",
            f"run the command by hand to find the problem: {one_line(command)}",
        )
