"""NVBench ``--json``: values are text, what is not finite is null, every figure has a tag.

The time is the median where the file has one, else the mean of the cold
(isolated) executions; ``detail`` says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from membench.core.terms import BytesConvention, Metric, PeakBasis, Tier
from membench.results.formats.figures import (
    Origin,
    case_id,
    checked,
    json_object,
    number,
    objects,
    row,
    text_of,
)
from membench.results.schema import Row

_TOOL = "nvbench"
_TIMES = ("nv/cold/time/gpu/median", "nv/cold/time/gpu/mean", "nv/cold/time/cpu/mean")
_BANDWIDTH = "nv/cold/bw/global/bytes_per_second"
_ITEMS = "nv/cold/bw/item_rate"
_SAMPLES = "nv/cold/sample_size"


def read(data: bytes, origin: Origin) -> list[Row]:
    """Rows for each state of each benchmark: time, and what it says of bytes and items."""
    content = json_object(data, _TOOL)
    devices = {
        identity: one
        for one in objects(content, "devices")
        if isinstance(identity := one.get("id"), int)
    }
    return checked(
        (
            one
            for bench in objects(content, "benchmarks")
            for state in objects(bench, "states")
            for one in _rows(bench, state, devices, origin)
        ),
        _TOOL,
    )


def _rows(
    bench: dict[str, Any], state: dict[str, Any], devices: Mapping[Any, Any], origin: Origin
) -> Iterator[Row]:
    case = _case(bench, state)
    identity = state.get("device")
    device = devices.get(identity, {}) if isinstance(identity, int) else {}
    common: dict[str, Any] = {"device": text_of(device.get("name")), "timer": "tool:nvbench"}
    if state.get("is_skipped"):
        reason = text_of(state.get("skip_reason"))
        yield row(origin, Tier.GPU, case, Metric.LATENCY, reason=reason, **common)
        return
    figures = {text_of(one.get("tag")): _value(one) for one in objects(state, "summaries")}
    common["n"] = int(figures.get(_SAMPLES) or 1)
    tag = next((one for one in _TIMES if figures.get(one)), "")
    if seconds := figures.get(tag):
        detail = {"statistic": tag.rpartition("/")[2], "clock": tag.split("/")[3]}
        yield row(origin, Tier.GPU, case, Metric.LATENCY, seconds * 1e9, detail=detail, **common)
    if rate := figures.get(_BANDWIDTH):
        peak = number(device.get("global_memory_bus_bandwidth"))
        yield row(
            origin,
            Tier.HBM,
            case,
            Metric.BANDWIDTH,
            rate / 1e9,
            bytes_convention=BytesConvention.RW_SUM,
            peak=peak / 1e9 if peak else None,
            peak_basis=PeakBasis.QUERIED if peak else None,
            detail={"statistic": "mean"},
            **common,
        )
    if items := figures.get(_ITEMS):
        yield row(
            origin, Tier.GPU, case, Metric.RATE, items, detail={"statistic": "mean"}, **common
        )


def _case(bench: dict[str, Any], state: dict[str, Any]) -> str:
    axes = [
        f"{text_of(axis.get('name'))}={_text(axis.get('value'))}"
        for axis in objects(state, "axis_values")
    ]
    device = state.get("device")
    shown = [f"gpu={device}"] if isinstance(device, int) and device > 0 else []
    return case_id("gpu", _TOOL, text_of(bench.get("name")) or "unnamed", *axes, *shown)


def _text(value: object) -> str:
    return str(value) if isinstance(value, int | float) else text_of(value)


def _value(summary: dict[str, Any]) -> float | None:
    found = [one.get("value") for one in objects(summary, "data") if one.get("name") == "value"]
    return number(found[0]) if found else None
