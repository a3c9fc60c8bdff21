"""Reads the text output of ``sysbench memory`` 0.4 to 1.0.

MiB is 2^20 bytes (version 0.4 writes MB). An operation reads or writes a block once, so each byte
counts once. Every thread repeats the same block. A block of the usual 1 KiB stays in a cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import GIB, KIB, MIB, format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, count, number, row
from membench.results.formats.readers.host_text import host_case, place
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "sysbench"
_RUN = re.compile(r"^sysbench [\d.]+.*$", re.MULTILINE)
_RATE = re.compile(r"(KiB|MiB|GiB|MB) transferred \(([\d.]{1,30}) (KiB|MiB|GiB|MB)/sec\)")
_BLOCK = re.compile(r"block size: +(\d+)(K|M|G)?(?:iB|B)?", re.IGNORECASE)
_OPERATION = re.compile(r"operations?(?: type)?: +(read|write|none)", re.IGNORECASE)
_SCOPE = re.compile(r"scope(?: type)?: +(global|local)", re.IGNORECASE)
_THREADS = re.compile(r"Number of threads: +(\d+)")
_OPERATIONS = re.compile(r"(?:Total operations|Operations performed): +(\d+) \( *([\d.]+)")
_P95 = re.compile(r"95th percentile: +([\d.]+)(ms)?\s*$", re.MULTILINE)
_FACTOR = {"": 1, "K": KIB, "M": MIB, "G": GIB}
_UNIT = {"KiB": KIB, "MiB": MIB, "GiB": GIB, "MB": MIB}


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    text = text_in(data, _TOOL)
    starts = [match.start() for match in _RUN.finditer(text)] or [0]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield _run(text[start:end], origin)


def _run(text: str, origin: Origin) -> Iterator[Item]:
    rate, block = _RATE.search(text), _BLOCK.search(text)
    value = number(rate[2]) if rate else None
    if rate is None or value is None:
        yield Unplaced(
            "an incomplete run, or a run of another test than 'memory': the output has no "
            "'transferred'"
        )
        return
    size = int(block[1]) * _FACTOR[(block[2] or "").upper()] if block else None
    operation, threads = _OPERATION.search(text), _THREADS.search(text)
    scope, operations = _SCOPE.search(text), _OPERATIONS.search(text)
    tier, detail = place(origin, size)
    params = [f"op={operation[1].lower()}"] if operation else []
    params += [f"block={format_size(size)}"] if size else []
    params += [f"scope={scope[1].lower()}"] if scope else []
    params += [f"threads={threads[1]}"] if threads else []
    case = host_case(tier, _TOOL, *params)
    common: dict[str, Any] = {
        "n": count(operations[1] if operations else 1),
        "timer": "tool:sysbench",
    }
    yield row(
        origin,
        tier,
        case,
        Metric.BANDWIDTH,
        value * _UNIT[rate[3]] / 1e9,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        detail={"statistic": "mean-of-run", **detail},
        **common,
    )
    p95 = _P95.search(text)
    if p95 and (said := number(p95[1])):
        about = {"statistic": "quantile", "rounded": "10us", **detail}
        yield row(
            origin, tier, case, Metric.LATENCY, said * 1e6, stat=Stat.P95, detail=about, **common
        )
