"""Whether what a command needs beyond the base installation is there."""

from __future__ import annotations

import importlib.util

from membench.core.errors import BackendUnavailable
from membench.core.installing import install_extra


def demand_dask() -> None:
    """Raise `BackendUnavailable` where the extra is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise BackendUnavailable("Dask distributed is not installed", install_extra("fleet"))
