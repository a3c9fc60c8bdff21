"""Whether what a command needs beyond the base installation is there."""

from __future__ import annotations

import importlib.util

from membench.core.errors import BackendUnavailable


def demand_dask() -> None:
    """Raise `BackendUnavailable` where the extra is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise BackendUnavailable(
            "Dask distributed is not installed", "pip install 'membench[fleet]'"
        )
