"""Trace files: built-in traces equal the published traces; bad files give one error line."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import random
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import UsageError
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import Trace, TraceError
from membench.thesis.replay.traces import SHIPPED, read_trace, shipped_bytes
from membench.thesis.replay.traces.agent import is_form_of, read
from membench.thesis.replay.traces.azure import NAMES, azure_lengths, parse_lengths
from membench.thesis.replay.traces.lines import Lines, lines_of, read_trace_bytes
from membench.thesis.replay.traces.mooncake import read as read_mooncake

AZURE = {
    "conv": "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
    "code": "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
}


def line(**changes: Any) -> dict[str, Any]:
    """A request in the Mooncake format with two blocks. The change "gone" removes a key."""
    whole = {"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [0, 1]}
    return {key: value for key, value in {**whole, **changes}.items() if value != "gone"}


def session(*requests: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A session in the agent format. The change "gone" removes a key."""
    whole = {"id": "s", "block_size": 64, "scope": "local", "requests": list(requests)}
    return {key: value for key, value in {**whole, **changes}.items() if value != "gone"}


def request(**changes: Any) -> dict[str, Any]:
    whole = {"t": 0.0, "in": 200, "out": 1, "api": 1.5, "h": [7, [1, 2]]}
    return {key: value for key, value in {**whole, **changes}.items() if value != "gone"}


def write(path: Path, *entries: object) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_a_shipped_trace_is_the_published_file(one: Any) -> None:
    assert hashlib.sha256(shipped_bytes(one.file)).hexdigest() == one.sha256
    notice = (files("membench.thesis.replay.traces") / "data" / "NOTICE").read_text(
        encoding="ascii"
    )
    assert one.file in notice
    assert one.origin.partition(",")[0].split()[0] in notice
    assert read_trace(one.name).references > 0


@pytest.mark.parametrize("name", NAMES)
def test_lengths_of_azure_are_the_published_file(name: str) -> None:
    packed = shipped_bytes(f"AzureLLMInferenceTrace_{name}.csv.xz")
    assert hashlib.sha256(packed).hexdigest() == AZURE[name]
    lengths = azure_lengths(name)
    assert lengths.arrival.size == packed.count(b"\n")  # the last line has no line end
    assert lengths.arrival[0] == 0
    assert 3000 < lengths.arrival[-1] < 3700  # about an hour
    assert (lengths.prompt > 0).all()


@pytest.mark.parametrize(
    "text", ["", "a,b\n", "TIMESTAMP,ContextTokens,GeneratedTokens\nnow,1,2\n"]
)
def test_bad_lengths_are_refused(text: str) -> None:
    with pytest.raises(TraceError):
        parse_lengths(text, "x")


def test_lengths_that_go_back_are_refused() -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    with pytest.raises(TraceError, match="x, line 3: the time is before"):
        parse_lengths(head + "2023-11-16 18:15:47,1,1\n2023-11-16 18:15:46,1,1\n", "x")


def test_a_negative_number_of_tokens_is_refused() -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    with pytest.raises(TraceError, match="x, line 3: a number of tokens is negative"):
        parse_lengths(head + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:47,1,-1\n", "x")


def test_both_forms_are_told_apart(tmp_path: Path) -> None:
    mooncake = read_trace(write(tmp_path / "m", line(), line(hash_ids=[0, 5])))
    assert (mooncake.sessions, mooncake.block_tokens, mooncake.requests) == (False, 512, 2)
    assert mooncake.first.tolist() == [0, 0, 5]
    assert mooncake.last.tolist() == [1, 0, 5]
    assert mooncake.offsets.tolist() == [0, 1, 3]
    agent = read_trace(write(tmp_path / "a", session(request(), request(t=3, api=None))))
    assert (agent.sessions, agent.block_tokens, agent.requests) == (True, 64, 2)
    assert agent.first.tolist() == [7, 1, 7, 1]
    assert np.isnan(agent.served).tolist() == [False, True]


def test_sub_agents_are_kept_apart_and_start_when_they_are_called(tmp_path: Path) -> None:
    inner = {"t": 5.0, "requests": [request(t=2.0, h=[[9, 11]])]}
    path = write(tmp_path / "a", session(request(), inner, request(t=6.0)))
    assert read_trace(path).requests == 2
    whole = read_trace(path, nested=True)
    assert whole.arrival.tolist() == [0, 7, 6]
    assert whole.nested.tolist() == [False, True, False]


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress])
def test_packed_files_are_unpacked_and_damaged_ones_refused(pack: Any, tmp_path: Path) -> None:
    packed = pack(json.dumps(line()).encode())
    path = tmp_path / f"trace.{'xz' if pack is lzma.compress else 'gz'}"
    path.write_bytes(packed)
    assert read_trace(str(path)).requests == 1
    path.write_bytes(packed[:-6])
    with pytest.raises(TraceError, match="damaged"):
        read_trace(str(path))


