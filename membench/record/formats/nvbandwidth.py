"""nvbandwidth ``-j``: matrices of text, ``N/A`` for absent, the unit in the description.

The figure is the median of ``-i`` samples (the mean with ``-m``), which the file
does not name.  Bandwidth is decimal, bytes * 1e-9.  Its bidirectional tests
count one direction, ours the sum, so those keep ids of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from membench.errors import SchemaError
from membench.record.formats.foreign import (
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
from membench.record.schema import Row
from membench.terms import BytesConvention, Metric, Tier

_TOOL = "nvbandwidth"
_DEFAULT_MIB = 512  # of -b
_SAME = {  # test -> our bench and its parameters
    "host_to_device_memcpy_ce": ("link/h2d", ()),
    "device_to_host_memcpy_ce": ("link/d2h", ()),
    "host_to_device_memcpy_sm": ("link/h2d", ("engine=sm",)),
    "device_to_host_memcpy_sm": ("link/d2h", ("engine=sm",)),
}
_UNITS = {"GB/s": Metric.BANDWIDTH, "ns": Metric.LATENCY}
_UNIT = re.compile(r"\((GB/s|ns)\)")
_DEVICE = re.compile(r"\d+: (.*?)(?: \(|: \(|$)")


def read(data: bytes, origin: Origin) -> list[Row]:
    """A row for each cell of each test; ``Waived`` is skipped, ``Error`` failed."""
    content = part(json_object(data, _TOOL), _TOOL)
    names = content.get("GPU Device list")
    first = (
        _DEVICE.match(names[0]) if isinstance(names, list) and names and text_of(names[0]) else None
    )
    common: dict[str, Any] = {
        "device": first[1] if first else "",
        "driver": text_of(content.get("Driver Version")),
        "cuda": _cuda(content.get("CUDA Runtime Version")),
    }
    tests = objects(content, "testcases")
    return checked((one for test in tests for one in _rows(test, origin, common)), _TOOL)


def _rows(test: dict[str, Any], origin: Origin, common: dict[str, Any]) -> Iterator[Row]:
    name, status = text_of(test.get("name")), text_of(test.get("status"))
    if status != "Passed":
        reason = text_of(test.get("error")) or f"nvbandwidth says: {status}"
        case = _case(name, test, 0, 0)
        failed = status != "Waived"
        yield row(origin, Tier.LINK, case, _metric(name), reason=reason, failed=failed, **common)
        return
    unit = _UNIT.search(text_of(test.get("bandwidth_description")))
    if unit is None:
        raise SchemaError(f"{name:.60}: its description names neither GB/s nor ns")
    metric = _UNITS[unit[1]]
    matrix = test.get("bandwidth_matrix")
    for source, cells in enumerate(matrix if isinstance(matrix, list) else []):
        for target, cell in enumerate(cells if isinstance(cells, list) else []):
            value = number(cell)
            if value is not None:
                yield row(
                    origin,
                    Tier.LINK,
                    _case(name, test, source, target),
                    metric,
                    value,
                    bytes_convention=BytesConvention.PAYLOAD
                    if metric is Metric.BANDWIDTH
                    else None,
                    timer="tool:nvbandwidth",
                    detail=_detail(name, test),
                    **common,
                )


def _case(name: str, test: dict[str, Any], source: int, target: int) -> str:
    if name in _SAME:
        bench, params = _SAME[name]
        gpu = (f"gpu={target}",) if target else ()
        return case_id(*bench.split("/"), *params, "mem=pinned", f"size={_size(test)}MiB", *gpu)
    return case_id("link", _TOOL, f"test={name}", f"src={source}", f"dst={target}")


def _size(test: dict[str, Any]) -> int:
    return int(number(test.get("bufferSize")) or _DEFAULT_MIB)


def _detail(name: str, test: dict[str, Any]) -> dict[str, str]:
    assumed = {"assumed": "size"} if name in _SAME and "bufferSize" not in test else {}
    one_way = {"counts": "one-direction"} if "bidirectional" in name else {}
    return {"statistic": "mean" if test.get("useMean") is True else "median", **assumed, **one_way}


def _metric(name: str) -> Metric:
    return Metric.LATENCY if "latency" in name else Metric.BANDWIDTH


def _cuda(version: object) -> str:
    """``12070`` -> ``12.7``."""
    known = isinstance(version, int) and 0 < version < 10**6
    return f"{version // 1000}.{version % 1000 // 10}" if known and isinstance(version, int) else ""
