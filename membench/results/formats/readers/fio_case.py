"""Decide whether a fio job measures the same as a case of membench.

fio's JSON may attribute facts of one job to another job. With group_reporting, an entry has the
name of the first job and the options of the last job. Of two ``[global]`` sections, fio keeps only
the last. So the options must agree with the numbers that fio counted: the depth with
``iodepth_level``, the block size with the bytes per operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from membench.core.units import format_size
from membench.results.formats.figures import case_id, number, part, text_of
from membench.results.schema import is_whole

_PATTERN = {"read": "seq", "write": "seq", "randread": "rand", "randwrite": "rand"}
_SIDE = {"read": "read", "randread": "read", "write": "write", "randwrite": "write"}
_ASYNC = ("libaio", "io_uring")
_SYNC = ("", "sync", "psync", "vsync", "pvsync", "pvsync2")  # fio's default is psync on Linux
_AT_DEPTH = 95.0  # minimum percentage of the operations that must be issued at the depth
_BUCKETS = (64, 32, 16, 8, 4, 2, 1)
_SIZE = re.compile(r"(\d{1,12})(k|m|g|ki|mi|gi|kib|mib|gib|)b?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_WHAT = frozenset(("rw", "bs", "iodepth", "direct", "buffered", "ioengine", "numjobs", "mem"))
"""Options that decide what fio measures; this module checks each of them."""
_NO_MATTER = frozenset(
    (
        *("name", "description", "filename", "directory", "size", "unlink", "create_only"),
        *("runtime", "time_based", "ramp_time", "startdelay", "stonewall", "wait_for"),
        *("wait_for_previous", "group_reporting", "new_group", "thread", "exitall", "loops"),
        *("invalidate", "fallocate", "overwrite", "create_on_open", "create_serialize"),
        *("norandommap", "softrandommap", "randrepeat", "allrandrepeat", "randseed"),
        *("random_generator", "refill_buffers", "scramble_buffers"),
        *("cpus_allowed", "cpus_allowed_policy", "cpumask", "numa_cpu_nodes", "numa_mem_policy"),
        *("write_bw_log", "write_lat_log", "write_iops_log", "write_hist_log", "log_avg_msec"),
        *("log_hist_msec", "per_job_logs", "log_max_value", "bwavgtime", "iopsavgtime"),
        *("clat_percentiles", "lat_percentiles", "slat_percentiles", "percentile_list"),
        *("significant_figures", "disk_util", "gtod_reduce", "clocksource", "status_interval"),
    )
)
"""Options that do not change the meaning of the results."""


def case_of(job: Mapping[str, Any], options: Mapping[str, Any], side: str, pages: str) -> str:
    """The case id of membench for one direction of ``job``; empty if membench has no such case.

    Args:
        job: the entry under ``jobs``.
        options: options of the job, including the global options.
        side: the direction, such as ``read``.
        pages: page size of the buffers, ``4k`` or ``thp``.
    """
    mode = text_of(options.get("rw"))
    block = size_of(text_of(options.get("bs")) or "4k")
    depth = text_of(options.get("iodepth")) or "1"
    if _SIDE.get(mode) != side or block is None or not is_whole(depth) or len(depth) > 6:
        return ""
    if not (
        _is_plain(options, int(depth))
        and _is_what_was_counted(job, options, side, block, int(depth))
    ):
        return ""
    parts = [f"pattern={_PATTERN[mode]}", f"block={format_size(block)}", f"qd={int(depth)}"]
    return case_id("ssd", side, *parts, *([f"pages={pages}"] if side == "read" else []))


def memory_of(options: Mapping[str, Any]) -> str:
    """The option ``iomem`` or ``mem``, by which fio allocates the buffers; empty if not set."""
    return text_of(options.get("iomem")) or text_of(options.get("mem"))


def size_of(text: str) -> int | None:
    """Convert ``4k``, ``1m`` or ``16384`` to bytes; None if ``text`` is invalid or 0.

    Units are powers of 1024, which is the default of fio's option kb_base.
    """
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _FACTOR[match[2][:1].lower()] or None if match else None


def _is_plain(options: Mapping[str, Any], depth: int) -> bool:
    engine = text_of(options.get("ioengine"))
    direct = text_of(options.get("direct")) == "1" or text_of(options.get("buffered")) == "0"
    return (
        direct
        and (engine in _ASYNC or (depth == 1 and engine in _SYNC))
        and text_of(options.get("numjobs")) in ("", "1")
        and options.keys() <= _WHAT | _NO_MATTER | {"iomem"}
    )


def _is_what_was_counted(
    job: Mapping[str, Any], options: Mapping[str, Any], side: str, block: int, depth: int
) -> bool:
    bucket = next(one for one in _BUCKETS if depth >= one)
    levels = part(job, "iodepth_level")
    share = number(levels.get(f">={bucket}" if bucket == _BUCKETS[0] else str(bucket))) or 0
    figures = part(job, side)
    moved, operations = number(figures.get("io_bytes")), number(figures.get("total_ios"))
    return (
        share >= _AT_DEPTH
        and bool(moved and operations)
        and abs((moved or 0) - block * (operations or 0)) < block
        and _is_alone(job, options)
    )


def _is_alone(job: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    named = text_of(options.get("name"))
    if not named:
        return "group_reporting" not in options
    return named == text_of(job.get("jobname"))
