"""Traces in the formats of other tools, traces with another block size, and missing fields."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from test_replay import brute_force, expanded
from traces import PREFIXES, of_prefixes, shipped, trace_of
from whole_commands import linear_model, window_model

from membench.core.errors import UsageError
from membench.thesis.models.architecture import shape_of
from membench.thesis.models.catalogue import models
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token, kv_bytes
from membench.thesis.replay.answer import TierAsked, block_bytes, replay_source
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import TraceError
from membench.thesis.replay.traces import SHIPPED, read_trace, shipped_bytes
from membench.thesis.replay.traces.regroup import regrouped

SESSION = {
    "id": "s1",
    "models": ["m"],
    "block_size": 64,
    "hash_id_scope": "local",
    "tool_tokens": 64,
    "requests": [
        {"t": 0.0, "type": "n", "in": 128, "out": 5, "hash_ids": [1, 2], "api_time": 1.0},
        {"t": 3.0, "type": "n", "in": 200, "out": 5, "hash_ids": [1, 2, 3], "api_time": 1.0},
    ],
}


def write(path: Path, *entries: object) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def test_a_session_as_kv_cache_tester_publishes_it(tmp_path: Path) -> None:
    one = tmp_path / "trace_0001.json"
    for text in (json.dumps(SESSION), json.dumps(SESSION, indent=2)):
        one.write_text(text)
        trace = read_trace(str(one))
        assert (trace.block_tokens, trace.references) == (64, 5)
        assert replay(trace).curve.most == 0.4
    (tmp_path / "trace_0002.json").write_text(json.dumps(SESSION))
    folder = read_trace(str(tmp_path))
    assert (folder.requests, folder.private) == (4, True)
    assert replay(folder).curve.most == 0.4  # block ids belong to one session


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="contains no trace"):
        read_trace(str(tmp_path))
    write(tmp_path / "a.jsonl", {"timestamp": 0, "input_length": 1, "hash_ids": [1]})
    with pytest.raises(TraceError, match="not a session"):
        read_trace(str(tmp_path))


@pytest.mark.parametrize(
    "head",
    [
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:01:51.1632340,4808,10",
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,G,472,18,490,x",
    ],
)
def test_lengths_without_ids_are_told_what_they_lack(head: str, tmp_path: Path) -> None:
    path = tmp_path / "lengths.csv"
    path.write_text(head + "\n")
    with pytest.raises(TraceError, match="lengths, but no block ids to replay"):
        read_trace(str(path))


def test_a_pointer_is_told_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 132054902\n")
    with pytest.raises(TraceError, match="Git LFS pointer") as caught:
        read_trace(str(path))
    assert "git lfs pull" in caught.value.hint


_REQUEST = {"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [0, 1]}
_TWICE = f"{json.dumps(_REQUEST)}\n{json.dumps(_REQUEST)}\n"


@pytest.mark.parametrize(
    "content",
    [
        ("\ufeff" + _TWICE).replace("\n", "\r\n").encode(),
        _TWICE.encode("utf-16"),
        ("\n\n" + _TWICE.replace("\n", "\n\n")).encode(),
        json.dumps([_REQUEST, _REQUEST]).encode(),
        json.dumps([_REQUEST, _REQUEST], indent=1).encode(),
    ],
    ids=["bom-and-crlf", "utf-16", "blank-lines", "list", "indented-list"],
)
def test_how_a_file_was_saved_changes_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(content)
    trace = read_trace(str(path))
    assert (trace.requests, trace.references) == (2, 4)


def test_blank_lines_of_a_table_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    path.write_text("\ntime,obj_id,size\n\n1,7,4\n2,7,4\n\n")
    assert replay(read_trace(str(path))).curve.hits(np.array([1])).tolist() == [1]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"schema,run_id,machine\nmembench.results/1,a,b\n", "results file of membench"),
        (b"\0\1\2", "not JSON"),
        (b"5\n", "not a JSON object"),
        (gzip.compress(_TWICE.encode(), mtime=0)[:30], "damaged or truncated"),
    ],
)
def test_the_wrong_file_is_told_with_what_helps(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=what) as caught:
        read_trace(str(path))
    assert caught.value.hint


OBJECTS = [7, 3, 7, 2**63, 3, 7]


@pytest.mark.parametrize("head", ["time,obj_id,size\n", ""])
def test_objects_of_libcachesim_are_requests_of_one_block(head: str, tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    lines = [f"{at},{one},4096" for at, one in enumerate(OBJECTS)]
    path.write_text(head + "\n".join(lines) + "\n")
    trace = read_trace(str(path))
    assert (trace.requests, trace.references, trace.block_tokens) == (6, 6, 0)
    assert trace.arrival.tolist() == [0, 1, 2, 3, 4, 5]
    assert replay(trace).curve.hits(np.array([1, 2, 3])).tolist() == [0, 1, 3]
    found = replay_source(str(path), capacities=(2,))
    assert (found.block_tokens, found.points[0].token_hit_rate) == (None, None)
    with pytest.raises(UsageError, match="does not have the number of tokens"):
        replay_source(str(path), model=models()["llama-3.1-8b"])


def test_records_of_oraclegeneral_are_read(tmp_path: Path) -> None:
    packed = b"".join(struct.pack("<IQIq", at, one, 1, -1) for at, one in enumerate(OBJECTS))
    path = tmp_path / "trace.oracleGeneral.gz"
    path.write_bytes(gzip.compress(packed))
    assert replay(read_trace(str(path))).curve.hits(np.array([3])).tolist() == [3]
    path.write_bytes(gzip.compress(packed[:-1]))
    with pytest.raises(TraceError, match="does not consist of whole records of 24 bytes"):
        read_trace(str(path))


def test_packed_files_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    entry = {"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [0, 1]}
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    assert read_trace(str(path)).references == 2
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(9))
    with pytest.raises(TraceError, match="zstd"):
        read_trace(str(path))


def line(ids: Sequence[Any], tokens: int, **more: Any) -> dict[str, Any]:
    return {"input_length": tokens, "output_length": 1, "hash_ids": [*ids], **more}


def test_ids_may_be_hashes_in_hexadecimal_digits(tmp_path: Path) -> None:
    words = [["0xa1", "0xb2"], ["0xa1", "0xc3"]]
    entries = [line(ids, 1024, timestamp=at) for at, ids in enumerate(words)]
    trace = read_trace(write(tmp_path / "m", *entries))
    assert replay(trace).curve.hits(np.array([9])).tolist() == [1]


def test_lines_with_their_own_block_size_need_no_times(tmp_path: Path) -> None:
    entries = [
        {"hash_ids": ["1", "2"], "input_length": 30, "block_size": 16},
        {"hash_ids": ["1", "2"], "input_length": 32, "block_size": 16},
    ]
    path = write(tmp_path / "k", *entries)
    found = replay_source(path, capacities=(2,))
    assert (found.block_tokens, found.timed, found.reread) == (16, False, ())
    assert found.points[0].hit_rate == 0.5
    assert found.points[0].full_after_s is None
    with pytest.raises(UsageError, match="the trace has none"):
        replay_source(path, warmup=1.0)
    other = {"hash_ids": ["1"], "input_length": 9, "block_size": 32}
    with pytest.raises(TraceError, match="line 2: 'block_size' is 32, but 16 in earlier lines"):
        read_trace(write(tmp_path / "l", entries[0], other))


def test_sessions_with_delays_are_put_in_order(tmp_path: Path) -> None:
    entries = [
        line([1], 512, session_id="a", timestamp=0),
        line([1, 2], 1024, session_id="a", delay=5000),
        line([7], 512, session_id="b", timestamp=2000),
    ]
    trace = read_trace(write(tmp_path / "s", *entries))
    assert trace.arrival.tolist() == [0, 2, 5]
    assert trace.first.tolist() == [1, 7, 1]


def test_other_names_of_the_keys_are_read(tmp_path: Path) -> None:
    entry = {"created_time": 5, "input_tokens": 600, "output_tokens": 1, "hash_ids": [1, 2]}
    trace = read_trace(write(tmp_path / "d", entry))
    assert (trace.prompt.tolist(), trace.arrival.tolist()) == ([600], [0.005])


def test_whole_blocks_alone_are_told_as_such(tmp_path: Path) -> None:
    entries = [line([1, 2], 1300, timestamp=0), line([1, 2, 3], 1600, timestamp=1)]
    found = replay_source(write(tmp_path / "f", *entries), capacities=(9,))
    assert found.full_blocks_only
    assert found.points[0].hit_rate == 2 / 5
    assert found.points[0].token_hit_rate == 1024 / 2900
    hinted = [line([1, 2, 3], 60, timestamp=0), line([1, 2, 3, 4], 79, timestamp=1)]
    with pytest.raises(TraceError) as caught:
        read_trace(write(tmp_path / "g", *hinted))
    assert caught.value.hint == "use --block-tokens 16, which fits all lines"


def test_the_conversation_in_blocks_of_8192_tokens() -> None:
    found = replay_source("conversation", block_tokens=8192, capacities=(10**6,))
    (point, _) = found.points
    assert round(100 * point.hit_rate, 1) == 17.7
    assert point.token_hit_rate is not None
    assert round(100 * point.token_hit_rate, 1) == 24.2


@settings(max_examples=examples(60))
@given(PREFIXES, st.integers(2, 4), st.booleans())
def test_a_large_block_is_the_sequence_of_its_small_ones(
    drawn: list[tuple[int, int]], many: int, private: bool
) -> None:
    requests = of_prefixes(drawn)
    sessions = [number % 3 for number in range(len(requests))] if private else None
    trace = regrouped(trace_of(requests, sessions), many)
    groups = [
        [
            (sessions[number] if sessions else 0, *blocks[begin : begin + many])
            for begin in range(0, len(blocks), many)
        ]
        for number, blocks in enumerate(requests)
    ]
    assert trace.references == sum(map(len, groups))
    for capacity in (1, 3, 10, 100):
        hits = replay(trace).curve.hits(np.array([capacity]))[0]
        assert hits == brute_force(groups, capacity)


def test_blocks_are_not_cut() -> None:
    with pytest.raises(TraceError, match="cannot be split") as caught:
        read_trace("conversation", 256)
    assert "512" in str(caught.value) or "multiple" in caught.value.hint


@settings(max_examples=examples(60))
@given(PREFIXES, st.integers(0, 20), st.integers(1, 40))
def test_warm_rates_count_what_comes_after_the_warm_up(
    drawn: list[tuple[int, int]], first: int, capacity: int
) -> None:
    requests = of_prefixes(drawn)
    first = min(first, len(requests) - 1)
    found = replay(trace_of(requests))
    late = brute_force(requests, capacity) - brute_force(requests[:first], capacity)
    assert found.since(first).hits(np.array([capacity])).tolist() == [late]
    assert found.since(first).references == sum(map(len, requests[first:]))


def test_tokens_of_a_partial_block_are_counted_once_it_hits() -> None:
    trace = shipped("conversation").take(np.arange(400))
    requests = expanded(trace)
    lengths = trace.prompt.tolist()
    found = replay(trace)
    for capacity in (300, 2000, 10**6):
        cache: dict[tuple[int, int], None] = {}
        tokens = 0
        for blocks, length in zip(requests, lengths, strict=True):
            hits = next((at for at, one in enumerate(blocks) if one not in cache), len(blocks))
            tokens += min(hits * 512, length)
            for block in reversed(blocks):
                cache.pop(block, None)
                cache[block] = None
            while len(cache) > capacity:
                cache.pop(next(iter(cache)))
        rates = found.token_rates(np.array([capacity]))
        assert rates is not None
        assert rates[0] == pytest.approx(tokens / sum(lengths))


def test_bytes_of_a_block_count_windows_and_state() -> None:
    trace = shipped("conversation")
    scout = models()["llama-4-scout"].shape
    expected = sum(kv_bytes(scout, tokens) for tokens in trace.prompt.tolist())
    assert block_bytes(trace, scout, KvDtype.FP16) == pytest.approx(
        512 * expected / trace.prompt.sum()
    )
    for config in (window_model(), linear_model()):  # the cache does not grow with a long context
        shape = shape_of(json.loads(config))
        assert bytes_per_token(shape) == 0
        held = sum(kv_bytes(shape, tokens) for tokens in trace.prompt.tolist())
        assert block_bytes(trace, shape, KvDtype.FP16) == pytest.approx(
            512 * held / trace.prompt.sum()
        )
    llama = models()["llama-3.1-8b"].shape
    assert block_bytes(trace, llama, KvDtype.FP8) == 512 * bytes_per_token(llama, KvDtype.FP8)


def test_capacities_in_bytes_are_whole_blocks() -> None:
    llama = models()["llama-3.1-70b"]
    found = replay_source("conversation", sizes=(80e9, 1e12), model=llama)
    block = 512 * 327_680
    assert [point.capacity for point in found.points] == [80e9 // block, 1e12 // block, None]
    with pytest.raises(UsageError, match=r"a cache of 1 KB is less than one block \(168 MB\)"):
        replay_source("conversation", sizes=(1000.0,), model=llama)
    with pytest.raises(UsageError, match="require a model"):
        replay_source("conversation", sizes=(1e9,))


def test_a_tier_that_holds_no_block_is_refused() -> None:
    tiny = [TierAsked(name="ssd", capacity_bytes=1.0)]
    with pytest.raises(UsageError, match="ssd: 1 B is less than one block"):
        replay_source("conversation", model=models()["llama-3.1-8b"], tiers=tiny)


def test_tiers_hold_what_one_cache_of_their_size_would(tmp_path: Path) -> None:
    path = tmp_path / "begin.jsonl"
    path.write_bytes(b"\n".join(shipped_bytes(SHIPPED[0].file).splitlines()[:600]))
    llama = models()["llama-3.1-70b"]
    block = 512 * 327_680
    asked = (
        TierAsked(name="hbm", capacity_bytes=200.5 * block),  # half a block remains unused
        TierAsked(name="ddr", capacity_bytes=1000.5 * block),
        TierAsked(name="ssd", capacity_bytes=50_000 * block, second=True),
    )
    found = replay_source(str(path), capacities=(200, 1000), model=llama, tiers=asked)
    hbm, ddr, ssd = found.tiers
    one, ten = found.points[:2]
    assert hbm.hit_rate == pytest.approx(one.hit_rate)
    assert hbm.hit_rate + ddr.hit_rate == pytest.approx(ten.hit_rate)
    assert ssd.written_per_day is not None
    assert ddr.written_per_day is not None
    assert ssd.hit_rate > 0
    assert ssd.written_per_day < ddr.written_per_day / 3  # blocks that occur once are not written


def test_sessions_with_clocks_of_their_own_have_no_day(tmp_path: Path) -> None:
    path = write(tmp_path / "a", SESSION, SESSION)
    found = replay_source(path, capacities=(9,), model=models()["llama-3.1-8b"])
    assert found.points[0].written_per_day is None
    assert found.full_blocks_only
    with pytest.raises(UsageError, match="common clock"):
        replay_source(path, warmup=1.0)
