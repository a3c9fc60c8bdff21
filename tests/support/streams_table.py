"""Loads in flight in the machine code of `stream.cu`, for all configurations of the tuning.

``python ci/documents.py`` writes the table into ``docs/kernels.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from asking_gpu import H100, AskingGpu
from machine_code import loads_under_way, machine_code, tile_loop

from membench.benches.hbm.stream import configurations
from membench.core.case import Config
from membench.gpu.cuda.compile import compile_source
from membench.gpu.protocol import Gpu, KernelVariant
from membench.workloads.gpu_streams import ACCESSES, DEFAULT, HINTS, LOADS, variant

ARCHS = ("80", "90", "100", "120")
DOCUMENT = Path(__file__).parents[2] / "docs" / "kernels.md"
HEAD = "| bytes | unroll | block at most | hint | " + " | ".join(ACCESSES) + " |"

_TABLE = re.compile(re.escape(HEAD) + r"\n(\|.*\n)*")


@dataclass(frozen=True)
class Seen:
    """Properties of one compiled kernel.

    Attributes:
        under_way: number of loads per thread before the first value is needed; for write, number of
            stores.
        loads, stores: number of accesses per thread in a whole tile, with the configured width.
        registers: registers per thread.
    """

    under_way: int
    loads: int
    stores: int
    registers: int


def offered(operation: str, arch: str) -> Iterator[Config]:
    """The configurations of ``operation`` that ``arch`` allows, including the default."""
    gpu = cast("Gpu", AskingGpu(replace(H100, arch=arch)))
    yield DEFAULT
    yield from configurations(gpu, operation)


def kernels(arch: str) -> dict[KernelVariant, set[str]]:
    """Compilation -> stream operations that use the compilation on ``arch``."""
    found: dict[KernelVariant, set[str]] = {}
    for operation in ACCESSES:
        for config in offered(operation, arch):
            found.setdefault(variant(config), set()).add(operation)
    return found


def seen(of: KernelVariant, operation: str, arch: str) -> Seen:
    """The properties of the machine code of ``operation``, compiled with the variant ``of``."""
    width = int(dict(of.defines)["VEC"])
    code = machine_code(of.file, of.options, arch)[f"stream_{operation}"]
    loop = tile_loop(code, width)
    resources = compile_source(of.file, of.options, arch).resources[f"stream_{operation}"]
    loads = sum(each.width("LDG.") == width for each in loop)
    stores = sum(each.width("STG.") == width for each in loop)
    under_way = stores if operation == "write" else loads_under_way(loop, width)
    return Seen(under_way, loads, stores, resources.registers)


def rows() -> Iterator[str]:
    """The lines of the table in ``docs/kernels.md``, without the header."""
    every: dict[KernelVariant, dict[str, list[Seen]]] = {}
    for arch in ARCHS:
        for of, operations in kernels(arch).items():
            for operation in operations:
                at = every.setdefault(of, {}).setdefault(operation, [])
                at.append(seen(of, operation, arch))
    for of in sorted(every, key=_order):
        shown = every[of]
        yield "| " + " | ".join((*named(of), *(_cell(shown.get(one)) for one in ACCESSES))) + " |"


def _order(of: KernelVariant) -> tuple[int, ...]:
    defines = dict(of.defines)
    return tuple(int(defines.get(name, 0)) for name in ("VEC", "HINT", "BLOCK", "UNROLL"))


def named(of: KernelVariant) -> tuple[str, ...]:
    """The first four cells of a line: vector width, unroll, block size, cache hint."""
    defines = dict(of.defines)
    hint = HINTS[int(defines.get("HINT", 0))]
    return (*(str(defines[name]) for name in ("VEC", "UNROLL", "BLOCK")), hint)


def _cell(shown: list[Seen] | None) -> str:
    if not shown:
        return ""
    least = min(each.under_way for each in shown)
    return f"{least}, {max(each.registers for each in shown)}"


def documented() -> str:
    """The table of the streams in ``docs/kernels.md``."""
    found = _TABLE.search(DOCUMENT.read_text(encoding="ascii"))
    assert found, "docs/kernels.md has lost its table of the streams"
    return found[0]


def made() -> str:
    """The table of the streams, computed from the compiled kernels."""
    line = "|" + " --- |" * (HEAD.count("|") - 1)
    return "\n".join((HEAD, line, *rows())) + "\n"


def asked(operation: str, of: KernelVariant) -> int:
    """Number of accesses per thread that a tile of ``of`` must have in flight at the same time."""
    return int(dict(of.defines)["UNROLL"]) * (LOADS[operation] or 1)


def write() -> None:
    text = DOCUMENT.read_text(encoding="ascii")
    DOCUMENT.write_text(_TABLE.sub(lambda _: made(), text), encoding="ascii")
