"""Traces of requests: those that are shipped, and any file of the same forms."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from membench.core.text import one_line
from membench.core.untrusted import unpack
from membench.thesis.replay.trace import Trace, TraceError
from membench.thesis.replay.traces.lines import MAX_BYTES, Lines, read_lines


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A trace that comes with membench.

    Attributes:
        file: compressed, in `data/`.
        sha256: of what is in it: the published file, byte by byte.
        origin: repository, commit and path; ``licence`` is that of the data.
    """

    name: str
    file: str
    sha256: str
    origin: str
    licence: str


SHIPPED = (
    Shipped(
        name="conversation",
        file="conversation_trace.jsonl.xz",
        sha256="b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
        origin="kvcache-ai/Mooncake 3b5a594, FAST25-release/traces/conversation_trace.jsonl",
        licence="Apache-2.0",
    ),
    Shipped(
        name="agent",
        file="cc_traces_rle.jsonl.xz",
        sha256="17eece81db018a16743d19e931b46a69605f4254e097493af878be85b98deeb6",
        origin="callanjfox/kv-cache-tester 94f6046, traces/trace_*.json: 710 of 739, re-encoded",
        licence="Apache-2.0",
    ),
)


def shipped_bytes(file: str) -> bytes:
    """What is in the shipped ``file``, unpacked."""
    return unpack((files(__package__) / "data" / file).read_bytes(), file, MAX_BYTES)


def read_trace(source: str, block_tokens: int | None = None, *, nested: bool = False) -> Trace:
    """The trace ``source``: the name of a shipped one, or a file in either of the two forms.

    Args:
        block_tokens: tokens of a block; None for what the form or the file says.
        nested: whether to keep what sub-agents asked, where a trace has it.

    Raises:
        TraceError: there is no such trace, or it does not hold what its form demands:
            one line that names the line and what is wrong with it.
    """
    from membench.thesis.replay.traces import agent, mooncake

    lines = _lines(source)
    read = agent.read if agent.is_form_of(lines) else mooncake.read
    trace = read(lines, block_tokens)
    return trace if nested else trace.without_nested()


def _lines(source: str) -> Lines:
    for one in SHIPPED:
        if one.name == source:
            return Lines(one.name, shipped_bytes(one.file).splitlines())
    path = Path(source)
    if not (path.is_file() or path.is_fifo()):
        names = [one.name for one in SHIPPED]
        near = get_close_matches(source, names, n=1)
        raise TraceError(
            f"{one_line(source)}: there is no such trace",
            f"did you mean {near[0]}?" if near else f"name a file, or {' or '.join(names)}",
        )
    return read_lines(path)
