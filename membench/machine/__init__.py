"""What this machine is: processors, memory, GPUs, filesystems, software.

Importing it costs next to nothing; `snapshot` reads the machine when called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.core.snapshot import Machine


def snapshot(paths: Sequence[Path] = ()) -> Machine:
    """The machine as it is now, with the filesystem behind each of ``paths``.

    Never raises for a fact that cannot be read: that fact is empty.
    """
    from membench.machine.collect import collect

    return collect(paths)
