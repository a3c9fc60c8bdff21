"""Words that several sections use."""

from __future__ import annotations

from collections.abc import Sequence

from membench.benches import registry
from membench.core.terms import Metric, Tier
from membench.report.page.document import Code, Line, joined
from membench.report.screens.blocks import split
from membench.results.schema import Row

TIERS = {
    Tier.SMEM: "GPU shared memory",
    Tier.L1: "GPU L1 cache",
    Tier.L2: "GPU L2 cache",
    Tier.HBM: "GPU memory (HBM)",
    Tier.GPU: "GPU",
    Tier.LINK: "host link",
    Tier.CACHE: "host caches",
    Tier.DDR: "host memory (DDR)",
    Tier.SSD: "disk (SSD)",
}
"""What a reader calls a tier."""

METRICS = {metric: str(metric) for metric in Metric} | {
    Metric.IOPS: "IOPS",
    Metric.FLOPS: "FLOP/s",
}
"""What a reader calls a metric."""


def capital(text: str) -> str:
    """``text`` with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def percent(fraction: float) -> str:
    """``0.1234`` -> ``12.3 %``."""
    return f"{100 * fraction:.1f} %"


def about(row: Row) -> str:
    """What the bench of ``row`` measures, in its author's first line; empty where unknown."""
    bench = registry().benches.get(split(row.case)[0])
    return bench.summary.rstrip(".") if bench else ""


def codes(flags: Sequence[str]) -> Line:
    """Flag codes, set apart by spaces."""
    return joined([(Code(flag),) for flag in flags], " ")
