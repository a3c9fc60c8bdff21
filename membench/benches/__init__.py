"""The benchmarks, in folders by tier.

Each module is one family; the registry finds it automatically.
"""

from __future__ import annotations

import sys
from functools import cache

from membench.core.registry import Registry, scan


@cache
def registry() -> Registry:
    """All benches of this installation; scanned once per process."""
    return scan(sys.modules[__name__])
