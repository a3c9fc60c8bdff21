"""The user's own commands before each side of a paired run: a governor, a huge-page mode."""

from __future__ import annotations

import subprocess

from membench.core.errors import MembenchError
from membench.core.text import one_line
from membench.measure.rounds.interrupt import Interrupt
from membench.results.plan import Pairing


class SetupFailed(MembenchError):
    """A set-up command failed, so the measurement would not be the requested one."""


def set_up(side: Pairing, timeout: float, interrupt: Interrupt) -> None:
    """Run the shell command of ``side``, if it has one. Membench does not undo it.

    Raises:
        SetupFailed: it did not exit with 0, or took longer than ``timeout`` seconds.
        Interrupted: a signal came meanwhile.
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
            f"{option} took longer than {timeout:g} s: {one_line(command)}", "raise --timeout"
        ) from None
    interrupt.check()  # Ctrl-C ends the command first
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        said = f": {one_line(lines[-1])[:200]}" if lines else ""
        raise SetupFailed(
            f"{option} ended with exit code {done.returncode}{said}",
            f"try it by hand: {one_line(command)}",
        )
