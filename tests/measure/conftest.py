"""Fixtures of the measuring tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def fd() -> Iterator[int]:
    """A descriptor that never becomes readable, for an `Interrupt` without a signal."""
    reader, writer = os.pipe()
    yield reader
    os.close(reader)
    os.close(writer)
