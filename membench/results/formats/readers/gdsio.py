"""Reads the output of gdsio (GPUDirect Storage), one line per run.

GiB is 2^30 bytes, and each byte counts once. ``Throughput`` is ``DataSetSize`` / ``total_time``.
``XferType`` is the path of the data:

- ``GPUD``: directly between storage and GPU memory.
- ``CPUONLY``: between storage and host memory.
- ``CPU_GPU``: between storage and GPU memory, through host memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import KIB, format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, case_id, count, number, row
from membench.results.formats.reading import Item, Record, Unplaced
from membench.results.schema import is_whole

_TOOL = "gdsio"
_START = re.compile(r"IoType: \w+")
_LINE = re.compile(
    r"IoType:\s+(\w+)\s+XferType:\s+(\S+)\s+Threads:\s+(\d+)(?:\s+IoDepth:\s+(\d+))?"
    r"\s+DataSetSize:\s+(\d+)\S*\s+IOSize:\s+([\d-]+)\(KiB\)\s+Throughput:\s+([\d.]+)\s+GiB/sec,?"
    r"(?:\s+Avg_Latency:\s+([\d.]+)\s+usecs)?(?:\s+ops:\s+(\d+))?(?:\s+total_time\s+([\d.]+))?"
)


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    text = text_in(data, _TOOL)
    lines = list(_LINE.finditer(text))
    for line in lines:
        yield _run(line, origin)
    for _ in range(len(_START.findall(text)) - len(lines)):
        yield (Unplaced("a line that is truncated or has unknown fields"),)


def _run(line: re.Match[str], origin: Origin) -> Iterator[Item]:
    operation, path, threads, depth, _, block, rate, latency, operations, _ = line.groups()
    size = format_size(int(block) * KIB) if is_whole(block) and int(block) else f"{block}KiB"
    params = (f"op={operation.lower()}", f"path={path.lower()}", f"block={size}")
    batch = (f"qd={depth}",) if depth else ()  # queue depth of the batch interface
    case = case_id("ssd", _TOOL, *params, f"threads={threads}", *batch)
    common: dict[str, Any] = {"n": count(operations), "timer": "tool:gdsio"}
    if value := number(rate):
        yield row(
            origin,
            Tier.SSD,
            case,
            Metric.BANDWIDTH,
            value * 2**30 / 1e9,
            bytes_convention=BytesConvention.PAYLOAD,
            detail={"statistic": "mean-of-run"},
            **common,
        )
    else:
        yield Unplaced("a run without a throughput")
    if value := number(latency):
        detail = {"statistic": "mean"}
        yield row(origin, Tier.SSD, case, Metric.LATENCY, value * 1e3, detail=detail, **common)
