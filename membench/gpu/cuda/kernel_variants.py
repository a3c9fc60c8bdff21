"""The list of compilations that membench runs before the first case.

``python ci/documents.py`` writes the list, grouped by bench, to ``kernel_variants.json``. ``from``
is the lowest compute capability for which the bench requests a compilation; ``until``, if present,
is the highest. A kernel that is not listed is compiled at its first use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from membench.gpu.protocol import KernelVariant

PATH = Path(__file__).with_suffix(".json")


def variants_of(benches: Iterable[str], arch: str) -> tuple[KernelVariant, ...]:
    """The listed compilations that ``benches`` need on compute capability ``arch``."""
    found = {
        KernelVariant.of(each["file"], **each["defines"])
        for bench in benches
        for each in _listed().get(bench, ())
        if each["from"] <= int(arch) <= each.get("until", int(arch))
    }
    return tuple(sorted(found, key=str))


@cache
def _listed() -> dict[str, list[dict[str, Any]]]:
    return dict(json.loads(PATH.read_bytes()))
