"""Reads the output of fio 2.1 to 3.42: JSON, json+, terse (formats 2 to 5) and the normal text.

Versions differ in these fields (axboe/fio, ``stat.c`` at the tags of the versions):

- ``bw`` is in KiB/s. Before 3.2, no other field has the bandwidth.
- Latencies are ``clat`` in microseconds before 3.0, and ``clat_ns`` since 3.0.
- ``io_bytes`` is in KiB before 2.21.
- With the option lat_percentiles, the quantiles are of the whole latency. They are under
  ``clat_ns`` before 3.17, and under ``lat_ns`` since 3.17.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from membench.core.errors import SchemaError
from membench.core.terms import Metric, Stat, Tier
from membench.results.formats.documents import broken, documents, text_in
from membench.results.formats.figures import Origin, count, number, objects, part, row, text_of
from membench.results.formats.readers.fio_case import case_of, memory_of
from membench.results.formats.readers.fio_side import QUANTILES, TOOL, FioSide, own_case, side_rows
from membench.results.formats.readers.fio_terse import terse_records
from membench.results.formats.readers.fio_text import text_records
from membench.results.formats.reading import Item, ReaderNote, Record, Unplaced

_SIDES = ("read", "write", "trim", "mixed")
_JSON = re.compile(rb'^[ \t]*\{|"fio version"', re.MULTILINE)
_TERSE = re.compile(rb"^[2-5];", re.MULTILINE)
_TEXT = re.compile(rb"\(groupid=\d+, jobs=\d+\)")
_SAID = ("rw", "bs", "iodepth", "numjobs", "direct", "fsync")
_ALL_CLIENTS = "All clients"


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    if _JSON.search(data):
        return _json_records(data, origin)
    if _TEXT.search(data):
        return text_records(text_in(data, TOOL), origin)
    if _TERSE.search(data):
        return terse_records(text_in(data, TOOL), origin)
    raise SchemaError(
        "the file is neither JSON nor text output of fio", "run fio with --output-format=json"
    )


def _json_records(data: bytes, origin: Origin) -> Iterator[Record]:
    runs: list[dict[str, Any]] = []
    for document in documents(data, TOOL):
        if isinstance(document, SchemaError):
            yield broken(document)
        elif not any(key in document for key in ("jobs", "client_stats")):
            continue  # an object of the surrounding log
        elif runs and _continues(runs[-1], document):
            runs[-1] = document
            yield (ReaderNote("earlier states of the same run (--status-interval) were ignored"),)
        else:
            runs.append(document)
    if len(runs) > 1:
        yield (ReaderNote(f"{len(runs)} runs of fio in one file were imported as one run"),)
    jobs: list[_Job] = []
    for run in runs:
        common = part(run, "global options")
        entries = (*objects(run, "jobs"), *objects(run, "client_stats"))
        jobs += [_Job(entry, common, _of_run(run, origin)) for entry in entries]
    ours = Counter(case for job in jobs for case in job.cases.values() if case)
    for job in jobs:
        yield _rows(job, {case for case, times in ours.items() if times > 1})


def _continues(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether ``second`` is a later state of the run ``first``.

    The jobs must have equal names. No runtime and no number of operations may be smaller in
    ``second``. And ``second`` must have begun before fio wrote ``first``.
    """
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
    """The time at which a document was written, in ms since 1970; None if unknown."""
    seconds = number(run.get("timestamp"))
    return number(run.get("timestamp_ms")) or (seconds * 1000 if seconds else None)


def _of_run(run: Mapping[str, Any], origin: Origin) -> Origin:
    """``origin`` with the time at which fio wrote the document, if this time is valid."""
    seconds = number(run.get("timestamp"))
    if seconds is None or not 10**9 <= seconds < 10**10:  # seconds since 1970, from 2001 to 2286
        return origin
    return replace(origin, started=f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}")


