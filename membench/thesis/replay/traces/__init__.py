"""Reads traces of requests: the traces that membench contains, and files of several formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from membench.core.errors import UsageError
from membench.core.files import shown
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.text import one_line
from membench.core.untrusted import unpack
from membench.thesis.replay.trace import Trace, TraceError
from membench.thesis.replay.traces.lines import (
    MAX_BYTES,
    Lines,
    as_utf8,
    lines_of,
    read_trace_bytes,
)


@record(kw_only=True)
class Shipped:
    """A trace that membench contains.

    Attributes:
        file: name of the compressed file in `data/`.
        sha256: digest of the uncompressed file.
        origin: repository, commit and path of the published file, and any changes.
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
    """The decompressed content of ``file`` in `data/`."""
    return unpack((Path(__file__).parent / "data" / file).read_bytes(), file, MAX_BYTES)


def read_trace(source: str, block_tokens: int | None = None, *, nested: bool = False) -> Trace:
    """Read a trace.

    Args:
        source: name of a trace that membench contains, a file, or a folder of files with sessions.
        block_tokens: number of tokens per block. Smaller blocks of the trace are merged. None for
            the block size in the trace, or else the usual size of the format. Ignored if blocks are
            objects without tokens.
        nested: whether to keep the requests of sub-agents.

    Raises:
        UsageError: ``source`` looks like a name, but no built-in trace or file has this name.
        TraceError: the file does not exist, has no blocks or is invalid, or ``block_tokens`` does
            not fit the trace.
    """
    trace = _read(source, block_tokens)
    return trace if nested else trace.without_nested()


def _read(source: str, block_tokens: int | None) -> Trace:
    for one in SHIPPED:
        if one.name == source:
            lines = Lines(one.name, shipped_bytes(one.file).splitlines())
            return _of_lines(lines, block_tokens)
    path = Path(source)
    if path.is_dir():
        return _of_folder(path, block_tokens)
    if not (path.is_file() or path.is_fifo()):
        names = [one.name for one in SHIPPED]
        error = UsageError if path.name == source and not path.suffix else TraceError
        raise error(
            f"{one_line(source)}: this is neither a file nor the name of a trace",
            did_you_mean(source, names, f"give a file, or {' or '.join(names)}"),
        )
    from membench.thesis.replay.traces import objects

    content = read_trace_bytes(path)
    if objects.is_binary(path.name):
        return objects.read_binary(content, shown(path))
    return _of_lines(_lines(shown(path), content), block_tokens)


def _of_lines(lines: Lines, block_tokens: int | None) -> Trace:
    from membench.thesis.replay.traces import agent, mooncake, objects
    from membench.thesis.replay.traces.regroup import regrouped

    if objects.is_table(lines):
        return objects.read_table(lines)
    read: Callable[..., Trace] = agent.read if agent.is_form_of(lines) else mooncake.read
    try:
        return read(lines, block_tokens)
    except TraceError as error:
        if block_tokens is None:
            raise
        try:
            own = read(lines)
        except TraceError:
            raise error from None
        return regrouped(own, block_tokens)


def _of_folder(path: Path, block_tokens: int | None) -> Trace:
    from membench.thesis.replay.traces import agent
    from membench.thesis.replay.traces.regroup import regrouped

    files_here = sorted(one for one in path.iterdir() if ".json" in one.name and one.is_file())
    if not files_here:
        raise TraceError(
            f"{path}: the folder contains no trace",
            "give a folder with .json or .jsonl files",
        )
    parts = [_lines(shown(one), read_trace_bytes(one)) for one in files_here]
    for part in parts:
        if not agent.is_form_of(part):
            raise TraceError(
                f"{part.name}: this is not a session", "give one file instead of the folder"
            )
    own = agent.read_files(parts, shown(path))
    return own if block_tokens in {None, own.block_tokens} else regrouped(own, block_tokens or 0)


def _lines(name: str, content: bytes) -> Lines:
    """Split ``content`` into lines.

    If the content is a single JSON object, it becomes one line. If it is a JSON list, each element
    becomes a line.
    """
    content = as_utf8(content)
    lines = lines_of(content, name)
    if lines and (lines[0].strip() in {b"{", b"["} or content.startswith(b"[")):
        try:
            whole = json.loads(content)
        except (ValueError, RecursionError):
            return Lines(name, lines)
        several = whole if isinstance(whole, list) and whole else [whole]
        return Lines(name, [json.dumps(one).encode() for one in several])
    return Lines(name, lines)
