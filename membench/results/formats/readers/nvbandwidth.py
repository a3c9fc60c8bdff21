"""Reads the text output and the JSON output (``-j``) of nvbandwidth 0.4 to 0.10.

A result is the median of the ``-i`` samples, or the mean with ``-m``. Many files do not show
whether ``-m`` was used. Many files also lack the size set by ``-b``: membench then assumes 512 MiB
unless the user gives the size. Bandwidth is decimal: bytes * 1e-9.

For tests of both directions between host and device, nvbandwidth counts one direction, but
``link/bidir`` counts the sum by default. So these tests do not become cases of ``link/bidir``, and
their case ids contain nvbandwidth's name of the test.

For transfers between devices in both directions, nvbandwidth prints three matrices: one for each
direction and one for the total. ``-j`` appends them to one another (NVIDIA/nvbandwidth v0.8,
``testcases_ce.cpp``, ``json_output.cpp``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from membench.core.errors import SchemaError
from membench.core.record import record
from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import MIB, format_size
from membench.results.formats.documents import broken, documents_with, text_in
from membench.results.formats.figures import Origin, case_id, number, objects, part, row, text_of
from membench.results.formats.readers.nvbandwidth_text import Log, ResultMatrix, Test, log_of
from membench.results.formats.reading import Item, ReaderNote, Record, Unplaced
from membench.results.schema import is_whole

_TOOL = "nvbandwidth"
_ABSENT = "N/A"
_DEFAULT = "512MiB"  # default of -b
_SAME = {  # test -> bench of membench, and its parameters after the size
    "host_to_device_memcpy_ce": ("link/h2d", ("mem=pinned", "engine=ce", "streams=1")),
    "device_to_host_memcpy_ce": ("link/d2h", ("mem=pinned", "engine=ce", "streams=1")),
    "host_to_device_memcpy_sm": ("link/h2d", ("mem=pinned", "engine=sm", "streams=1")),
    "device_to_host_memcpy_sm": ("link/d2h", ("mem=pinned", "engine=sm", "streams=1")),
    "device_local_copy": ("hbm/d2d", ("count=payload",)),
    "device_local_copy_tma": ("hbm/d2d", ("count=payload", "engine=tma")),
}
_UNIT = re.compile(r"\((GB/s|ns|us)\)|(BW)\s*$")
_METRICS = {
    "GB/s": (Metric.BANDWIDTH, 1.0),
    "BW": (Metric.BANDWIDTH, 1.0),  # bisection; the tool has no other unit of bandwidth
    "ns": (Metric.LATENCY, 1.0),
    "us": (Metric.LATENCY, 1000.0),
}
_BYTES = {Metric.BANDWIDTH: BytesConvention.PAYLOAD, Metric.LATENCY: None}
_PEERS = re.compile(r"(?:multinode_)?device_to_device_bidirectional_memcpy_(read|write)_\w+")
_PART = re.compile(r"\b(Read1|Read2|Write1|Write2|Total)\b")
_DEVICE = re.compile(r"(?:\D*)(\d+): (.*?)(?: \([0-9a-fA-F]+:[0-9a-fA-F:]+\).*|: \(.*|)$")


@record
class _FileFacts:
    devices: Mapping[int, str]
    driver: str
    cuda: str
    origin: Origin


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each test.

    A ``Waived`` test becomes a skipped row. Any other test that did not pass becomes a failed row.
    """
    if b'"nvbandwidth"' not in data:
        yield from _log(log_of(text_in(data, _TOOL)), origin)
        return
    for document in documents_with(_TOOL, data, _TOOL):
        if isinstance(document, SchemaError):
            yield broken(document)
        else:
            yield from _log(_from_json(document), origin)


def _log(log: Log, origin: Origin) -> Iterator[Record]:
    if log.error and not log.tests:
        raise SchemaError(
            f"nvbandwidth reports: {log.error}",
            "solve this problem, and run nvbandwidth again",
        )
    run = _FileFacts(_devices(log.devices), log.driver, _cuda(log.cuda), origin)
    yield (
        *[ReaderNote(f"nvbandwidth reports: {log.error}")] * bool(log.error),
        *map(Unplaced, log.lost),
    )
    for test in _settled(log.tests):
        yield _test(test, run)


def _from_json(document: dict[str, Any]) -> Log:
    content = part(document, _TOOL)
    names = content.get("GPU Device list") or content.get("GPU Device info")
    return Log(
        error=text_of(content.get("error")),
        devices=[text_of(name) for name in names] if isinstance(names, list) else [],
        driver=text_of(content.get("Driver Version")),
        cuda=content.get("CUDA Runtime Version"),
        tests=[_test_of(one) for one in objects(content, "testcases")],
    )


def _test_of(entry: dict[str, Any]) -> Test:
    description = text_of(entry.get("bandwidth_description"))
    cells = entry.get("bandwidth_matrix")
    rows = [one for one in cells if isinstance(one, list)] if isinstance(cells, list) else []
    matrix = ResultMatrix(description, tuple(tuple(one) for one in rows))
    return Test(
        name=text_of(entry.get("name")) or "unnamed",
        status=text_of(entry.get("status")),
        reason=text_of(entry.get("error")),
        matrices=_parts(text_of(entry.get("name")), matrix) if rows else [],
        size=number(entry.get("bufferSize")),
        mean=entry.get("useMean") is True,
    )