def test_hashes_are_numbered_anew_without_changing_what_is_equal(tmp_path: Path) -> None:
    plain = [line(hash_ids=[0, 1]), line(hash_ids=[0, 2]), line(hash_ids=[0, 1])]
    hashes = {0: 2**64 - 1, 1: 3, 2: 2**63}
    hashed = [line(hash_ids=[hashes[i] for i in entry["hash_ids"]]) for entry in plain]
    one, two = (
        read_trace(write(tmp_path / name, *entries))
        for name, entries in (("plain", plain), ("hashed", hashed))
    )
    assert one.first.tolist() == two.first.tolist()
    assert one.last.tolist() == two.last.tolist()


def test_lines_of_bailian_are_in_seconds_and_blocks_of_16(tmp_path: Path) -> None:
    entry = {**line(timestamp=61.114, input_length=20), "chat_id": 159}
    trace = read_trace(write(tmp_path / "b", entry))
    assert (trace.block_tokens, trace.arrival.tolist()) == (16, [61.114])


def test_a_request_may_have_no_block_and_times_may_be_equal(tmp_path: Path) -> None:
    entries = [line(), line(input_length=0, hash_ids=[]), line()]
    found = replay(read_trace(write(tmp_path / "m", *entries)))
    assert found.curve.hits(np.array([2])).tolist() == [2]


BAD_MOONCAKE = [
    ([line(timestamp=5), line(timestamp=4)], "line 2: 'timestamp' decreases"),
    ([line(timestamp=-1)], r"time from 0 to 2\^53"),
    ([line(timestamp=float("nan"))], r"time from 0 to 2\^53"),
    ([line(timestamp=True)], r"time from 0 to 2\^53"),
    ([line(timestamp="gone")], "'timestamp' is missing"),
    ([line(input_length=1.5)], "'input_length' must be a whole"),
    ([line(output_length=-1)], "'output_length' must be a whole"),
    ([line(hash_ids="gone")], "'hash_ids' must be a list"),
    ([line(), line(hash_ids=[0, -1])], "line 2: all block ids"),
    ([line(hash_ids=[0, 2**64])], "all block ids"),
    ([line(hash_ids=[0, "1"])], "all block ids"),
    ([line(hash_ids=[0, True])], "all block ids"),
    ([line(hash_ids=[0, [1, 2]])], "all block ids"),
    ([line(), line(hash_ids=[0, 1, 2])], "line 2: 3 blocks for 600 tokens"),
    ([line(input_length=0, hash_ids=[])], "no request has a block"),
    ([line(), 5], "line 2: this is not a JSON object"),
]
BAD_AGENT = [
    ([session(request(), block_size=0)], "'block_size' must be 1 or more"),
    (
        [session(request()), session(request(), block_size=16)],
        "line 2: 'block_size' is 16, but 64 in earlier sessions",
    ),
    ([session(request(), scope="global")], "scope"),
    ([session()], "at least one request"),
    ([session(request(t=-1))], r"time from 0 to 2\^53"),
    ([session(request(t=5), request(t=4))], "'t' of request 2 decreases"),
    ([session(request(h=[[2, 1]]))], "ids: 2 to 1"),
    ([session(request(h=[[1, 2, 3]]))], "nor a pair"),
    ([session(request(h=[1.0, 2, 3]))], "nor a pair"),
    ([session(request(h=[[1, 2**62]]))], "range of ids: 1 to"),
    ([session(request(h=[-1, 2, 3]))], "ids: -1"),
    ([session(request(h=[[1, 2**61]]))], "blocks of 64 tokens, but its prompt has 200 tokens"),
    ([session(request(h="gone"))], "no list 'h'"),
    ([session(request(**{"in": None}))], "'in' is missing"),
    ([session(request(api=-1))], "'api' must be a time"),
    ([session({"t": 0, "requests": [{"t": 0, "requests": []}]})], "must not have 'requests'"),
    ([session({"t": 0, "requests": 5})], "'requests' of request 1 must be a list"),
    ([session(request(**{"in": 0}, h=[]))], "no request has a block"),
    ([{"requests": [5], "block_size": 64}], "request 1 is not a JSON object"),
]


