"""The benchmarks, in one folder per part of the machine.

Each module is one family of benches.
"""

from __future__ import annotations

import sys
from functools import cache

from membench.core.registry import Registry, scan


@cache
def registry() -> Registry:
    """All benches of this installation, scanned once per process."""
    return scan(sys.modules[__name__])
