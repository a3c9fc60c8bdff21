"""fio ``--output-format=json``: ``bw`` is in KiB/s, so ``bw_bytes`` is read; latencies are clat.

A job is a case of ours where it means the same: direct, one job, one block
size, reads or writes alone, random or sequential.  Others keep fio's own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from membench.core.terms import BytesConvention, Metric, Stat, Tier
from membench.core.units import format_size
from membench.results.formats.figures import (
    Origin,
    case_id,
    checked,
    json_object,
    number,
    objects,
    part,
    row,
    text_of,
)
from membench.results.schema import Row

_TOOL = "fio"
_PATTERN = {"read": "seq", "write": "seq", "randread": "rand", "randwrite": "rand"}
_ASYNC = ("libaio", "io_uring", "posixaio", "io_uring_cmd")
_PERCENTILES = {
    Stat.P50: "50.000000",
    Stat.P95: "95.000000",
    Stat.P99: "99.000000",
    Stat.P999: "99.900000",
}
_SIZE = re.compile(r"(\d{1,12})(k|m|g|ki|mi|gi|kib|mib|gib|)b?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def read(data: bytes, origin: Origin) -> list[Row]:
    """Rows for the reads and the writes of each job."""
    content = json_object(data, _TOOL)
    common = part(content, "global options")
    jobs = objects(content, "jobs")
    return checked((one for job in jobs for one in _rows(job, common, origin)), _TOOL)


def _rows(job: dict[str, Any], common: Mapping[str, Any], origin: Origin) -> Iterator[Row]:
    options = {**common, **part(job, "job options")}
    name = text_of(job.get("jobname")) or "unnamed"
    error = job.get("error")
    if error:
        side = "write" if "write" in str(options.get("rw")) else "read"
        case = _case(name, options, side, origin)
        reason = f"fio says: error {error}" if isinstance(error, int) else "fio says: error"
        yield row(origin, Tier.SSD, case, Metric.IOPS, reason=reason, failed=True)
        return
    for side in ("read", "write"):
        figures = part(job, side)
        if number(figures.get("total_ios")):
            yield from _side(figures, _case(name, options, side, origin), options, origin)


def _side(
    figures: dict[str, Any], case: str, options: Mapping[str, Any], origin: Origin
) -> Iterator[Row]:
    moved = number(figures.get("bw_bytes"))
    values = [
        (Metric.IOPS, Stat.MEDIAN, number(figures.get("iops"))),
        (Metric.BANDWIDTH, Stat.MEDIAN, moved / 1e9 if moved else None),
    ]
    percentiles = part(part(figures, "clat_ns"), "percentile")
    values += [
        (Metric.LATENCY, stat, number(percentiles.get(key))) for stat, key in _PERCENTILES.items()
    ]
    known = "pages" in origin.given or _memory(options)
    detail = {
        "engine": text_of(options.get("ioengine")),
        "statistic": "mean-of-run",
        **({"assumed": "pages"} if "/pages=" in case and not known else {}),
    }
    for metric, stat, value in values:
        if value is not None:
            yield row(
                origin,
                Tier.SSD,
                case,
                metric,
                value,
                stat=stat,
                n=int(number(figures.get("total_ios")) or 1),
                bytes_convention=BytesConvention.PAYLOAD if metric is Metric.BANDWIDTH else None,
                timer="tool:fio",
                detail={**detail, "statistic": "quantile"} if metric is Metric.LATENCY else detail,
            )


def _case(name: str, options: Mapping[str, Any], side: str, origin: Origin) -> str:
    pattern = _PATTERN.get(text_of(options.get("rw")))
    block = _size(text_of(options.get("bs")) or text_of(options.get("blocksize")) or "4k")
    depth = text_of(options.get("iodepth")) or "1"
    ours = (
        pattern is not None
        and block is not None
        and depth.isdigit()
        and text_of(options.get("direct")) == "1"
        and (text_of(options.get("ioengine")) in _ASYNC or depth == "1")
        and text_of(options.get("numjobs")) in ("", "1")
        and not options.keys() & {"rate", "rate_iops", "bsrange", "bssplit", "kb_base"}
    )
    if not ours or block is None:
        return case_id("ssd", _TOOL, f"job={name}", f"op={side}")
    parts = [f"pattern={pattern}", f"block={format_size(block)}", f"qd={int(depth)}"]
    if side == "read":
        pages = "thp" if "huge" in _memory(options) else "4k"
        parts.append(f"pages={origin.given.get('pages', pages)}")
    return case_id("ssd", side, *parts)


def _memory(options: Mapping[str, Any]) -> str:
    return text_of(options.get("iomem")) or text_of(options.get("mem"))


def _size(text: str) -> int | None:
    """Bytes of fio's ``4k``, ``1m``, ``16384``, which are binary unless kb_base says otherwise."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _FACTOR[match[2][:1].lower()] or None if match else None
