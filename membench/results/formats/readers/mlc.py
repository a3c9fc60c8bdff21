"""Reads the text output of Intel Memory Latency Checker 3.1 to 3.12.

1 MB is 1e6 bytes. Latencies are means in ns. MLC does not document which bytes it counts for mixed
reads and writes. So only rows without writes have a `bytes_convention`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from membench.core.terms import BytesConvention, Metric, Tier
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, case_id, number, row
from membench.results.formats.reading import ReaderNote, Record, Unplaced

_TOOL = "mlc"
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"  # some locales group the digits
_SECTION = re.compile(r"Measuring (.*)")
_TRAFFIC = re.compile(r"Using (.*?) traffic type")
_PEAK = re.compile(rf"(.*?(?:Reads|Reads-Writes|like))\s*:\s*({_NUMBER})$")
_LOADED = re.compile(rf"(\d{{3,6}})\s+({_NUMBER})\s+({_NUMBER})$")
_C2C = re.compile(rf"(Local Socket .*? latency)\s+({_NUMBER})$")
_HEADER = re.compile(r"(?:Numa node|Writer Numa Node|Memory node)((?:\s+\d+)+)$", re.IGNORECASE)
_ROW = re.compile(rf"(\d+)((?:\s+(?:{_NUMBER}|-))+)$")
_COMPLAINT = re.compile(r"(?:ERROR|Error|Unable|Cannot)\b.*")
_FIGURE = re.compile(r"(?<=[:\s])\s*\d+(?:\.\d+)?$")
_ITERATION = re.compile(
    rf"Each iteration took {_NUMBER} (?:core|base frequency) clocks \(\s*({_NUMBER})\s+ns"
)


@dataclass
class _Section:
    test: str = ""
    traffic: str = ""
    kind: str = ""
    columns: list[str] = field(default_factory=list)


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each latency, each bandwidth, and each load level (with both values)."""
    section = _Section()
    for raw in text_in(data, _TOOL).splitlines():
        line = raw.strip()
        if match := _SECTION.match(line):
            section = _Section(match[1].lower())
        elif match := _TRAFFIC.match(line):
            section.traffic = match[1].lower()
        elif match := _HEADER.match(line):
            section.columns = match[1].split()
        elif "cache-to-cache" in section.test and line.startswith("Remote Socket"):
            section.kind, section.columns = line, []
        else:
            yield from _figures(line, section, origin)


def _figures(line: str, section: _Section, origin: Origin) -> Iterator[Record]:
    if match := _ITERATION.match(line):
        yield _latency(origin, ("test=idle-latency",), match[1], Tier.DDR)
    elif match := _PEAK.match(line):
        yield _bandwidth(origin, ("test=peak", f"traffic={_word(match[1])}"), match[2])
    elif "loaded" in section.test and (match := _LOADED.match(line)):
        traffic = _word(section.traffic or "not said")
        params = ("test=loaded", f"traffic={traffic}", f"delay={match[1]}")
        latency = _latency(origin, params, match[2], Tier.DDR)
        yield (*latency, *_bandwidth(origin, params, match[3]))
    elif "cache-to-cache" in section.test and (match := _C2C.match(line)):
        kind = f"kind={_word(match[1])}"
        yield _latency(origin, ("test=c2c", kind), match[2], Tier.CACHE)
    elif section.columns and (match := _ROW.match(line)):
        yield from _matrix(match, section, origin)
    elif section.columns and line[:1].isdigit():
        yield (Unplaced("an incomplete row of a matrix"),)
    elif match := _COMPLAINT.match(line):
        yield (ReaderNote(f"mlc reports: {match[0]}"),)
    elif section.test and (match := _FIGURE.search(line)):
        yield (
            Unplaced(
                f"a line with a number, but in an unknown format: {line.partition(match[0])[0]}"
            ),
        )


def _matrix(match: re.Match[str], section: _Section, origin: Origin) -> Iterator[Record]:
    cells = match[2].split()
    if len(cells) != len(section.columns):
        yield (Unplaced("a row of a matrix with more or fewer cells than its header"),)
        return
    for column, cell in zip(section.columns, cells, strict=True):
        where = (f"from={match[1]}", f"to={column}")
        if _number(cell) is None:
            continue  # MLC prints no number for a node's access to itself
        if "cache-to-cache" in section.test:
            params = ("test=c2c", f"kind={_word(section.kind)}", *where)
            yield _latency(origin, params, cell, Tier.CACHE)
        elif "latenc" in section.test:
            access = re.search(r"(random|sequential) access", section.test)
            said = (f"access={access[1]}",) if access else ()
            yield _latency(origin, ("test=idle-latency", *said, *where), cell, Tier.DDR)
        elif "bandwidth" in section.test:
            params = ("test=bandwidth", f"traffic={_word(section.traffic or 'not said')}", *where)
            yield _bandwidth(origin, params, cell)
        else:
            yield (Unplaced("a matrix with an unknown heading"),)


def _number(cell: str) -> float | None:
    return number(cell.replace(",", ""))


def _latency(origin: Origin, params: Sequence[str], cell: str, tier: Tier) -> Record:
    case = case_id("ddr" if tier is Tier.DDR else "host", _TOOL, *params)
    about: dict[str, Any] = {"timer": "tool:mlc", "detail": {"statistic": "mean"}}
    value = _number(cell)
    zero = Unplaced("a latency of 0")
    return (row(origin, tier, case, Metric.LATENCY, value, **about) if value else zero,)


def _bandwidth(origin: Origin, params: Sequence[str], cell: str) -> Record:
    value = _number(cell)
    if value is None:
        return (Unplaced("a bandwidth of 0"),)
    reads = any(word in params for word in ("traffic=all-reads", "traffic=read-only"))
    return (
        row(
            origin,
            Tier.DDR,
            case_id("ddr", _TOOL, *params),
            Metric.BANDWIDTH,
            value / 1e3,
            bytes_convention=BytesConvention.RW_SUM if reads else None,
            timer="tool:mlc",
            detail={"statistic": "mean"},
        ),
    )


def _word(text: str) -> str:
    """Convert a heading to a word for a case id: ``3:1 Reads-Writes`` -> ``3:1-reads-writes``."""
    short = text.lower().replace("l2->l2", "l2-l2").removesuffix("latency")
    return "-".join(re.findall(r"[a-z0-9:.-]+", short)).strip("-")
