"""The benchmarks, in one folder per part of the machine.

Each module is one family of benches. The registry finds every module automatically.
"""

from __future__ import annotations

import sys
from functools import cache

from membench.core.registry import Registry, scan


@cache
def registry() -> Registry:
    """All benches of this installation. A process scans the modules only once."""
    return scan(sys.modules[__name__])
