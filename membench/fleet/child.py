"""A process that executes `membench ...` in its place and ends with its parent.

A worker of the cluster starts it as ``python -m membench.fleet.child PARENT_PID ARGUMENT...``. If
the worker dies for any reason, the kernel sends SIGTERM. The run then ends cleanly: its journal can
be resumed, and the next run on this host does not overlap it.
"""

from __future__ import annotations

import os
import signal
import sys

from membench.measure.rounds.lifeline import die_with


def main(argv: list[str]) -> None:
    """Arrange the SIGTERM, then replace this process by membench; does not return."""
    die_with(int(argv[0]), signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "membench", *argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
