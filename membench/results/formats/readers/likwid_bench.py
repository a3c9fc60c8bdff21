"""Reads the text output of likwid-bench 4 and 5.

1 MByte is 1e6 bytes, reads plus writes. ``MByte/s`` is ``Data volume (Byte)`` / ``Time``. The
volume of ``copy`` counts both streams (2 * 8 bytes per element), but not the cache lines that a
store reads first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from membench.core.terms import BytesConvention, Metric
from membench.core.units import format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, count, number, row
from membench.results.formats.readers.host_text import host_case, place
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "likwid-bench"
_START = "LIKWID MICRO BENCHMARK"
_FIELD = re.compile(r"([A-Za-z][\w/ .()]*?):\s+(\S+)")
_THREADS = re.compile(r"Using (\d+) threads")


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    for block in text_in(data, _TOOL).split(_START)[1:]:
        said = {match[1]: match[2] for match in map(_FIELD.match, block.splitlines()) if match}
        threads = _THREADS.search(block)
        yield _test(said, threads[1] if threads else "", origin)


def _test(said: Mapping[str, str], threads: str, origin: Origin) -> Iterator[Item]:
    name, rate = said.get("Test", ""), number(said.get("MByte/s"))
    flops = number(said.get("MFlops/s"))
    if not name or not (rate or flops):
        yield Unplaced(f"a test without a result: {name or 'no name'}")
        return
    size = int(number(said.get("Size (Byte)")) or 0) or None
    tier, detail = place(origin, size)
    params = [f"test={name}"]
    params += [f"size={format_size(size)}"] if size else []
    params += [f"threads={threads}"] if threads else []
    common: dict[str, Any] = {
        "n": count(said.get("Iterations")),
        "size_bytes": size,
        "timer": "tool:likwid-bench",
        "detail": {"statistic": "mean-of-run", **detail},
    }
    case = host_case(tier, _TOOL, *params)
    if rate:
        convention = BytesConvention.RW_SUM
        yield row(
            origin, tier, case, Metric.BANDWIDTH, rate / 1e3, bytes_convention=convention, **common
        )
    if flops:
        yield row(
            origin,
            tier,
            case,
            Metric.FLOPS,
            flops / 1e3,
            **common,
        )
