"""Writes JSON of pytest-benchmark, which contains only times in seconds.

A latency is converted to seconds. A bandwidth becomes the time to move ``bytes_moved``. A rate
becomes the time of one operation. Rows that cannot be converted are left out.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from membench.core.case_id import with_stat
from membench.core.terms import Metric
from membench.results.formats.exporting import measured
from membench.results.schema import Row

_VERSION = "5.1.0"  # version of the format


def write(rows: Sequence[Row]) -> Mapping[str, str]:
    """Make one file; the round values of a row become the rounds of a benchmark."""
    benchmarks = [_benchmark(row, to_seconds) for row in rows if (to_seconds := _seconds(row))]
    whole = {
        "machine_info": {"cpu": {"brand_raw": next((row.device for row in rows), "")}},
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": next((row.started for row in rows), ""),
        "version": _VERSION,
    }
    return {"": json.dumps(whole, indent=1) + "\n"}


def left_out(rows: Sequence[Row]) -> Mapping[str, int]:
    """Reason -> number of rows that `write` leaves out. Rows without a value do not count."""
    return {"without a time": sum(_seconds(row) is None for row in measured(rows))}


def _seconds(row: Row) -> Callable[[float], float] | None:
    if not list(measured([row])):
        return None
    moved = row.bytes_moved
    if row.metric is Metric.LATENCY:
        return lambda value: value / 1e9
    if row.metric is Metric.BANDWIDTH and moved:
        return lambda value: moved / (value * 1e9)
    return (lambda value: 1 / value) if row.metric in (Metric.IOPS, Metric.RATE) else None


def _benchmark(row: Row, to_seconds: Callable[[float], float]) -> dict[str, object]:
    values = row.round_values or ((row.value,) if row.value else ())
    extra: dict[str, object] = {
        "membench_case": row.case,
        "membench_metric": row.metric,
        "membench_stat": row.stat,
        "membench_tier": row.tier,
    }
    if row.metric is Metric.BANDWIDTH:
        extra |= {"bytes": row.bytes_moved, "membench_bytes": row.bytes_convention or ""}
    name = f"{with_stat(row.case, row.stat)} {row.metric}"
    return {
        "group": str(row.tier),
        "name": name,
        "fullname": name,
        "params": None,
        "param": None,
        "extra_info": extra,
        "options": {},
        "stats": _statistics([to_seconds(value) for value in values]),
    }


def _statistics(data: Sequence[float]) -> dict[str, object]:
    """The statistics of ``data`` (seconds) that pytest-benchmark stores: name -> value.

    - ``stddev_outliers`` counts the values more than one standard deviation from the mean.
    - ``iqr_outliers`` counts the values more than 1.5 IQR beyond the quartiles (Tukey).
    """
    mean, deviation = statistics.fmean(data), statistics.stdev(data) if len(data) > 1 else 0.0
    q1, _, q3 = (
        statistics.quantiles(data, n=4, method="inclusive") if len(data) > 1 else [*data] * 3
    )
    near = [one for one in data if q1 - 1.5 * (q3 - q1) <= one <= q3 + 1.5 * (q3 - q1)]
    far = sum(abs(one - mean) > deviation for one in data)
    return {
        "min": min(data),
        "max": max(data),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": len(data) - len(near),
        "stddev_outliers": far,
        "outliers": f"{far};{len(data) - len(near)}",
        "ld15iqr": min(near, default=min(data)),
        "hd15iqr": max(near, default=max(data)),
        "ops": 1 / mean,
        "total": math.fsum(data),
        "data": list(data),
        "iterations": 1,
    }
