"""Reads the JSON output of pytest-benchmark, which contains times in seconds.

All rounds of a file are samples of a single membench round, because they ran in one process. The
bandwidth is computed if ``extra_info`` contains the bytes per call. Entries that `membench export`
wrote keep their case ids.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from membench.core.errors import SchemaError
from membench.core.record import record
from membench.core.terms import BytesConvention, Metric, Stat, Tier
from membench.results.formats.documents import broken, documents_with
from membench.results.formats.figures import (
    Origin,
    case_id,
    count,
    number,
    objects,
    part,
    row,
    text_of,
)
from membench.results.formats.reading import Item, Record

_TOOL = "pytest-benchmark"
_TIMED = (Metric.LATENCY, Metric.BANDWIDTH, Metric.IOPS, Metric.RATE)
_BYTES = ("bytes", "nbytes", "bytes_moved")
_CPU = ("brand_raw", "brand", "model_name")
_LONGEST = 180
_SIGNS = {
    "<": "lt",
    ">": "gt",
    "!": "not",
    "*": "times",
    "%": "percent",
    "&": "and",
    "|": "or",
    "^": "xor",
    "~": "tilde",
    "#": "hash",
    "?": "any",
    "$": "dollar",
    ",": "comma",
    ";": "semicolon",
    '"': "quote",
    "'": "quote",
    "\\": "backslash",
    "{": "brace",
    "(": "paren",
}
_KEPT = frozenset("._=+:@-[] /})")


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each benchmark.

    An entry of `membench export` becomes a row of the same metric. Any other entry becomes a
    latency, and also a bandwidth if the bytes are known.
    """
    for document in documents_with("benchmarks", data, _TOOL):
        if isinstance(document, SchemaError):
            yield broken(document)
        else:
            yield from _session(document, origin)


def _session(content: dict[str, Any], origin: Origin) -> Iterator[Record]:
    machine = part(content, "machine_info")
    cpu = part(machine, "cpu")
    device = next((name for key in _CPU if (name := text_of(cpu.get(key)))), "")
    device = device or text_of(machine.get("processor"))
    tier = origin.tier(Tier.DDR)
    for test in objects(content, "benchmarks"):
        yield _test(test, origin, tier, device)


def _test(test: dict[str, Any], origin: Origin, tier: Tier, device: str) -> Iterator[Item]:
    stats, extra = part(test, "stats"), part(test, "extra_info")
    statistic = "median" if number(stats.get("median")) else "mean"
    seconds = number(stats.get(statistic))
    data = stats.get("data")
    values = [number(one) for one in data] if isinstance(data, list) else []
    samples = [one for one in values if one is not None]
    samples = samples if len(samples) == len(values) else []
    common: dict[str, Any] = {
        "device": device,
        "timer": "tool:pytest-benchmark",
        "iters": count(stats.get("iterations")),
        "n": int(number(stats.get("rounds")) or len(samples) or 1),
        "detail": {} if statistic == "median" else {"statistic": statistic},
    }
    ours = _ours(extra)
    case = ours.case if ours else case_id("pytest", _spelled(_name(test)))
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


def _name(test: dict[str, Any]) -> str:
    return next((name for key in ("fullname", "name") if (name := _raw(test.get(key)))), "unnamed")


def _raw(value: object) -> str:
    return value if isinstance(value, str) else ""


def _spelled(name: str) -> str:
    """Replace signs in ``name`` that a case id cannot contain by words, such as ``<`` by ``lt``.

    If there is no word for a sign, a checksum of ``name`` is appended. So the ids of two tests
    differ even if their names differ only in such signs.
    """
    spelled = "".join(_SIGNS.get(sign, sign) for sign in name)
    lost = any(not sign.isascii() or not (sign.isalnum() or sign in _KEPT) for sign in spelled)
    told = f"-{zlib.crc32(name.encode('utf-8', 'replace')):08x}" if lost else ""
    return f"{spelled[:_LONGEST]}{told}"


def _in_unit(metric: Metric, seconds: float) -> float:
    return seconds * 1e9 if metric is Metric.LATENCY else 1 / seconds


@record
class _Ours:
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
