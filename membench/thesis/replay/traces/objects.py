"""Reads traces of object caches, in libCacheSim's CSV and oracleGeneral formats.

Each access to an object is a request of one block. These traces have no tokens, so hits are counted
in blocks. Object sizes are ignored.
"""

from __future__ import annotations

import numpy as np

from membench.core.text import counted
from membench.thesis.replay.trace import Floats, Ints, Trace, TraceError
from membench.thesis.replay.traces.lines import Lines
from membench.thesis.replay.traces.numbering import numbered

_TIMES = ("time", "timestamp", "clock_time")
_IDS = ("obj_id", "object_id", "obj", "object", "id", "key")
_LENGTHS = (
    "contexttokens",
    "request tokens",
    "input_length",
    "num_prefill_tokens",
    "prompt_tokens",
)
# oracleGeneral of libCacheSim: 24 bytes per record, packed.
_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_LARGEST = 2**64 - 1


def is_binary(name: str) -> bool:
    """Whether the file name ``name`` contains "oracleGeneral", in upper or lower case."""
    return "oraclegeneral" in name.lower()


def read_binary(content: bytes, name: str) -> Trace:
    """Read oracleGeneral records: time (s), object id, size, next access."""
    if not content or len(content) % _RECORD.itemsize:
        raise TraceError(
            f"{name}: a file of {len(content)} bytes does not consist of whole records of "
            f"{_RECORD.itemsize} bytes",
            "check whether the oracleGeneral file (libCacheSim) is complete",
        )
    records = np.frombuffer(content, _RECORD)
    return _trace(name, records["time"].astype(np.float64), numbered(records["id"]))


def is_table(lines: Lines) -> bool:
    """Whether the first line that is not blank has a comma and is not JSON."""
    if not lines.first:
        return False
    head = lines.lines[lines.first - 1].strip()
    return b"," in head and not head.startswith((b"{", b"["))


def read_table(lines: Lines) -> Trace:
    """Read a CSV table with an object id, and optionally a time, in each line.

    Without column names, the first column is the time and the second column is the object id.
    """
    names = [cell.strip().strip('"').lower() for cell in _cells(lines, lines.first)]
    if any(name in names for name in _LENGTHS):
        raise TraceError(
            f"{lines.name}: the trace has lengths, but no block ids to replay",
            "a replay needs the blocks that requests share: docs/kv-tier.md shows how to "
            "record them from an engine",
        )
    head = any(name in names for name in (*_TIMES, *_IDS))
    time = next((names.index(name) for name in _TIMES if name in names), None if head else 0)
    key = next((names.index(name) for name in _IDS if name in names), None if head else 1)
    if key is None:
        raise TraceError(
            f"{lines.name}: the table has no column of object ids",
            "use the columns of libCacheSim: time,obj_id,size",
        )
    arrival: list[float] = []
    ids: list[object] = []
    for number in range(lines.first + head, len(lines.lines) + 1):
        if not lines.lines[number - 1].strip():
            continue
        cells = _cells(lines, number)
        if len(cells) <= max(key, time or 0):
            lines.fail(
                number,
                f"{counted(len(cells), 'value')} instead of at least {max(key, time or 0) + 1}",
            )
        arrival.append(_time(lines, number, cells[time]) if time is not None else float(number))
        word = cells[key].strip()
        whole = word.isascii() and word.isdigit() and int(word[:25]) <= _LARGEST
        ids.append(int(word) if whole else word)
        if not word:
            lines.fail(number, "the id of the object is empty")
    if not ids:
        raise TraceError(f"{lines.name}: no request has an object id")
    texts = [str(one) for one in ids]
    same = all(isinstance(one, int) for one in ids)
    found = numbered(np.array(ids, np.uint64) if same else np.array(texts))
    return _trace(lines.name, np.array(arrival), found, timed=time is not None)


def _cells(lines: Lines, number: int) -> list[str]:
    return lines.lines[number - 1].decode("utf-8", "replace").split(",")


def _time(lines: Lines, number: int, cell: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = float("nan")
    if not 0 <= found < float(1 << 53):
        lines.fail(number, f"the time must be a number from 0 to 2^53, not {cell.strip()[:40]!r}")
    return found


def _trace(name: str, arrival: Floats, ids: Ints, *, timed: bool = True) -> Trace:
    if (np.diff(arrival) < 0).any():
        place = int(np.flatnonzero(np.diff(arrival) < 0)[0])
        before, after = arrival[place : place + 2]
        raise TraceError(
            f"{name}, request {place + 2}: the time decreases from {before:.17g} to {after:.17g}",
            "sort the requests by time",
        )
    count = ids.size
    zeros = np.zeros(count, np.int64)
    return Trace(
        name=name,
        block_tokens=0,
        sessions=False,
        private=False,
        session=zeros,
        arrival=arrival,
        served=np.full(count, np.nan),
        prompt=zeros,
        output=zeros,
        nested=np.zeros(count, np.bool_),
        offsets=np.arange(count + 1),
        first=ids,
        last=ids.copy(),
        timed=timed,
    )
