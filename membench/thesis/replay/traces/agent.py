"""Reads the agent format (docs/replay.md): sessions of a coding agent, with requests and block ids.

A session has a `block_size`, `requests`, and optionally a `scope` (or `hash_id_scope`). The scope
must be "local", because block ids are private to the session.

A request has these keys:

- `t`: seconds from the start of the session
- `in`, `out`: numbers of tokens
- `api` (or `api_time`): seconds that the server took; null or absent if unknown
- `h` (or `hash_ids`): list of block ids. A pair ``[a, b]`` stands for the ids a to b.

An entry of `requests` with the key `requests` contains the requests of a sub-agent. The times of
these requests count from the `t` of the entry.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from membench.core.text import counted
from membench.thesis.replay.trace import Trace, TraceError
from membench.thesis.replay.traces.lines import Lines

_MOST_ID = 2**62


def is_form_of(lines: Lines) -> bool:
    """Whether the first line that is not blank is a session.

    Raises:
        TraceError: this line is not a JSON object.
    """
    first = lines.first
    return bool(first) and "requests" in lines.parse(first, lines.lines[first - 1])


def read_files(parts: list[Lines], name: str, block_tokens: int | None = None) -> Trace:
    """Read one trace from several files, each with one or more sessions."""
    reader = _Reader(parts[0])
    count = 0
    for part in parts:
        reader.lines = part
        for number, session in part.objects():
            count += 1
            reader.session(number, session, block_tokens, count)
    reader.lines = Lines(name, [])
    return reader.trace()


def read(lines: Lines, block_tokens: int | None = None) -> Trace:
    """Read a trace in the agent format.

    Args:
        block_tokens: tokens per block that the trace must have; None for any number.

    Raises:
        TraceError: no request has a block id, a line is invalid, or the block size is not
            ``block_tokens``.
    """
    reader = _Reader(lines)
    for number, session in lines.objects():
        reader.session(number, session, block_tokens, number)
    return reader.trace()


class _Reader:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.block = 0
        self.number = 0
        self.whole = True
        self.sessions = array("q")
        self.arrival, self.served = array("d"), array("d")
        self.prompt, self.output = array("q"), array("q")
        self.nested = array("b")
        self.offsets = array("q", [0])
        self.first, self.last = array("q"), array("q")

    def session(
        self, number: int, session: Mapping[str, Any], wanted: int | None, count: int
    ) -> None:
        """Add a session to the trace.

        Args:
            number: the line number, for errors.
            wanted: tokens per block that the user wants; None for any number.
            count: a number from 1 that identifies the session in the trace.
        """
        lines = self.lines
        self.number = count
        size = lines.whole(number, session, "block_size")
        if not size:
            lines.fail(number, "'block_size' must be 1 or more")
        if size != (self.block or size):
            lines.fail(number, f"'block_size' is {size}, but {self.block} in earlier sessions")
        if wanted not in {None, size}:
            lines.fail(
                number,
                f"the trace has blocks of {size} tokens, not of {wanted}",
                "omit --block-tokens",
            )
        self.block = size
        scope = "scope" if "scope" in session else "hash_id_scope"
        if session.get(scope, "local") != "local":
            lines.fail(number, f"'{scope}' must be \"local\"")
        requests = session.get("requests")
        if not isinstance(requests, list) or not requests:
            lines.fail(number, "'requests' must be a list with at least one request")
        self._requests(number, requests, 0.0, nested=False)

    def _requests(self, number: int, requests: list[Any], begin: float, *, nested: bool) -> None:
        lines = self.lines
        before = 0.0
        for place, request in enumerate(requests, 1):
            if not isinstance(request, dict):
                lines.fail(number, f"request {place} is not a JSON object")
            time = lines.time(number, request, "t")
            if time < before:
                lines.fail(
                    number, f"'t' of request {place} decreases from {before:.17g} to {time:.17g}"
                )
            before = time
            inner = request.get("requests")
            if inner is None:
                self._request(number, place, request, begin + time, nested=nested)
            elif not isinstance(inner, list):
                lines.fail(number, f"'requests' of request {place} must be a list")
            elif nested:
                lines.fail(number, f"inner request {place} must not have 'requests' of its own")
            else:
                self._requests(number, inner, time, nested=True)

    def _request(
        self, number: int, place: int, request: dict[str, Any], time: float, *, nested: bool
    ) -> None:
        lines = self.lines
        ids = request.get("h", request.get("hash_ids"))
        if not isinstance(ids, list):
            lines.fail(number, f"request {place} has no list 'h' of block ids")
        blocks = 0
        for run in ids:
            if type(run) is int:
                first = last = run
            elif type(run) is list and list(map(type, run)) == [int, int]:
                first, last = run
            else:
                lines.fail(
                    number,
                    f"request {place} has an id that is neither a whole number nor a pair of "
                    "whole numbers",
                )
            if not 0 <= first <= last < _MOST_ID:
                lines.fail(
                    number, f"request {place} has an invalid range of ids: {first} to {last}"
                )
            if blocks and first == self.last[-1] + 1:
                self.last[-1] = last
            else:
                self.first.append(first)
                self.last.append(last)
            blocks += last - first + 1
        prompt = lines.whole(number, request, "in")
        if blocks not in {prompt // self.block, -(-prompt // self.block)}:
            lines.fail(
                number,
                f"request {place} lists {counted(blocks, 'block')} of {self.block} tokens, but its "
                f"prompt has {counted(prompt, 'token')}",
            )
        key = "api" if "api" in request else "api_time"
        self.whole = self.whole and blocks == prompt // self.block
        served = request.get(key)
        self.served.append(np.nan if served is None else lines.time(number, request, key))
        self.sessions.append(self.number - 1)
        self.arrival.append(time)
        self.prompt.append(prompt)
        self.output.append(lines.whole(number, request, "out"))
        self.nested.append(nested)
        self.offsets.append(len(self.first))

    def trace(self) -> Trace:
        if not self.first:
            raise TraceError(f"{self.lines.name}: no request has a block id")
        return Trace(
            name=self.lines.name,
            block_tokens=self.block,
            sessions=True,
            private=True,
            session=np.array(self.sessions, np.int64),
            arrival=np.array(self.arrival, np.float64),
            served=np.array(self.served, np.float64),
            prompt=np.array(self.prompt, np.int64),
            output=np.array(self.output, np.int64),
            nested=np.array(self.nested, np.bool_),
            offsets=np.array(self.offsets, np.int64),
            first=np.array(self.first, np.int64),
            last=np.array(self.last, np.int64),
            full_only=self.whole,
        )
