"""Reads the Mooncake format and its variants (docs/replay.md), with one request per line.

Times are in milliseconds, or in seconds if the lines have a `chat_id` (Qwen-Bailian).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from membench.core.text import counted
from membench.thesis.replay.trace import Ints, Trace, TraceError
from membench.thesis.replay.traces.lines import Lines
from membench.thesis.replay.traces.numbering import numbered, runs_of

BLOCK_TOKENS = 512
BAILIAN_BLOCK_TOKENS = 16
_MOST_ID = 2**64 - 1
_SPARSE = 4  # maximum ratio of the largest id to the number of ids without renumbering
_PRECISE = 1e3  # milliseconds per second
# Dynamo's key -> Mooncake's key
_ALIASES = {
    "created_time": "timestamp",
    "delay_ms": "delay",
    "input_tokens": "input_length",
    "output_tokens": "output_length",
}


@dataclass
class _Columns:
    """The values of all lines, one list per key, and the block size."""

    arrival: array[float] = field(default_factory=lambda: array("d"))
    prompt: array[int] = field(default_factory=lambda: array("q"))
    output: array[int] = field(default_factory=lambda: array("q"))
    session: array[int] = field(default_factory=lambda: array("q"))
    named: list[list[Any]] = field(default_factory=list)
    sessions: dict[str, int] = field(default_factory=dict)
    block: int = 0


def read(lines: Lines, block_tokens: int | None = None) -> Trace:
    """Read a trace in the Mooncake format.

    Args:
        block_tokens: tokens per block; None for the `block_size` of the lines, or else the usual
            size of the format.

    Raises:
        TraceError: no request has a block id, a line is invalid, or the blocks of a request do not
            match the block size.
    """
    columns = _Columns()
    clock: _Clock | None = None
    bailian = False
    for number, written in lines.objects():
        entry = {_ALIASES.get(key, key): value for key, value in written.items()}
        if clock is None:
            bailian = "chat_id" in entry
            clock = _Clock(lines, entry)
        clock.add(number, entry, columns)
        columns.prompt.append(lines.whole(number, entry, "input_length"))
        known = "output_length" in entry or "block_size" not in entry
        columns.output.append(lines.whole(number, entry, "output_length") if known else 0)
        ids = entry.get("hash_ids")
        if not isinstance(ids, list):
            lines.fail(number, "'hash_ids' must be a list of block ids")
        columns.named.append(ids)
        _check_size(lines, number, entry, columns)
    assert clock is not None
    usual = columns.block or (BAILIAN_BLOCK_TOKENS if bailian else BLOCK_TOKENS)
    size = block_tokens or usual
    counts = np.fromiter(map(len, columns.named), np.int64, len(columns.named))
    prompts = np.frombuffer(columns.prompt, np.int64)
    full_only = _check_blocks(lines, prompts, counts, size)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    offsets, first, last = runs_of(_ids(lines, columns.named), bounds)
    arrival = np.frombuffer(columns.arrival, np.float64) / (1.0 if bailian else _PRECISE)
    trace = Trace(
        name=lines.name,
        block_tokens=size,
        sessions=False,
        private=False,
        session=np.zeros(counts.size, np.int64),
        arrival=arrival if clock.timed else np.arange(counts.size, dtype=np.float64),
        served=np.full(counts.size, np.nan),
        prompt=prompts,
        output=np.frombuffer(columns.output, np.int64),
        nested=np.zeros(counts.size, np.bool_),
        offsets=offsets,
        first=first,
        last=last,
        timed=clock.timed,
        full_only=full_only,
    )
    if not clock.sessions:
        return trace
    return trace.take(np.argsort(trace.arrival, kind="stable"))


class _Clock:
    """Computes the arrival time of each request from the request's timestamp or delay."""

    def __init__(self, lines: Lines, first: Mapping[str, Any]) -> None:
        self.lines = lines
        self.timed = "timestamp" in first or "delay" in first or "block_size" not in first
        self.sessions = "session_id" in first or "delay" in first
        self.before = 0.0
        self.last: dict[str, float] = {}

    def add(self, number: int, entry: Mapping[str, Any], columns: _Columns) -> None:
        lines = self.lines
        if not self.timed:
            if "timestamp" in entry:
                lines.fail(number, "the line has a 'timestamp', but the first line has none")
            columns.arrival.append(0.0)
            return
        if not self.sessions:
            time = lines.time(number, entry, "timestamp")
            if time < self.before:
                lines.fail(
                    number,
                    f"'timestamp' decreases from {self.before:.17g} to {time:.17g}",
                    "sort the lines of the trace by timestamp",
                )
            self.before = time
            columns.arrival.append(time)
            return
        name = str(entry.get("session_id", ""))
        if "timestamp" in entry and entry["timestamp"] is not None:
            time = lines.time(number, entry, "timestamp")
        else:
            delay = lines.time(number, entry, "delay") if name in self.last else 0.0
            time = self.last.get(name, 0.0) + delay
        before = self.last.get(name, 0.0)
        if time < before:
            lines.fail(
                number,
                f"'timestamp' decreases from {before:.17g} to {time:.17g} in the session "
                f"{name[:40]!r}",
                "sort the lines of the trace by timestamp",
            )
        self.last[name] = time
        columns.arrival.append(time)