def _parts(name: str, matrix: ResultMatrix) -> list[ResultMatrix]:
    """Split the matrices that ``-j`` appended to one another."""
    peers = _PEERS.fullmatch(name)
    columns = len(matrix.cells[0])
    if not peers or not columns or len(matrix.cells) != 3 * columns:
        return [matrix]
    word = peers[1].capitalize()
    text = _PART.sub("", matrix.description)
    return [
        ResultMatrix(f"{said} {text}", matrix.cells[place * columns : (place + 1) * columns])
        for place, said in enumerate((f"{word}1", f"{word}2", "Total"))
    ]


def _settled(tests: Sequence[Test]) -> list[Test]:
    """Drop tests with the status ``Running`` that also have a final entry."""
    ended = {one.name for one in tests if one.status != "Running"}
    return [one for one in tests if one.status != "Running" or one.name not in ended]


def _test(test: Test, run: _FileFacts) -> Iterator[Item]:
    if test.status != "Passed":
        yield _without_result(test, run)
        return
    if not any(cell for matrix in test.matrices for cells in matrix.cells for cell in cells):
        yield Unplaced(f"a test without a matrix: {test.name}")
    for matrix in test.matrices:
        described = _described(matrix.description)
        if described is None:
            yield Unplaced(f"{test.name}: the description names neither GB/s nor ns")
            continue
        metric, factor, said = described
        yield from _unusable(test, matrix)
        tier, detail = _tier(test.name), _detail(test, said, run.origin)
        for source, cells in enumerate(matrix.cells):
            for target, cell in enumerate(cells):
                if value := number(cell):
                    yield row(
                        run.origin,
                        tier,
                        _case(test, said.lower(), source, target, run.origin),
                        metric,
                        value * factor,
                        bytes_convention=_BYTES[metric],
                        timer="tool:nvbandwidth",
                        detail=detail.copy(),
                        device=_device(test.name, source, target, run.devices),
                        driver=run.driver,
                        cuda=run.cuda,
                    )


@lru_cache(maxsize=1024)
def _described(text: str) -> tuple[Metric, float, str] | None:
    """(metric, factor to its unit, word such as Total) for a description; None without a unit."""
    unit, said = _UNIT.search(text), _PART.search(text)
    return None if unit is None else (*_METRICS[unit[1] or unit[2]], said[1] if said else "")


def _unusable(test: Test, matrix: ResultMatrix) -> Iterator[Item]:
    """Report the cells that are not numbers above 0.

    If every cell of the matrix is ``N/A``, the cells are reported as one item. Otherwise, cells
    with ``N/A`` are not reported.
    """
    cells = [cell for cells in matrix.cells for cell in cells if number(cell) is None]
    if not cells:
        return
    absent = sum(cell == _ABSENT for cell in cells)
    if absent and absent == sum(map(len, matrix.cells)):
        yield Unplaced(f"{test.name}: the whole matrix is {_ABSENT}")
    for _ in range(len(cells) - absent):
        yield Unplaced(f"{test.name}: a cell that is not a number above 0")


def _without_result(test: Test, run: _FileFacts) -> Item:
    still = "nvbandwidth was still running this test when the file ended"
    status = still if test.status == "Running" else f"nvbandwidth reports: {test.status}"
    return row(
        run.origin,
        _tier(test.name),
        _case(test, "", 0, 0, run.origin),
        Metric.LATENCY if "latency" in test.name else Metric.BANDWIDTH,
        reason=test.reason or status,
        failed=test.status != "Waived",
        device=run.devices.get(0, ""),
        driver=run.driver,
        cuda=run.cuda,
    )


def _tier(name: str) -> Tier:
    return Tier.HBM if name.startswith("device_local") else Tier.LINK


def _case(test: Test, said: str, source: int, target: int, origin: Origin) -> str:
    if test.name in _SAME:
        bench, params = _SAME[test.name]
        gpu = (f"gpu={target}",) if target else ()
        return case_id(*bench.split("/"), f"size={_size(test, origin)}", *params, *gpu)
    which = (f"part={said}",) if said else ()
    where = (f"src={source}", f"dst={target}")
    return case_id(str(_tier(test.name)), _TOOL, f"test={test.name}", *which, *where)


def _size(test: Test, origin: Origin) -> str:
    return format_size(int(test.size) * MIB) if test.size else origin.given.get("size", _DEFAULT)


def _detail(test: Test, said: str, origin: Origin) -> dict[str, str]:
    known = test.size is not None or "size" in origin.given
    detail = {"statistic": "mean" if test.mean else "median"}
    if test.name in _SAME and not known:
        detail["assumed"] = "size"
    if "bidirectional" in test.name:
        detail["counts"] = "both-directions" if said == "Total" else "one-direction"
    return detail


def _devices(names: Sequence[str]) -> dict[int, str]:
    """Map device indices to names.

    Lines are ``0: NAME (BUS ID): (HOST)`` or ``Process 3 (HOST): device 1: NAME (BUS ID)``.
    """
    found = {}
    for place, name in enumerate(names):
        _, _, local = name.partition(": device ")
        if match := _DEVICE.match(local or name):
            found[place if local else int(match[1])] = match[2]
    return found


def _device(name: str, source: int, target: int, devices: Mapping[int, str]) -> str:
    """The GPU of the matrix column; both GPUs if the GPU of the row has another name."""
    column = devices.get(target, "")
    row_ = devices.get(source, "") if "device_to_device" in name else column
    return column if row_ in ("", column) else f"{row_} and {column}"


def _cuda(version: object) -> str:
    """Format the CUDA version: ``12.7`` for ``12070``, ``13.3`` for ``13.3 (13030)``."""
    said = str(version).partition(" ")[0]
    if not is_whole(said) or len(said) > 6:
        return said if re.fullmatch(r"\d{1,3}\.\d{1,3}", said) else ""
    return f"{int(said) // 1000}.{int(said) % 1000 // 10}" if int(said) else ""
