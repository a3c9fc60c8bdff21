"""nvbandwidth ``-j``: matrices of text, ``N/A`` for absent, the unit in the description.

The figure is the median of ``-i`` samples (the mean with ``-m``), which the file
does not name, nor the size that ``-b`` set: 512 MiB, unless it is given.
Bandwidth is decimal, bytes * 1e-9.  Its bidirectional tests count one direction,
ours the sum, so those keep ids of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from membench.core.errors import SchemaError
from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import MIB, format_size
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

_TOOL = "nvbandwidth"
_DEFAULT = "512MiB"  # of -b
_SAME = {  # test -> our bench, and its parameters behind the size
    "host_to_device_memcpy_ce": ("link/h2d", ("mem=pinned", "engine=ce", "streams=1")),
    "device_to_host_memcpy_ce": ("link/d2h", ("mem=pinned", "engine=ce", "streams=1")),
    "host_to_device_memcpy_sm": ("link/h2d", ("mem=pinned", "engine=sm", "streams=1")),
    "device_to_host_memcpy_sm": ("link/d2h", ("mem=pinned", "engine=sm", "streams=1")),
    "device_local_copy": ("hbm/d2d", ("count=payload",)),
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
        case = _case(name, test, 0, 0, origin)
        failed = status != "Waived"
        yield row(origin, _tier(name), case, _metric(name), reason=reason, failed=failed, **common)
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
                    _tier(name),
                    _case(name, test, source, target, origin),
                    metric,
                    value,
                    bytes_convention=BytesConvention.PAYLOAD
                    if metric is Metric.BANDWIDTH
                    else None,
                    timer="tool:nvbandwidth",
                    detail=_detail(name, test, origin),
                    **common,
                )


def _tier(name: str) -> Tier:
    return Tier.HBM if name == "device_local_copy" else Tier.LINK


def _case(name: str, test: dict[str, Any], source: int, target: int, origin: Origin) -> str:
    if name in _SAME:
        bench, params = _SAME[name]
        gpu = (f"gpu={target}",) if target else ()
        return case_id(*bench.split("/"), f"size={_size(test, origin)}", *params, *gpu)
    return case_id("link", _TOOL, f"test={name}", f"src={source}", f"dst={target}")


def _size(test: dict[str, Any], origin: Origin) -> str:
    said = number(test.get("bufferSize"))
    return format_size(int(said) * MIB) if said else origin.given.get("size", _DEFAULT)


def _detail(name: str, test: dict[str, Any], origin: Origin) -> dict[str, str]:
    known = "bufferSize" in test or "size" in origin.given
    assumed = {"assumed": "size"} if name in _SAME and not known else {}
    one_way = {"counts": "one-direction"} if "bidirectional" in name else {}
    return {"statistic": "mean" if test.get("useMean") is True else "median", **assumed, **one_way}


def _metric(name: str) -> Metric:
    return Metric.LATENCY if "latency" in name else Metric.BANDWIDTH


def _cuda(version: object) -> str:
    """``12070`` -> ``12.7``."""
    known = isinstance(version, int) and 0 < version < 10**6
    return f"{version // 1000}.{version % 1000 // 10}" if known and isinstance(version, int) else ""
