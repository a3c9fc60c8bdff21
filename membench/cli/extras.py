"""Check that the optional dependencies of a command are installed."""

from __future__ import annotations

import importlib.util

from membench.core.errors import BackendUnavailable
from membench.core.installing import install_extra


def demand_pyarrow() -> None:
    """Raise `BackendUnavailable` if pyarrow (the extra ``parquet``) is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise BackendUnavailable("Parquet needs pyarrow", install_extra("parquet"))


def demand_dask() -> None:
    """Raise `BackendUnavailable` if Dask distributed (the extra ``fleet``) is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise BackendUnavailable(
            "the package 'distributed' of Dask is not installed", install_extra("fleet")
        )
