"""Reads the terse output of fio (``--minimal``), formats 2 to 5.

A line describes a job, with fields separated by ``;``. A line begins with the format version, fio's
version (since format 3), job, group and error. Then each direction has these fields: KiB, KiB/s,
operations per second, ms, 4 fields of submission latency, 4 of completion latency, 20 quantiles, 4
fields of latency and 5 of bandwidth (11 in format 5). Latencies are in us. Format 3 has no trim
(axboe/fio, HOWTO, "Terse output").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from membench.core.terms import Metric, Stat, Tier
from membench.results.formats.figures import Origin, number, row
from membench.results.formats.readers.fio_side import QUANTILES, FioSide, own_case, side_rows
from membench.results.formats.reading import Item, ReaderNote, Record, Unplaced

_LINE = re.compile(r"^([2-5]);", re.MULTILINE)
_FIELDS = {2: 41, 3: 41, 4: 41, 5: 47}
_SIDES = {2: ("read", "write", "trim"), 3: ("read", "write")}
_QUANTILE = re.compile(r"(\d+(?:\.\d+)?)%=(\d+)")


def terse_records(text: str, origin: Origin) -> Iterator[Record]:
    """Yield a record for each job.

    A line with a longer run time replaces an earlier line of the same job.
    """
    lines: dict[tuple[str, ...], list[str]] = {}
    for line in text.splitlines():
        fields = line.split(";")
        if _LINE.match(line) and len(fields) > 100:
            head = tuple(fields[: _head(fields)])
            grows = head in lines and _ran(fields) > _ran(lines[head])
            key = head if head not in lines or grows else (*head, str(len(lines)))
            lines[key] = fields
    if not lines:
        yield (Unplaced("incomplete lines"),)
    yield (
        ReaderNote(
            "terse output rounds to whole KiB/s and microseconds, and lacks the options of a job: "
            "run fio with --output-format=json"
        ),
    )
    for fields in lines.values():
        yield _job(fields, origin)


def _head(fields: Sequence[str]) -> int:
    return 4 if fields[0] == "2" else 5


def _ran(fields: Sequence[str]) -> float:
    """Milliseconds that the job spent on reads plus writes."""
    start, width = _head(fields), _FIELDS[int(fields[0])]
    return sum(number(fields[start + side * width + 3]) or 0 for side in (0, 1))


def _job(fields: Sequence[str], origin: Origin) -> Iterator[Item]:
    version, start = int(fields[0]), _head(fields)
    name, error = fields[start - 3], fields[start - 1]
    if error != "0":
        case = own_case(name, "read")
        reason = f"fio reports: error {error}"
        yield row(origin, Tier.SSD, case, Metric.IOPS, reason=reason, failed=True)
        return
    width = _FIELDS[version]
    placed = False
    for place, op in enumerate(_SIDES.get(version, _SIDES[2])):
        figures = fields[start + place * width : start + (place + 1) * width]
        side = _side(figures, op)
        if not side.empty:
            placed = True
            yield from side_rows(side, own_case(name, op), origin, {"assumed": "clat"})
    if not placed:
        yield Unplaced(f"a job without a figure: {name}")


def _side(fields: Sequence[str], op: str) -> FioSide:
    if len(fields) < 32:
        return FioSide(op)
    kibibytes = number(fields[1])
    return FioSide(
        op=op,
        iops=number(fields[2]),
        bandwidth=kibibytes * 1024 / 1e9 if kibibytes else None,
        milliseconds=number(fields[3]),
        quantiles=_quantiles(fields[12:32]),
        mean=(number(fields[10]) or 0) * 1000 or None,
    )


def _quantiles(fields: Sequence[str]) -> Mapping[Stat, float]:
    said = {}
    for field in fields:
        if (match := _QUANTILE.match(field)) and (ticks := number(match[2])):
            said[round(float(match[1]), 6)] = ticks * 1000
    return {stat: said[place] for stat, place in QUANTILES.items() if place in said}
