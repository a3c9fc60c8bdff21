"""Finds the kind of memory from the name of a cache tier."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from membench.core.errors import UsageError
from membench.core.near import did_you_mean

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hbm": ("hbm", "vram", "gpu"),
        "ddr": ("ddr", "dram", "host", "cpu", "cxl"),
        "ssd": ("ssd", "nvme", "disk", "flash"),
        "remote": ("remote", "network", "object"),
    }
)
"""Kind of memory -> words. A tier name such as `ddr5` or `local-nvme` contains one of the words."""


def kind_of(name: str) -> str:
    """The kind of memory of the tier ``name``: ``hbm``, ``ddr``, ``ssd`` or ``remote``.

    Raises:
        UsageError: ``name`` contains no word of `KINDS`.
    """
    for kind, words in KINDS.items():
        if any(word in name.lower() for word in words):
            return kind
    known = [word for words in KINDS.values() for word in words]
    usual = f"use a name that contains one of these words: {', '.join(known)}"
    raise UsageError(f"'{name}' is not a tier", did_you_mean(name, known, usual))
