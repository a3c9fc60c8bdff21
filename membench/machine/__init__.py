"""Describes this machine: processors, memory, GPUs, filesystems, software.

Importing this package is cheap: only `snapshot` reads the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.snapshot import Machine


def snapshot(paths: Sequence[Path] = ()) -> Machine:
    """The present state of the machine, with the filesystem of each path in ``paths``.

    Never raises: a fact that cannot be read stays empty.
    """
    from membench.machine.collect import collect

    return collect(paths)
