"""Reads the ``--json`` output of an NVBench program.

The output has summaries by tag, with values as text and infinity as null.

NVBench measures a state in up to three ways: ``cold`` (isolated executions after a cache flush),
``batch`` (many executions in a row) and ``cpu_only`` (only for benchmarks without a GPU). GPU times
are preferred to CPU times, and medians to means. The column ``detail`` names the statistic, and for
times also the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from membench.core.errors import SchemaError
from membench.core.record import record
from membench.core.terms import BytesConvention, Metric, PeakBasis, Tier
from membench.results.formats.documents import broken, documents_with
from membench.results.formats.figures import Origin, case_id, count, number, objects, row, text_of
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "nvbench"


@record
class _Way:
    name: str
    times: tuple[str, ...]
    params: tuple[str, ...] = ()


_WAYS = (
    _Way("cold", ("time/gpu/median", "time/gpu/mean", "time/cpu/median", "time/cpu/mean")),
    _Way("batch", ("time/gpu/median", "time/gpu/mean"), ("mode=batch",)),
    _Way("cpu_only", ("time/cpu/median", "time/cpu/mean")),
)


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each state of each benchmark: its time, byte rate and item rate."""
    for document in documents_with("benchmarks", data, _TOOL):
        if isinstance(document, SchemaError):
            yield broken(document)
        else:
            yield from _program(document, origin)


def _program(content: dict[str, Any], origin: Origin) -> Iterator[Record]:
    devices = {
        identity: one
        for one in objects(content, "devices")
        if isinstance(identity := one.get("id"), int)
    }
    for bench in objects(content, "benchmarks"):
        for state in objects(bench, "states"):
            yield _state(bench, state, devices, origin)


def _state(
    bench: dict[str, Any], state: dict[str, Any], devices: Mapping[Any, Any], origin: Origin
) -> Iterator[Item]:
    identity = state.get("device")
    device = devices.get(identity, {}) if isinstance(identity, int) else {}
    common: dict[str, Any] = {"device": text_of(device.get("name")), "timer": "tool:nvbench"}
    if state.get("is_skipped"):
        reason = text_of(state.get("skip_reason"))
        where = _case(bench, state, on_gpu=isinstance(identity, int))
        tier = Tier.GPU if isinstance(identity, int) else Tier.DDR
        yield row(origin, tier, where, Metric.LATENCY, reason=reason, **common)
        return
    figures = {text_of(one.get("tag")): _value(one) for one in objects(state, "summaries")}
    placed = False
    for way in _WAYS:
        said = {
            tag.removeprefix(f"nv/{way.name}/"): value
            for tag, value in figures.items()
            if tag.startswith(f"nv/{way.name}/") and value
        }
        if any(tag in said for tag in (*way.times, "bw/global/bytes_per_second", "bw/item_rate")):
            placed = True
            on_gpu = way.name != "cpu_only"
            case = _case(bench, state, *way.params, on_gpu=on_gpu)
            yield from _rows(way, said, case, device, origin, common)
    if not placed:
        yield Unplaced(f"a state without a figure: {_case(bench, state, on_gpu=True)}")


def _rows(
    way: _Way,
    said: Mapping[str, float],
    case: str,
    device: Mapping[str, Any],
    origin: Origin,
    common: Mapping[str, Any],
) -> Iterator[Item]:
    on_gpu = way.name != "cpu_only"
    about = {**common, "n": count(said.get("sample_size"))}
    if not on_gpu:
        about["device"] = ""
    work = Tier.GPU if on_gpu else Tier.DDR
    memory = Tier.HBM if on_gpu else Tier.DDR
    if tag := next((one for one in way.times if one in said), ""):
        _, clock, statistic = tag.split("/")
        detail = {"statistic": statistic, "clock": clock}
        yield row(origin, work, case, Metric.LATENCY, said[tag] * 1e9, detail=detail, **about)
    if rate := said.get("bw/global/bytes_per_second"):
        peak = number(device.get("global_memory_bus_bandwidth")) if on_gpu else None
        yield row(
            origin,
            memory,
            case,
            Metric.BANDWIDTH,
            rate / 1e9,
            bytes_convention=BytesConvention.RW_SUM,
            peak=peak / 1e9 if peak else None,
            peak_basis=PeakBasis.QUERIED if peak else None,
            detail={"statistic": "mean"},
            **about,
        )
    if items := said.get("bw/item_rate"):
        yield row(origin, work, case, Metric.RATE, items, detail={"statistic": "mean"}, **about)


def _case(bench: dict[str, Any], state: dict[str, Any], *params: str, on_gpu: bool) -> str:
    axes = [
        f"{text_of(axis.get('name'))}={_text(axis.get('value'))}"
        for axis in objects(state, "axis_values")
    ]
    device = state.get("device")
    shown = [f"gpu={device}"] if isinstance(device, int) and device > 0 else []
    name = text_of(bench.get("name")) or "unnamed"
    return case_id("gpu" if on_gpu else "host", _TOOL, name, *axes, *params, *shown)


def _text(value: object) -> str:
    return str(value) if isinstance(value, int | float) else text_of(value)


def _value(summary: dict[str, Any]) -> float | None:
    found = [one.get("value") for one in objects(summary, "data") if one.get("name") == "value"]
    return number(found[0]) if found else None