class _Job:
    def __init__(self, entry: dict[str, Any], common: Mapping[str, Any], origin: Origin) -> None:
        self.entry = entry
        self.options = {**common, **part(entry, "job options")}
        self.name = text_of(entry.get("jobname")) or "unnamed"
        self.host = text_of(entry.get("hostname"))
        self.origin = origin
        memory = memory_of(self.options)
        self.pages = origin.given.get("pages", "thp" if "huge" in memory else "4k")
        self.pages_known = bool(memory) or "pages" in origin.given
        sides = (*(_side(part(entry, one), one, self.options) for one in _SIDES), _sync(entry))
        self.sides = [side for side in sides if not side.empty]

    @property
    def said(self) -> Mapping[str, str]:
        """The main options of the job, for rows whose case id does not contain these options."""
        return {name: text for name in _SAID if (text := text_of(self.options.get(name)))}

    @property
    def cases(self) -> Mapping[str, str]:
        """Direction -> case id of membench; the id is empty if membench has no such case."""
        sides = [side.op for side in self.sides]
        if self.entry.get("error"):
            mode = text_of(self.options.get("rw"))
            sides = [next((one for one in ("trim", "write") if one in mode), "read")]
        return {
            op: "" if self.host else case_of(self.entry, self.options, op, self.pages)
            for op in sides
        }


def _rows(job: _Job, shared: AbstractSet[str]) -> Iterator[Item]:
    """Yield the rows of ``job``.

    A case id in ``shared`` fits several jobs. So these jobs keep fio's names instead.
    """
    detail = {"engine": text_of(job.options.get("ioengine")), "host": job.host}
    if job.name == _ALL_CLIENTS:
        detail["counts"] = "all-clients"
    names = {
        op: case if case and case not in shared else own_case(_told(job.name, job.host), op)
        for op, case in job.cases.items()
    }
    if error := job.entry.get("error"):
        reason = f"fio reports: error {error}" if isinstance(error, int) else "fio reports: error"
        for case in names.values():
            yield row(job.origin, Tier.SSD, case, Metric.IOPS, reason=reason, failed=True)
        return
    if not job.sides:
        yield Unplaced(f"a job without a figure: {job.name}")
    for side in job.sides:
        case = names[side.op]
        assumed = {"assumed": "pages"} if "/pages=" in case and not job.pages_known else {}
        said = job.said if case == own_case(_told(job.name, job.host), side.op) else {}
        yield from side_rows(side, case, job.origin, {**detail, **said, **assumed})


def _told(name: str, host: str) -> str:
    return f"{name}@{host}" if host and name != _ALL_CLIENTS else name


def _side(figures: dict[str, Any], op: str, options: Mapping[str, Any]) -> FioSide:
    kibibytes, moved = number(figures.get("bw")), number(figures.get("bw_bytes"))
    exact = moved or (kibibytes * 1024 if kibibytes else None)
    quantiles, mean, what = _latency(figures, options)
    return FioSide(
        op=op,
        iops=number(figures.get("iops")),
        bandwidth=exact / 1e9 if exact else None,
        operations=count(figures.get("total_ios")),
        milliseconds=number(figures.get("runtime")),
        quantiles=quantiles,
        mean=mean,
        latency=what,
    )


def _sync(job: dict[str, Any]) -> FioSide:
    """The results for fsync and similar calls, which fio reports since version 3.7."""
    figures = part(job, "sync")
    latency = part(figures, "lat_ns")
    return FioSide(
        op="sync",
        operations=count(figures.get("total_ios")),
        quantiles=_quantiles(latency, 1),
        mean=number(latency.get("mean")),
        latency="sync",
    )


def _latency(
    figures: dict[str, Any], options: Mapping[str, Any]
) -> tuple[dict[Stat, float], float | None, str]:
    """(quantiles of the latency in ns, mean in ns, kind of latency: ``clat`` or ``lat``).

    The mean is None if there are quantiles, or no latency at all.
    """
    kinds: Sequence[tuple[str, str, int]] = (
        ("clat_ns", "clat", 1),
        ("clat", "clat", 1000),
        ("lat_ns", "lat", 1),
        ("lat", "lat", 1000),
    )
    for key, what, factor in kinds:
        if quantiles := _quantiles(part(figures, key), factor):
            whole = what == "clat" and text_of(options.get("lat_percentiles")) == "1"
            mixed = whole and text_of(options.get("clat_percentiles")) != "1"
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
