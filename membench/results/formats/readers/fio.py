"""fio, versions 2.1 to 3.42: JSON, json+, terse (2 to 5) and the normal text.

What differs between the versions: ``bw`` is KiB/s and the only bandwidth before
3.2; latencies are ``clat`` in microseconds before 3.0 and ``clat_ns`` since;
``io_bytes`` is KiB before 2.21; with lat_percentiles the quantiles are of the whole
latency, which stands under ``clat_ns`` before 3.17 and under ``lat_ns`` since
(axboe/fio, ``stat.c`` at these tags).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from membench.core.errors import SchemaError
from membench.core.terms import Metric, Stat, Tier
from membench.results.formats.documents import documents, text_in
from membench.results.formats.figures import Origin, count, number, objects, part, row, text_of
from membench.results.formats.readers.fio_case import case_of, memory_of
from membench.results.formats.readers.fio_side import QUANTILES, TOOL, Side, own_case, side_rows
from membench.results.formats.readers.fio_terse import terse_records
from membench.results.formats.readers.fio_text import text_records
from membench.results.formats.reading import Item, Note, Record, Unplaced
from membench.results.schema import Row

_SIDES = ("read", "write", "trim", "mixed")
_JSON = re.compile(rb'^[ \t]*\{|"fio version"', re.MULTILINE)
_TERSE = re.compile(rb"^[2-5];", re.MULTILINE)
_TEXT = re.compile(rb"\(groupid=\d+, jobs=\d+\)")
_ALL_CLIENTS = "All clients"


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """A record for each job."""
    if _JSON.search(data):
        return _json_records(data, origin)
    if _TEXT.search(data):
        return text_records(text_in(data, TOOL), origin)
    if _TERSE.search(data):
        return terse_records(text_in(data, TOOL), origin)
    raise SchemaError("neither JSON of fio nor its text", "run fio with --output-format=json")


def _json_records(data: bytes, origin: Origin) -> Iterator[Record]:
    runs: list[dict[str, Any]] = []
    for document in documents(data, TOOL):
        if isinstance(document, SchemaError):
            yield (Unplaced(f"a document that is cut off or broken ({document})"),)
        elif runs and _continues(runs[-1], document):
            runs[-1] = document
            yield (Note("earlier states of the same run (--status-interval) were passed over"),)
        else:
            runs.append(document)
    if len(runs) > 1:
        yield (Note(f"{len(runs)} runs of fio in one file: all were taken, as one run"),)
    for run in runs:
        common = part(run, "global options")
        for job in (*objects(run, "jobs"), *objects(run, "client_stats")):
            yield _job(job, common, _of_run(run, origin))


def _continues(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """``second`` is a later state of the run of ``first``: it began before ``first`` was written."""
    before, after = (
        (*objects(run, "jobs"), *objects(run, "client_stats")) for run in (first, second)
    )
    if not before or [one.get("jobname") for one in before] != [
        one.get("jobname") for one in after
    ]:
        return False
    if any(
        (number(part(old, side).get(key)) or 0) > (number(part(new, side).get(key)) or 0)
        for old, new in zip(before, after, strict=True)
        for side in _SIDES
        for key in ("runtime", "total_ios")
    ):
        return False
    earlier, later = _written(first), _written(second)
    ran = max(number(part(job, side).get("runtime")) or 0 for job in after for side in _SIDES)
    return earlier is not None and later is not None and 0 <= later - earlier < ran


def _written(run: Mapping[str, Any]) -> float | None:
    """When a document was written, in ms since 1970."""
    seconds = number(run.get("timestamp"))
    return number(run.get("timestamp_ms")) or (seconds * 1000 if seconds else None)


def _of_run(run: Mapping[str, Any], origin: Origin) -> Origin:
    """``origin`` with the time that the run says."""
    seconds = number(run.get("timestamp"))
    if seconds is None or not 10**9 <= seconds < 10**10:  # 2001 to 2286
        return origin
    return replace(origin, started=f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}")


def _job(job: dict[str, Any], common: Mapping[str, Any], origin: Origin) -> Iterator[Item]:
    options = {**common, **part(job, "job options")}
    name = text_of(job.get("jobname")) or "unnamed"
    host = text_of(job.get("hostname"))
    pages = origin.given.get("pages", "thp" if "huge" in memory_of(options) else "4k")
    detail = {"engine": text_of(options.get("ioengine")), "host": host}
    if name == _ALL_CLIENTS:
        detail["counts"] = "all-clients"
    if error := job.get("error"):
        yield _failed(job, options, pages, error, origin)
        return
    placed = False
    for side in (*(_side(part(job, one), one, options) for one in _SIDES), _sync(job)):
        if side.empty:
            continue
        placed = True
        case = "" if host else case_of(job, options, side.op, pages)
        assumed = case and "/pages=" in case and not memory_of(options)
        assumed = assumed and "pages" not in origin.given
        about = {**detail, **({"assumed": "pages"} if assumed else {})}
        yield from side_rows(side, case or own_case(_told(name, host), side.op), origin, about)
    if not placed:
        yield Unplaced(f"a job without a figure: {name}")


def _told(name: str, host: str) -> str:
    """The job, told from those of the same name on other clients."""
    return f"{name}@{host}" if host and name != _ALL_CLIENTS else name


def _failed(
    job: dict[str, Any], options: Mapping[str, Any], pages: str, error: object, origin: Origin
) -> Row | Unplaced:
    side = "write" if "write" in text_of(options.get("rw")) else "read"
    name = text_of(job.get("jobname"))
    case = case_of(job, options, side, pages) or own_case(name, side)
    reason = f"fio says: error {error}" if isinstance(error, int) else "fio says: error"
    return row(origin, Tier.SSD, case, Metric.IOPS, reason=reason, failed=True)


def _side(figures: dict[str, Any], op: str, options: Mapping[str, Any]) -> Side:
    kibibytes, moved = number(figures.get("bw")), number(figures.get("bw_bytes"))
    exact = moved or (kibibytes * 1024 if kibibytes else None)
    quantiles, mean, what = _latency(figures, options)
    return Side(
        op=op,
        iops=number(figures.get("iops")),
        bandwidth=exact / 1e9 if exact else None,
        operations=count(figures.get("total_ios")),
        milliseconds=number(figures.get("runtime")),
        quantiles=quantiles,
        mean=mean,
        latency=what,
    )


def _sync(job: dict[str, Any]) -> Side:
    """fsync and its kind, timed apart since 3.7."""
    figures = part(job, "sync")
    latency = part(figures, "lat_ns")
    return Side(
        op="sync",
        operations=count(figures.get("total_ios")),
        quantiles=_quantiles(latency, 1),
        mean=number(latency.get("mean")),
        latency="sync",
    )


def _latency(
    figures: dict[str, Any], options: Mapping[str, Any]
) -> tuple[dict[Stat, float], float | None, str]:
    """Quantiles and mean in ns, and what is timed."""
    kinds: Sequence[tuple[str, str, int]] = (
        ("clat_ns", "clat", 1),
        ("clat", "clat", 1000),
        ("lat_ns", "lat", 1),
        ("lat", "lat", 1000),
    )
    for key, what, factor in kinds:
        if quantiles := _quantiles(part(figures, key), factor):
            whole = what == "clat" and text_of(options.get("lat_percentiles")) == "1"
            mixed = whole and not text_of(options.get("clat_percentiles")) == "1"
            said = "lat" if mixed and not _quantiles(part(figures, "lat_ns"), 1) else what
            return quantiles, None, said
    for key, what, factor in kinds:
        if mean := number(part(figures, key).get("mean")):
            return {}, mean * factor, what
    return {}, None, "clat"


def _quantiles(latency: dict[str, Any], factor: int) -> dict[Stat, float]:
    said = {}
    for key, value in part(latency, "percentile").items():
        place, ticks = number(key), number(value)
        if place and ticks:
            said[round(place, 6)] = ticks * factor
    return {stat: said[place] for stat, place in QUANTILES.items() if place in said}
