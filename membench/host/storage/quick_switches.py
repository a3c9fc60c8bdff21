"""Threads that give up the interpreter lock soon."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 50e-6
"""Maximum seconds that a thread keeps the interpreter lock while another one waits for it.

The default of 5 ms would raise the tail latency.
"""


@contextmanager
def quick_switches() -> Iterator[None]:
    """Set the switch interval of the interpreter to `SWITCH_S` for the block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
