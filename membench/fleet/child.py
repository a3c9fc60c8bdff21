"""Become `membench ...`, and be told when the parent is gone.

Started as ``python -m membench.fleet.child PARENT_PID ARGUMENT...`` by a
worker of the cluster.  Should that worker die, whichever way, the kernel sends
SIGTERM, which ends a run politely: its journal is whole, so that it can be
resumed, and the next run on this host does not meet it.
"""

from __future__ import annotations

import os
import signal
import sys

from membench.measure.rounds.lifeline import die_with


def main(argv: list[str]) -> None:
    """Never returns."""
    die_with(int(argv[0]), signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "membench", *argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
