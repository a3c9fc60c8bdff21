"""A machine without problems, and a function that changes single facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from healthy import GPU_STATE, MACHINE

from membench.core.snapshot import Filesystem
from membench.core.units import GIB
from membench.doctor.facts import Facts, Kernels, ScratchDirectory
from membench.machine.disks.devices import Disk
from membench.machine.noise import Noise
from membench.machine.settings import Settings

With = Callable[..., Facts]

DISK = Disk("nvme0n1", "Some SSD", False, "none", ("none", "mq-deadline"), "write back", 1023)


@pytest.fixture
def healthy() -> Facts:
    """Facts about an idle bare-metal server with a GPU."""
    place = Filesystem("results", "/", "ext4", "rw", "/dev/nvme0n1p2", 100 * GIB, "")
    return Facts(
        machine=MACHINE,
        settings=Settings(True, False, "tsc", ("tsc", "hpet"), None, 0, 65536),
        scratch=ScratchDirectory(place, "", (DISK,)),
        noise=Noise(0.0, 0.1, (), 0, 0),
        kernels=Kernels(numba=True),
        gpus=(GPU_STATE,),
    )


def changed(thing: Any, path: str, value: Any) -> Any:
    """``thing`` with ``value`` at the dotted ``path``. A number in the path is an index."""
    name, _, rest = path.partition(".")
    if name.isdigit():
        items = list(thing)
        items[int(name)] = changed(items[int(name)], rest, value)
        return tuple(items)
    return replace(thing, **{name: changed(getattr(thing, name), rest, value) if rest else value})


@pytest.fixture
def with_(healthy: Facts) -> With:
    """A function that changes facts: ``with_({"machine.cpu.quota": 2.0})``."""

    def build(changes: dict[str, Any]) -> Facts:
        facts = healthy
        for path, value in changes.items():
            facts = changed(facts, path, value)
        return facts

    return build
