"""Made-up rows of an H100 server, and changed copies of these rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from membench.core.terms import BETTER, UNIT, Metric, Stat, Status, Tier
from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumption, shipped

BOX: Mapping[str, tuple[str, Metric, Stat, float, float | None]] = {
    "hbm-read": ("hbm/read/size=1GiB/vec=16", Metric.BANDWIDTH, Stat.MEDIAN, 3000.0, 3350.0),
    "gemm": ("gpu/gemm/bf16/size=8192", Metric.FLOPS, Stat.MEDIAN, 700_000.0, 989_000.0),
    "zerocopy": ("zerocopy/read/size=1GiB", Metric.BANDWIDTH, Stat.MEDIAN, 50.0, None),
    "h2d": ("link/h2d/mem=pinned/size=64MiB", Metric.BANDWIDTH, Stat.MEDIAN, 55.0, None),
    "kv-h2d": ("kv/h2d/block=16KiB/count=10000", Metric.BANDWIDTH, Stat.MEDIAN, 40.0, None),
    "ssd-hbm": ("paging/ssd-hbm/block=1MiB/qd=8", Metric.BANDWIDTH, Stat.MEDIAN, 12.0, None),
    "ssd-read": ("ssd/read/pattern=seq/block=1MiB/qd=8", Metric.BANDWIDTH, Stat.MEDIAN, 13.0, None),
    "ssd-read-p99": ("ssd/read/pattern=seq/block=1MiB/qd=8", Metric.LATENCY, Stat.P99, 2e6, None),
    "ssd-write": ("ssd/write/pattern=seq/block=1MiB", Metric.BANDWIDTH, Stat.MEDIAN, 5.0, None),
    "ddr-read": ("ddr/read/size=256MiB/threads=all", Metric.BANDWIDTH, Stat.MEDIAN, 300.0, None),
}
"""Input of the claims -> (case, metric, statistic, value, peak) in the units of a results file."""


def make_row(case: str, metric: Metric, value: float, **changes: Any) -> Row:
    """An `ok` row of three rounds around ``value``."""
    rounds = (value * 0.99, value, value * 1.01)
    values: dict[str, Any] = {
        "run_id": "r-1",
        "machine": "box",
        "tier": Tier.GPU,
        "case": case,
        "case_version": 1,
        "metric": metric,
        "stat": Stat.MEDIAN,
        "status": Status.OK,
        "value": value,
        "unit": UNIT[metric],
        "better": BETTER[metric],
        "rounds": len(rounds),
        "round_values": rounds,
        "backend": "cuda",
        "device": "NVIDIA H100 80GB HBM3",
    }
    return Row(**{**values, **changes})


def make_box(scale: Mapping[str, float], **changes: Any) -> list[Row]:
    """Rows of a GPU machine. ``scale`` maps an input to a factor for its value."""
    rows = []
    for name, (case, metric, stat, value, peak) in BOX.items():
        basis: dict[str, Any] = {"peak": peak, "peak_basis": "queried"} if peak else {}
        scaled = value * scale.get(name, 1.0)
        rows.append(make_row(case, metric, scaled, stat=stat, **{**basis, **changes}))
    return rows


def edited(steps: Mapping[str, float]) -> dict[str, Assumption]:
    """The built-in assumptions. ``steps`` maps a name to a step, which changes the value.

    A value is multiplied by e^step. A date moves by ``step`` years.
    """
    entries = shipped()
    for name, step in steps.items():
        entry = entries[name]

        def move(value: float, entry: Assumption = entry, step: float = step) -> float:
            return value + step if entry.unit == "year" else value * math.exp(step)

        entries[name] = replace(
            entry, value=move(entry.value), low=move(entry.low), high=move(entry.high)
        )
    return entries
