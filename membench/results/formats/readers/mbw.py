"""Reads the output of mbw 1.1 to 2.0, one line per repetition.

MiB is 2^20 bytes (version 1.1 writes MB). mbw counts each copied byte once (``MiB`` / ``Elapsed``);
STREAM counts each copied byte twice.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from membench.core.terms import BytesConvention, Metric
from membench.core.units import MIB, format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, number, row
from membench.results.formats.readers.host_text import host_case, place
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "mbw"
_LINE = re.compile(
    r"(AVG|\d+)\s+Method:\s+(\S+)\s+Elapsed:\s+([\d.]+)\s+Mi?B:\s+([\d.]+)\s+Copy:\s+([\d.]+)\s+Mi?B/s"
)
_START = re.compile(r"(?:AVG|\d+)\tMethod:")


@dataclass
class _Test:
    rates: list[float] = field(default_factory=list)
    mean: float | None = None


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each method and size; each run of mbw gives its own records."""
    tests: dict[tuple[str, int, int], _Test] = {}
    runs = 0
    for raw in text_in(data, _TOOL).splitlines():
        line = raw.strip()
        match = _LINE.match(line)
        if match is None:
            runs += line.startswith("Getting down to business")
            if _START.match(line):
                yield (Unplaced("a truncated line"),)
            continue
        size, rate = number(match[4]), number(match[5])
        if size is None or rate is None:
            yield (Unplaced("a repetition without a rate"),)
            continue
        test = tests.setdefault((match[2].lower(), round(size * MIB), runs), _Test())
        if match[1] == "AVG":
            test.mean = rate
        else:
            test.rates.append(rate)
    for (method, size, _), test in tests.items():
        yield _test(method, size, test, origin)


def _test(method: str, size: int, test: _Test, origin: Origin) -> Iterator[Item]:
    tier, detail = place(origin, 2 * size)
    rates: Sequence[float] = [rate * MIB / 1e9 for rate in test.rates]
    mean = test.mean * MIB / 1e9 if test.mean else None
    value = statistics.median(rates) if rates else mean
    yield row(
        origin,
        tier,
        host_case(tier, _TOOL, f"method={method}", f"size={format_size(size)}"),
        Metric.BANDWIDTH,
        value,
        samples=rates,
        size_bytes=2 * size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        timer="tool:mbw",
        detail={"statistic": "median" if rates else "mean", **detail},
    )
