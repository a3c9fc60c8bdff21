"""Traces for tests: built-in traces, traces from lists of blocks, and random traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cache

import numpy as np
from hypothesis import strategies as st

from membench.thesis.replay.trace import Trace
from membench.thesis.replay.traces import read_trace

Blocks = Sequence[int]

RUNS = st.lists(
    st.tuples(st.integers(0, 24), st.integers(0, 9)).map(lambda run: range(run[0], sum(run) + 1)),
    max_size=4,
).map(lambda runs: [block for run in runs for block in run])
PREFIXES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12)), min_size=1, max_size=40)


@cache
def shipped(name: str, *, nested: bool = False) -> Trace:
    """A built-in trace. The trace is read once per process, and its arrays are read-only."""
    trace = read_trace(name, nested=nested)
    for field in fields(trace):
        value = getattr(trace, field.name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return trace


def trace_of(requests: Sequence[Blocks], sessions: Sequence[int] | None = None) -> Trace:
    """A trace of requests given as lists of block ids, one second apart."""
    first: list[int] = []
    last: list[int] = []
    offsets = [0]
    for blocks in requests:
        begin = len(first)
        for block in blocks:
            if len(first) > begin and block == last[-1] + 1:
                last[-1] = block
            else:
                first.append(block)
                last.append(block)
        offsets.append(len(first))
    count = len(requests)
    return Trace(
        name="drawn",
        block_tokens=1,
        sessions=sessions is not None,
        private=sessions is not None,
        session=np.array(sessions if sessions is not None else [0] * count, np.int64),
        arrival=np.arange(count, dtype=np.float64),
        served=np.full(count, np.nan),
        prompt=np.array([len(blocks) for blocks in requests], np.int64),
        output=np.zeros(count, np.int64),
        nested=np.zeros(count, np.bool_),
        offsets=np.array(offsets, np.int64),
        first=np.array(first, np.int64),
        last=np.array(last, np.int64),
    )


def of_prefixes(drawn: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Requests of a conversation: a prefix of an earlier request, followed by new blocks."""
    requests: list[list[int]] = [[]]
    fresh = 0
    for number, (keep, more) in enumerate(drawn):
        base = requests[(keep * 7 + number) % len(requests)]
        requests.append([*base[:keep], *range(fresh, fresh + more)])
        fresh += more
    return requests
