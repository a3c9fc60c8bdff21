"""membench measures the real bandwidth and latency of the memory tiers of a machine.

The Python API::

    import membench
    outcome = membench.run(select=["ddr/*"], rounds=5, output="mybox.csv")
    frame = membench.load("mybox.csv")
    membench.compare("old=before.csv", "new=after.csv").to_frame()
    pairs = membench.run_paired("env=MALLOC_ARENA_MAX=1", select="ddr/*")
    membench.compare(*pairs.files)

To declare a bench, use `bench`, `axis`, `Needs`, `skip`, `Timed`, `Observed` and `Observation`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from membench.api import compare, history, load, read_rows, run, run_paired
    from membench.core.case import Needs, axis, bench
    from membench.core.errors import MembenchError, skip
    from membench.core.work import Observation, Observed, Timed

__version__ = "0.1.0"

__all__ = [
    "MembenchError",
    "Needs",
    "Observation",
    "Observed",
    "Timed",
    "__version__",
    "axis",
    "bench",
    "compare",
    "history",
    "load",
    "read_rows",
    "run",
    "run_paired",
    "skip",
]

# Each name is imported on first use, so that `import membench` is fast.
_HOMES = {
    "run": "api",
    "run_paired": "api",
    "bench": "core.case",
    "axis": "core.case",
    "Needs": "core.case",
    "skip": "core.errors",
    "MembenchError": "core.errors",
    "load": "api",
    "compare": "api",
    "history": "api",
    "read_rows": "api",
    "Timed": "core.work",
    "Observed": "core.work",
    "Observation": "core.work",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'membench' has no attribute '{name}'")
    return getattr(import_module(f"membench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