def _check_size(lines: Lines, number: int, entry: Mapping[str, Any], columns: _Columns) -> None:
    if "block_size" not in entry:
        return
    size = lines.whole(number, entry, "block_size")
    if not size:
        lines.fail(number, "'block_size' must be 1 or more")
    if columns.block and size != columns.block:
        lines.fail(number, f"'block_size' is {size}, but {columns.block} in earlier lines")
    columns.block = size


def _ids(lines: Lines, named: list[list[Any]]) -> Ints:
    """[n] block ids of all requests. Strings and sparse ids are numbered in order of first use."""
    flat = list(chain.from_iterable(named))
    if not flat:
        raise TraceError(f"{lines.name}: no request has a block id")
    kinds = set(map(type, flat))
    if kinds == {str}:
        return _numbered_words(flat)
    if kinds != {int} or min(flat) < 0 or max(flat) > _MOST_ID:
        for number, ids in zip(lines.written, named, strict=True):
            for value in ids:
                if type(value) is not int or not 0 <= value <= _MOST_ID:
                    lines.fail(
                        number,
                        f"all block ids must be whole numbers from 0 to {_MOST_ID}, or all must be "
                        "strings",
                    )
    hashes = np.array(flat, np.uint64)
    if int(hashes.max()) < _SPARSE * hashes.size:
        return hashes.astype(np.int64)
    return numbered(hashes)


def _numbered_words(words: list[str]) -> Ints:
    seen: dict[str, int] = {}
    return np.fromiter((seen.setdefault(word, len(seen)) for word in words), np.int64, len(words))


def _check_blocks(lines: Lines, prompts: Ints, counts: Ints, size: int) -> bool:
    """Whether the trace has partial blocks without ids.

    Raises:
        TraceError: the numbers of ids do not match blocks of ``size`` tokens.
    """
    wrong = np.flatnonzero(-(-prompts // size) != counts)
    if not wrong.size:
        return False
    if ((prompts // size) == counts).all() and (counts > 1).any():
        return True
    line = int(wrong[0])
    what = (
        f"{counted(int(counts[line]), 'block')} for {counted(int(prompts[line]), 'token')}, but a "
        f"block has {counted(size, 'token')}"
    )
    return lines.fail(lines.written[line], what, _fitting(prompts, counts))


def _fitting(prompts: Ints, counts: Ints) -> str:
    """A hint for the user: a block size that matches all requests, if there is one.

    The last block of each request may be partial, or without an id.
    """
    some = counts > 0
    if not some.any():
        return "no block size fits all lines: is the file damaged?"
    several = counts > 1
    ranges = (
        (
            int((-(-prompts[some] // counts[some])).max(initial=1)),
            int(((prompts[several] - 1) // (counts[several] - 1)).min(initial=2**62)),
            not (prompts[~some] > 0).any(),
        ),
        (
            int((prompts // (counts + 1)).max(initial=0)) + 1,
            int((prompts[some] // counts[some]).min(initial=2**62)),
            True,
        ),
    )
    fitting = [(least, most) for least, most, possible in ranges if possible and least <= most]
    powers = [power for least, most in fitting if (power := 1 << (least - 1).bit_length()) <= most]
    for size in (*powers, *(least for least, _ in fitting)):
        return f"use --block-tokens {size}, which fits all lines"
    return "no block size fits all lines: is the file damaged?"
