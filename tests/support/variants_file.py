"""The compilations that each bench requests, as in ``membench/gpu/cuda/kernel_variants.json``.

``python ci/documents.py`` writes the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from asking_gpu import variants_of_all_profiles

from membench.gpu.cuda.compile import ARCHITECTURES
from membench.gpu.cuda.kernel_variants import PATH
from membench.gpu.protocol import KernelVariant
from membench.machine import snapshot

Asked = Mapping[str, Mapping[str, set[KernelVariant]]]
"""Architecture -> bench -> compilations."""


def listed(asked: Asked) -> str:
    """The text of the file: for each compilation, the first and the last architecture that need it.

    The architectures are a range of compute capabilities such as 80 to 90.
    """
    first: dict[str, dict[KernelVariant, int]] = {}
    last: dict[tuple[str, KernelVariant], int] = {}
    for arch in sorted(asked, key=int, reverse=True):
        for bench, variants in asked[arch].items():
            first.setdefault(bench, {}).update(dict.fromkeys(variants, int(arch)))
            for variant in variants:
                last.setdefault((bench, variant), int(arch))
    newest = max(map(int, asked), default=0)
    entries = {
        bench: [
            {"file": one.file, "defines": dict(one.defines), "from": first[bench][one]}
            | ({} if last[bench, one] == newest else {"until": last[bench, one]})
            for one in sorted(first[bench], key=str)
        ]
        for bench in sorted(first)
        if first[bench]
    }
    benches = ",\n".join(
        f' "{bench}": [\n' + ",\n".join(f"  {json.dumps(one)}" for one in compilations) + "\n ]"
        for bench, compilations in entries.items()
    )
    return f"{{\n{benches}\n}}\n"


def write() -> None:
    here = snapshot()
    PATH.write_text(listed({arch: variants_of_all_profiles(arch, here) for arch in ARCHITECTURES}))
