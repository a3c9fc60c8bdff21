"""Three real worker processes, started once for all fleet tests."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest
from distributed import Client, LocalCluster

from membench.fleet.cluster import RESOURCE

NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    """A Dask client with workers 0, 1 and 2. Each worker has a nanny that restarts it."""
    with (
        dask.config.set(NO_PAGES),
        LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            worker_dashboard_address=None,
            memory_limit=0,
            silence_logs=50,
            resources={RESOURCE: 1},
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        yield client
