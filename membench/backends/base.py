"""What the measuring order needs of a backend, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Device:
    """What did the work: the columns `backend`, `device`, `driver` and `cuda` of a row."""

    backend: str
    name: str
    driver: str = ""
    cuda: str = ""


class Backend(Protocol):
    """A place where `membench.work.Timed` can be run and timed."""

    @property
    def timer(self) -> str:
        """Name of the clock behind `elapsed_ns`."""
        ...

    @property
    def resolution_ns(self) -> float:
        """Smallest difference that this clock can show, in nanoseconds."""
        ...

    @property
    def kernel_digest(self) -> str:
        """Hex digest of the sources of the kernels that it runs."""
        ...

    def describe(self) -> Device:
        """The device that this backend works on."""
        ...

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """Run ``iterations`` and return the nanoseconds from their start to their end."""
        ...

    def close(self) -> None:
        """Give back buffers, threads and contexts.  May be called twice."""
        ...
