"""Which compilations a bench may ask for: known before it is built, so that they can be made ahead.

``kernel_variants.json`` has them by bench, each with the first compute capability that asks for it
and the last one, if later ones do not, and ``python ci/documents.py`` writes it.  A test holds it
against what the benches in it ask for.  The kernels of a bench that is not in it are compiled when
they are first asked for.
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
    """The compilations of all ``benches`` on ``arch``; a bench that is not listed has none."""
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
