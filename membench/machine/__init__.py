"""Describes this machine: processors, memory, GPUs, filesystems, software.

Importing it is cheap; the machine is read when `snapshot` is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.snapshot import Machine


def snapshot(paths: Sequence[Path] = ()) -> Machine:
    """The machine as it is now, with the filesystem behind each of ``paths``.

    Never raises: a fact that cannot be read stays empty.
    """
    from membench.machine.collect import collect

    return collect(paths)
