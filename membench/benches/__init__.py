"""The benchmarks, in folders by tier: one module is one family, found by itself."""

from __future__ import annotations

import sys
from functools import cache

from membench.core.registry import Registry, scan


@cache
def registry() -> Registry:
    """All benches of this installation, read once a process."""
    return scan(sys.modules[__name__])
