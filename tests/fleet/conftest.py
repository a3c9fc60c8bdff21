"""Three real worker processes, made once for all tests that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client

from membench.fleet.cluster import local


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    """A client of workers 0, 1 and 2, each a process with a nanny that replaces it."""
    with local(3) as client:
        yield client
