"""What this machine is: processors, memory, GPUs, filesystems, software.

Importing it costs next to nothing; `snapshot` reads the machine when called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.machine.model import (
    Cache,
    Core,
    Cpu,
    Filesystem,
    Gpu,
    GpuLinks,
    Gpus,
    Machine,
    Memory,
    Node,
)

__all__ = [
    "Cache",
    "Core",
    "Cpu",
    "Filesystem",
    "Gpu",
    "GpuLinks",
    "Gpus",
    "Machine",
    "Memory",
    "Node",
    "snapshot",
]


def snapshot(paths: Sequence[Path] = ()) -> Machine:
    """The machine as it is now, with the filesystem behind each of ``paths``.

    Never raises for a fact that cannot be read: that fact is empty.
    """
    from membench.machine.collect import collect

    return collect(paths)
