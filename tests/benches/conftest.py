"""A CPU backend and the snapshot of this machine, each created once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from membench.core.snapshot import Machine
from membench.host.memory.backend import CpuBackend
from membench.machine import snapshot


@pytest.fixture(scope="session")
def machine() -> Machine:
    return snapshot([])


@pytest.fixture(scope="module")
def cpu(machine: Machine) -> Iterator[CpuBackend]:
    backend = CpuBackend(machine)
    yield backend
    backend.close()
