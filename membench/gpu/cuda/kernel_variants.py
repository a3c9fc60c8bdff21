"""The compilations that a bench may request, known before it is built so that they can run early.

``kernel_variants.json`` lists them by bench. Each has the first compute capability that requests
it, and the last one if later ones do not. ``python ci/documents.py`` writes the file, and a test
compares it with the requests of the benches in it. For a bench that is not listed, kernels are
compiled at first use.
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
    """The listed compilations that ``benches`` need on ``arch``."""
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
