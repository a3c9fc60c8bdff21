"""A process that executes ``membench ...`` and ends when its parent process ends.

A worker of the cluster starts ``python -m membench.fleet.child PARENT_PID ARGUMENT...``. If the
worker dies, the kernel sends SIGTERM to this process, and membench ends the run cleanly. So no run
outlives its worker, and a later run can resume the journal.
"""

from __future__ import annotations

import os
import signal
import sys

from membench.measure.rounds.lifeline import die_with


def main(argv: list[str]) -> None:
    """Replace this process by membench, which gets SIGTERM when the parent ends."""
    die_with(int(argv[0]), signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "membench", *argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
