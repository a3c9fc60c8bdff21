"""Reads the text output of tinymembench 0.4.

1 MB is 1e6 bytes, and a copied byte counts once. A rate is the best repetition. A latency is the
difference from the latency of the first-level cache. No case of membench measures the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, number, row
from membench.results.formats.readers.host_text import host_case, place
from membench.results.formats.reading import Record, Unplaced

_TOOL = "tinymembench"
_RATE = re.compile(r"(\S.{0,100}?) {1,60}: {1,9}([\d.]+) MB/s")
_BROKEN = re.compile(r"\S.{0,100}? {1,60}: {1,9}[\d.]{0,20}$")
_HEADER = re.compile(r"block size : .*?(?:\[(\w+)\])?$")
_LATENCY = re.compile(r"(\d+) : +([\d.]+) ns +/ +([\d.]+) ns")


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each rate, and a record for the latencies of each buffer size."""
    advice = ""
    for raw in text_in(data, _TOOL).splitlines():
        line = raw.strip()
        if match := _RATE.match(line):
            yield _rate(match, origin)
        elif match := _HEADER.match(line):
            advice = (match[1] or "").lower().replace("madv_", "")
        elif match := _LATENCY.match(line):
            yield _latency(match, advice, origin)
        elif _BROKEN.match(line) and not line.startswith("="):
            yield (Unplaced("a truncated line"),)


def _rate(match: re.Match[str], origin: Origin) -> Record:
    value = number(match[2])
    if value is None:
        return (Unplaced(f"no rate of {match[1]}"),)
    copies = "copy" in match[1].lower() or "memcpy" in match[1].lower()
    tier = origin.tier(Tier.DDR, of=(Tier.DDR, Tier.CACHE))
    return (
        row(
            origin,
            tier,
            host_case(tier, _TOOL, f"test={'-'.join(match[1].lower().split())}"),
            Metric.BANDWIDTH,
            value / 1e3,
            bytes_convention=BytesConvention.PAYLOAD,
            timer="tool:tinymembench",
            flags=("best-of",),
            detail={"statistic": "best", "counts": "copied-once" if copies else "once"},
        ),
    )


def _latency(match: re.Match[str], advice: str, origin: Origin) -> Record:
    size = int(match[1]) if len(match[1]) < 16 else 0
    if not size:
        return (Unplaced("a latency without the size of the buffer"),)
    tier, detail = place(origin, size)
    items = []
    for reads, cell in (("single", match[2]), ("dual", match[3])):
        value = number(cell)
        if value is None:
            continue  # 0.0: not slower than the first-level cache
        params = [f"reads={reads}", f"block={format_size(size)}"]
        params += [f"pages={advice}"] if advice else []
        items.append(
            row(
                origin,
                tier,
                host_case(tier, _TOOL, "test=latency-above-l1", *params),
                Metric.LATENCY,
                value,
                size_bytes=size,
                timer="tool:tinymembench",
                detail={"statistic": "best", "counts": "on-top-of-l1", **detail},
            )
        )
    return items
