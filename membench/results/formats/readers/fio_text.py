"""Reads the normal text output of fio 2.1 to 3.42.

Since 3.0 a line is ``IOPS=10.0k, BW=39.1MiB/s (41.0MB/s)``, and numbers are rounded to three or
four digits. Before 3.0 a line is ``bw=40000KB/s, iops=10000``, and the K of ``bw`` is 1024
(axboe/fio, ``lib/num2str.c``: binary unless kb_base=1000 was set).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from membench.core.terms import Metric, Stat, Tier
from membench.results.formats.figures import Origin, number, row
from membench.results.formats.readers.fio_side import QUANTILES, FioSide, own_case, side_rows
from membench.results.formats.reading import Item, ReaderNote, Record, Unplaced

# The patterns have bounded repetitions, and each starts at a fixed position of a line, because a
# line may be as long as the file.
_HEAD = re.compile(
    r"(.{0,300}?): \(groupid=(\d{1,9}), jobs=(\d{1,9})\): "
    r"err= {0,9}(\d{1,9}).{0,300}?: pid=(\d{1,9})"
)
_SETUP = re.compile(r"(.{0,300}?): \(g=\d{1,9}\): rw=.{0,300}?ioengine=([\w.:/-]{1,80}), iodepth=")
_SIDE = re.compile(r" {0,9}(read|write|trim|mixed) ?: {0,9}(.{0,300})")
_NEW = re.compile(r"IOPS=([\d.]+[a-zA-Z]?), BW=([\d.]+)([KMGTPE]?i?)B/s")
_OLD = re.compile(r"bw=([\d.]+)([KMGTPE]?)B/s, iops=([\d.]+[a-zA-Z]?)")
_RUN = re.compile(r"/(\d+)msec|runt= *(\d+)msec")
_QUANTILES = re.compile(r" {0,9}(clat|lat)? {0,9}percentiles \((nsec|usec|msec)\):")
_QUANTILE = re.compile(r"\b(\d{1,3}\.\d{1,9})th=\[ {0,20}(\d{1,20})\]")
_MEAN = re.compile(r" {0,9}(clat|lat) \((nsec|usec|msec)\).{0,99}?avg= {0,9}([\d.]{1,20})([KMG]?)")
_NS = {"nsec": 1, "usec": 1000, "msec": 1_000_000}
_SI = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


@dataclass
class _TextJob:
    name: str
    error: str
    pid: str
    sides: dict[str, FioSide] = field(default_factory=dict)


def text_records(text: str, origin: Origin) -> Iterator[Record]:
    """Yield a record for each job; a later output of the same process replaces an earlier one."""
    jobs: dict[tuple[str, ...], _TextJob] = {}
    engines: dict[str, str] = {}
    lost = 0
    job: _TextJob | None = None
    side = latency = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            job = _TextJob(head[1].strip(), head[4], head[5])
            jobs[job.name, head[2], head[3], job.pid] = job
            side = latency = ""
        elif setup := _SETUP.match(line):
            engines[setup[1].strip()] = setup[2]
        elif job is not None and (start := _SIDE.match(line)) and "=" in start[2]:
            side, latency = start[1], ""
            if (made := _rates(side, start[2])) is None:
                lost += 1
            else:
                job.sides[side] = made
        elif job is not None and side in job.sides:
            job.sides[side], latency = _with_latency(job.sides[side], line, latency)
    yield (
        ReaderNote(
            "fio's normal output rounds to three or four digits: run fio with --output-format=json"
        ),
        *[Unplaced("a line of rates in an unknown format")] * lost,
    )
    for found in jobs.values():
        yield _rows(found, engines.get(found.name, ""), origin)


def _rows(job: _TextJob, engine: str, origin: Origin) -> Iterator[Item]:
    if job.error != "0":
        case = own_case(job.name, next(iter(job.sides), "read"))
        reason = f"fio reports: error {job.error}"
        yield row(origin, Tier.SSD, case, Metric.IOPS, reason=reason, failed=True)
        return
    if not job.sides:
        yield Unplaced(f"a job without a figure: {job.name}")
    for side in job.sides.values():
        detail = {"engine": engine, "rounded": "3-digits"}
        yield from side_rows(side, own_case(job.name, side.op), origin, detail)


def _rates(op: str, text: str) -> FioSide | None:
    ran = _RUN.search(text)
    milliseconds = number(ran[1] or ran[2]) if ran else None
    if new := _NEW.search(text):
        power, binary = _POWER[new[3][:1].upper()], new[3].endswith("i")
        moved = (number(new[2]) or 0) * (1024 if binary else 1000) ** power
        iops = _scaled(new[1])
    elif old := _OLD.search(text):
        moved = (number(old[1]) or 0) * 1024 ** _POWER[old[2]]
        iops = _scaled(old[3])
    else:
        return None
    return FioSide(op, iops=iops, bandwidth=moved / 1e9 or None, milliseconds=milliseconds)


def _scaled(text: str) -> float | None:
    value = number(text.rstrip("kKmMgGtT"))
    return value * _SI[text[-1:].lower() if text[-1:].isalpha() else ""] if value else None


def _with_latency(side: FioSide, line: str, latency: str) -> tuple[FioSide, str]:
    """Add the latency in ``line`` to ``side``; return the side and the unit of the quantiles.

    The unit is empty outside of a list of quantiles.
    """
    if start := _QUANTILES.match(line):
        return replace(side, latency=start[1] or "clat"), start[2]
    if latency and line.lstrip().startswith("|"):
        said: Mapping[Stat, float] = {
            stat: ticks * _NS[latency]
            for place, text in _QUANTILE.findall(line)
            for stat, wanted in QUANTILES.items()
            if number(place) == wanted and (ticks := number(text))
        }
        return replace(side, quantiles={**side.quantiles, **said}), latency
    if (mean := _MEAN.match(line)) and side.mean is None and (value := number(mean[3])):
        scale = _SI[mean[4].lower()] * _NS[mean[2]]
        return replace(side, mean=value * scale, latency=mean[1]), ""
    return side, "" if not line.lstrip().startswith("|") else latency
