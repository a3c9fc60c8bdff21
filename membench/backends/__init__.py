"""The machinery that touches hardware: the only room that may import cupy or numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.errors import BackendUnavailable

if TYPE_CHECKING:
    from membench.backends.base import Backend
    from membench.machine import Machine

BACKENDS = ("cpu",)
"""The backends of this version, by the name that a bench asks for."""


def open_backend(name: str, machine: Machine) -> Backend:
    """A backend, opened in this process.

    Raises:
        BackendUnavailable: there is none of that name.
    """
    if name == "cpu":
        from membench.backends.cpu import CpuBackend

        return CpuBackend(machine)
    raise BackendUnavailable(f"there is no backend '{name}'")
