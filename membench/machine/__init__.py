"""The facts about this machine: processors, memory, GPUs, filesystems, software."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.snapshot import Machine


def snapshot(paths: Sequence[Path] = ()) -> Machine:
    """Read the present state of the machine, and the filesystem of each path in ``paths``.

    A fact that cannot be read stays empty.
    """
    from membench.machine.collect import collect

    return collect(paths)
