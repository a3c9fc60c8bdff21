"""pytest-benchmark JSON: seconds; one process, so that all its rounds are samples of one of ours.

Bandwidth is had where ``extra_info`` says how many bytes a call moves.  What
`to_pytest_benchmark` wrote comes back as the case that it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from membench.core.terms import BytesConvention, Metric, Stat, Tier
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

_TOOL = "pytest-benchmark"
_TIMED = (Metric.LATENCY, Metric.BANDWIDTH, Metric.IOPS, Metric.RATE)
_BYTES = ("bytes", "nbytes", "bytes_moved")


def read(data: bytes, origin: Origin) -> list[Row]:
    """A latency for each benchmark, and a bandwidth where bytes are known."""
    content = json_object(data, _TOOL)
    cpu = part(part(content, "machine_info"), "cpu")
    device = text_of(cpu.get("brand_raw")) or text_of(cpu.get("brand"))
    tier = origin.tier(Tier.DDR)
    tests = objects(content, "benchmarks")
    return checked((one for test in tests for one in _rows(test, origin, tier, device)), _TOOL)


def _rows(test: dict[str, Any], origin: Origin, tier: Tier, device: str) -> Iterator[Row]:
    stats, extra = part(test, "stats"), part(test, "extra_info")
    seconds = number(stats.get("median"))
    data = stats.get("data")
    values = [number(one) for one in data] if isinstance(data, list) else []
    samples = [one for one in values if one is not None]
    samples = samples if len(samples) == len(values) else []
    common: dict[str, Any] = {
        "device": device,
        "timer": "tool:pytest-benchmark",
        "iters": int(number(stats.get("iterations")) or 1),
        "n": int(number(stats.get("rounds")) or len(samples) or 1),
    }
    ours = _ours(extra)
    case = ours.case if ours else case_id("pytest", text_of(test.get("fullname")))
    if seconds is None:
        reason = "no median in the file"
        yield row(origin, tier, case, Metric.LATENCY, reason=reason, failed=True)
        return
    moved = next((size for name in _BYTES if (size := number(extra.get(name)))), None)
    if ours:
        common |= {"stat": ours.stat, "bytes_convention": _convention(extra)}
        tier = ours.tier or tier
    times: list[float] = [seconds, *samples]
    for metric in (ours.metric,) if ours else (Metric.LATENCY, Metric.BANDWIDTH):
        if metric is not Metric.BANDWIDTH:
            converted = [_in_unit(metric, one) for one in times]
            yield row(origin, tier, case, metric, converted[0], samples=converted[1:], **common)
        elif moved:
            rates = [moved / one / 1e9 for one in samples]
            common["bytes_moved"] = int(moved)
            yield row(origin, tier, case, metric, moved / seconds / 1e9, samples=rates, **common)


def _in_unit(metric: Metric, seconds: float) -> float:
    return seconds * 1e9 if metric is Metric.LATENCY else 1 / seconds


@dataclass(frozen=True)
class _Ours:
    """The row that `to_pytest_benchmark` made the benchmark of."""

    case: str
    metric: Metric
    stat: Stat
    tier: Tier | None


def _ours(extra: dict[str, Any]) -> _Ours | None:
    case = text_of(extra.get("membench_case"))
    if not case:
        return None
    metric, stat, tier = (extra.get(f"membench_{name}") for name in ("metric", "stat", "tier"))
    return _Ours(
        case_id(*case.split("/")),
        Metric(metric) if metric in _TIMED else Metric.LATENCY,
        Stat(stat) if stat in tuple(Stat) else Stat.MEDIAN,
        Tier(tier) if tier in tuple(Tier) else None,
    )


def _convention(extra: dict[str, Any]) -> BytesConvention | None:
    word = extra.get("membench_bytes")
    return BytesConvention(word) if word in tuple(BytesConvention) else None
