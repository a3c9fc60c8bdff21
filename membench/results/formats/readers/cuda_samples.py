"""Reads bandwidthTest and p2pBandwidthLatencyTest of NVIDIA's CUDA samples 4 to 13.

The output is text, or ``--csv`` for bandwidthTest. GB is 1e9 bytes. For copies within a device (the
diagonal of p2p matrices), bytes read and bytes written both count. For copies between host and
device, and between devices, each byte counts once. Bidirectional matrices have the sum of both
directions (NVIDIA/cuda-samples, the two ``.cu`` files). Versions before 10.1 print MB/s. MB is
1,024,000 bytes since 5.5, and was 2^20 bytes before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, case_id, number, row
from membench.results.formats.reading import Record, Unplaced

_TOOL = "cuda-samples"
_SAMPLE = re.compile(r"\[(CUDA Bandwidth Test|P2P \(Peer-to-Peer\).*?|bandwidthTest.*?)\]")
_DEVICE = re.compile(r"Device:? (\d{1,6})[:,] (.*?)(?:, pciBusID.*)?$")
_KIND = re.compile(r"(Host to Device|Device to Host|Device to Device) Bandwidth")
_MEMORY = re.compile(r"(PINNED|PAGEABLE|Pinned|Paged|Pageable) Memory Transfers", re.IGNORECASE)
_UNIT = re.compile(r"Transfer Size \(Bytes\)\s+Bandwidth\((GB|MB)/s\)")
_SIZE = re.compile(r"(\d+)\s+([\d.]+)$")
_CSV = re.compile(
    r"bandwidthTest-(H2D|D2H|D2D)(?:-(\w+))?, Bandwidth = ([\d.]+) (GB|MB)/s, .*?Size = (\d+) bytes"
)
_MATRIX = re.compile(
    r"(.*?)\s*(Bandwidth|Latency)( \(P2P (?:Writes|Reads)\))? Matrix \((GB/s|us)\)"
)
_COLUMNS = re.compile(r"(D\\D|GPU|CPU)((?:\s+\d{1,6})+)\s*$")
_ROW = re.compile(r"(\d{1,6})((?:\s+[\d.]+)+)\s*$")
_KINDS = {"Host to Device": "h2d", "Device to Host": "d2h", "Device to Device": "d2d"}


@dataclass
class _State:
    """The headings that apply to the current line of the output.

    Attributes:
        unit: ``GB`` or ``MB``; empty outside of a list of sizes.
        old: whether MB is 2^20 bytes, as before version 5.5.
        matrix: the heading of the current matrix; None outside of a matrix.
        columns: indices of the target devices in the matrix.
        side: the clock of a matrix of latencies, ``gpu`` or ``cpu``.
    """

    devices: dict[int, str] = field(default_factory=dict)
    kind: str = ""
    memory: str = ""
    unit: str = ""
    old: bool = True
    matrix: re.Match[str] | None = None
    columns: list[int] = field(default_factory=list)
    side: str = ""


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    """Yield a record for each size of bandwidthTest and for each cell of a matrix."""
    state = _State()
    for raw in text_in(data, _TOOL).splitlines():
        line = raw.strip()
        if _SAMPLE.match(line):
            state = _State(old=not line.startswith("[CUDA"))
        elif not _heading(line, state):
            yield from _figures(line, state, origin)


def _heading(line: str, state: _State) -> bool:
    """Return whether ``line`` is a heading; a heading updates ``state``."""
    if match := _DEVICE.match(line):
        state.devices[int(match[1])] = match[2].strip()
    elif match := _KIND.match(line):
        state.kind, state.matrix = _KINDS[match[1]], None
    elif match := _MEMORY.search(line):
        state.memory = "pageable" if match[1].lower().startswith("page") else "pinned"
    elif match := _UNIT.match(line):
        state.unit = match[1]
    elif match := _MATRIX.match(line):
        state.matrix, state.unit, state.columns = match, "", []
    elif match := _COLUMNS.match(line):
        state.side, state.columns = match[1].lower(), [int(one) for one in match[2].split()]
    return match is not None


def _figures(line: str, state: _State, origin: Origin) -> Iterator[Record]:
    if match := _CSV.match(line):
        factor, memory = _factor(match[4], state), (match[2] or "").lower()
        yield _copy(match[1].lower(), memory, match[5], match[3], factor, state, origin)
    elif state.unit and (match := _SIZE.match(line)):
        factor = _factor(state.unit, state)
        yield _copy(state.kind, state.memory, match[1], match[2], factor, state, origin)
    elif state.matrix and state.columns and (match := _ROW.match(line)):
        yield from _row(match, state, origin)
    elif state.matrix and state.columns and line[:1].isdigit():
        yield (Unplaced("an incomplete row of a matrix"),)


def _factor(unit: str, state: _State) -> tuple[float, bool]:
    """(factor from ``unit`` to GB, whether the factor is only assumed)."""
    if unit == "GB":
        return 1.0, False
    return (2**20 if state.old else 1_024_000) / 1e9, True


def _copy(
    kind: str,
    memory: str,
    size: str,
    rate: str,
    factor: tuple[float, bool],
    state: _State,
    origin: Origin,
) -> Record:
    value, bytes_ = number(rate), number(size)
    if value is None or bytes_ is None or not kind:
        return (Unplaced("an incomplete line of bandwidthTest"),)
    local = kind == "d2d"
    params = [f"op={kind}", f"size={format_size(int(bytes_))}"]
    params += [f"mem={memory}"] if memory and not local else []
    tier = Tier.HBM if local else Tier.LINK
    return (
        row(
            origin,
            tier,
            case_id(tier, _TOOL, "test=bandwidthTest", *params),
            Metric.BANDWIDTH,
            value * factor[0],
            size_bytes=int(bytes_),
            bytes_moved=int(bytes_) * (2 if local else 1),
            bytes_convention=BytesConvention.RW_SUM if local else BytesConvention.PAYLOAD,
            timer="tool:cuda-samples",
            device=next(iter(state.devices.values()), ""),
            detail={"statistic": "mean", **({"assumed": "unit"} if factor[1] else {})},
        ),
    )


def _row(match: re.Match[str], state: _State, origin: Origin) -> Iterator[Record]:
    cells, source = match[2].split(), int(match[1])
    if len(cells) != len(state.columns) or state.matrix is None:
        yield (Unplaced("a row of a matrix with more or fewer cells than its header"),)
        return
    for target, cell in zip(state.columns, cells, strict=True):
        yield _cell(source, target, cell, state.matrix, state, origin)


def _cell(
    source: int, target: int, cell: str, matrix: re.Match[str], state: _State, origin: Origin
) -> Record:
    value = number(cell)
    if value is None:
        return (Unplaced("a cell of a matrix that is 0 or not a number"),)
    timed = matrix[2] == "Latency"
    local = source == target
    both = matrix[1].startswith("Bidirectional")
    params = ["dir=bidir" if both else "dir=uni"] if not timed else [f"clock={state.side}"]
    params += ["p2p=on" if "Enabled" in matrix[1] else "p2p=off"]
    params += [f"op={matrix[3].split()[1].rstrip(')').lower()}"] if matrix[3] else []
    tier = Tier.HBM if local else Tier.LINK
    convention = BytesConvention.RW_SUM if local else BytesConvention.PAYLOAD
    case = case_id(tier, _TOOL, "test=p2p", *params, f"src={source}", f"dst={target}")
    one, other = (state.devices.get(place, "") for place in (source, target))
    return (
        row(
            origin,
            tier,
            case,
            Metric.LATENCY if timed else Metric.BANDWIDTH,
            value * 1e3 if timed else value,
            bytes_convention=None if timed else convention,
            timer="tool:cuda-samples",
            device=one if other in ("", one) else f"{one} and {other}",
            detail={
                "statistic": "mean",
                **({"counts": "both-directions"} if both and not timed else {}),
            },
        ),
    )
