"""The benchmarks, in folders by tier; each module is one family and is found automatically."""

from __future__ import annotations

import sys
from functools import cache

from membench.core.registry import Registry, scan


@cache
def registry() -> Registry:
    """All benches of this installation; read once per process."""
    return scan(sys.modules[__name__])