@pytest.mark.parametrize(("entries", "says"), [*BAD_MOONCAKE, *BAD_AGENT])
def test_a_bad_trace_is_refused_in_one_line(
    entries: list[object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(TraceError, match=says) as caught:
        read_trace(write(tmp_path / "bad", *entries))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "bad"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (json.dumps(line()).encode() + b"\n" + json.dumps(line()).encode()[:30], "cut off"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=says):
        read_trace(str(path))


def test_a_wrong_block_size_is_refused_with_the_right_one(tmp_path: Path) -> None:
    path = write(tmp_path / "m", line(input_length=20), line(input_length=31))
    with pytest.raises(TraceError, match="512") as caught:
        read_trace(path)
    assert caught.value.hint == "use --block-tokens 16, which fits all lines"
    assert read_trace(path, 16).block_tokens == 16
    Path(path).write_text("\n" + Path(path).read_text())
    with pytest.raises(TraceError, match="line 2: 2 blocks for 20 tokens, but a block has 512"):
        read_trace(path)
    mixed = write(tmp_path / "n", line(input_length=20), line(input_length=2000))
    with pytest.raises(TraceError) as caught:
        read_trace(mixed)
    assert "no block size fits" in caught.value.hint
    agent = write(tmp_path / "a", session(request()))
    with pytest.raises(TraceError, match="64 tokens, not of 16"):
        read_trace(agent, 16)


def test_a_trace_that_is_not_there_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        read_trace("conversaton")
    assert caught.value.hint == "did you mean conversation?"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2**65), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(150))
@given(st.data(), st.sampled_from(["mooncake", "agent"]))
def test_any_change_of_a_trace_is_read_or_refused(data: st.DataObject, form: str) -> None:
    """One value is replaced by any other value, or the text is cut at any position."""
    entry = line() if form == "mooncake" else session(request(), request(t=1))
    holder = entry if form == "mooncake" or data.draw(st.booleans()) else entry["requests"][1]
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(VALUES)
    text = json.dumps(entry).encode()
    lines = Lines("drawn", [text[: data.draw(st.integers(1, 4 * len(text)))]])
    found: Trace | str
    try:
        found = read(lines) if is_form_of(lines) else read_mooncake(lines)
        replay(found)
    except TraceError as error:
        found = str(error)
    if isinstance(found, str):
        assert found.startswith("drawn")
        assert "\n" not in found
    else:
        assert found.references > 0


def test_a_packed_trace_may_be_small_or_packed_as_traces_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{read_trace_bytes.__module__}.SMALL", 1000)
    path = tmp_path / "t.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"a": 1, "bcdef": 2}\n' * 40))  # 840 bytes after decompression
    assert len(lines_of(read_trace_bytes(path), "t")) == 40
    path.write_bytes(lzma.compress(b'{"a": 1, "bcdef": 2}\n' * 10_000))
    with pytest.raises(TraceError, match=r"t\.jsonl\.xz: the file is larger than"):
        read_trace_bytes(path)
    noise = random.Random(0).randbytes(5000).hex().encode()
    path.write_bytes(lzma.compress(noise))
    assert lines_of(read_trace_bytes(path), "t") == [noise]
    path.write_bytes(lzma.compress(b"\n" * 999))
    with pytest.raises(TraceError, match="the lines have fewer than 16 bytes on average"):
        read_trace_bytes(path)
