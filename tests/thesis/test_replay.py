"""The replay in one pass, compared with a brute-force cache and with an LRU library."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from unittest import mock

import libcachesim
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sampling import examples
from traces import PREFIXES, RUNS, of_prefixes, shipped, trace_of

from membench.thesis.replay import hits as replay_module
from membench.thesis.replay.hit_curve import HitCurve
from membench.thesis.replay.hits import Replay, replay
from membench.thesis.replay.trace import (
    Trace,
    TraceError,
    with_poisson_arrivals,
    with_shared_prefix,
)


def brute_force(requests: Sequence[Sequence[object]], capacity: int) -> int:
    """Total hits of a plain LRU cache of ``capacity`` blocks.

    Only hits from the first block on count.
    """
    # Ordered by last use, the most recent block last.
    cache: OrderedDict[object, None] = OrderedDict()
    hits = 0
    for blocks in requests:
        for block in blocks:
            if block not in cache:
                break
            hits += 1
        for block in reversed(blocks):
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


def expanded(trace: Trace) -> list[list[tuple[int, int]]]:
    """The blocks of each request as pairs (session, block id)."""
    requests = []
    for number, session in enumerate(trace.session.tolist()):
        runs = range(trace.offsets[number], trace.offsets[number + 1])
        requests.append(
            [
                (session, block)
                for run in runs
                for block in range(int(trace.first[run]), int(trace.last[run]) + 1)
            ]
        )
    return requests


def check_at_all_capacities(found: Replay, requests: Sequence[Sequence[object]]) -> None:
    references = sum(map(len, requests))
    assert found.curve.references == references
    capacities = np.arange(1, references + 2)
    hits = found.curve.hits(capacities)
    assert hits.tolist() == [brute_force(requests, int(capacity)) for capacity in capacities]
    assert (np.diff(hits) >= 0).all()
    assert found.curve.enough <= max(references, 1)


@settings(max_examples=examples(150))
@given(st.lists(RUNS, max_size=14))
def test_any_requests_hit_as_in_a_brute_force_cache(requests: list[list[int]]) -> None:
    """Blocks come in any order, also twice in a request, and requests may be empty."""
    check_at_all_capacities(replay(trace_of(requests)), requests)


@settings(max_examples=examples(100))
@given(PREFIXES)
def test_growing_prefixes_hit_as_in_a_brute_force_cache(drawn: list[tuple[int, int]]) -> None:
    requests = of_prefixes(drawn)
    check_at_all_capacities(replay(trace_of(requests)), requests)


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(st.integers(0, 2), RUNS), max_size=12))
def test_equal_ids_of_other_sessions_are_other_blocks(drawn: list[tuple[int, list[int]]]) -> None:
    trace = trace_of([blocks for _, blocks in drawn], [session for session, _ in drawn])
    requests = [[(session, block) for block in blocks] for session, blocks in drawn]
    check_at_all_capacities(replay(trace), requests)


@settings(max_examples=examples(60))
@given(st.lists(RUNS, min_size=2, max_size=14), st.integers(1, 12))
def test_a_trace_in_parts_hits_as_in_one(requests: list[list[int]], most: int) -> None:
    """``most`` limits the number of atoms in memory at a time."""
    with mock.patch.object(replay_module, "_MOST_ATOMS", most):
        check_at_all_capacities(replay(trace_of(requests)), requests)


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 15), min_size=1, max_size=80), st.integers(1, 18))
def test_one_block_requests_hit_as_in_libcachesim(blocks: list[int], capacity: int) -> None:
    cache = libcachesim.LRU(capacity)
    hits = sum(cache.get(libcachesim.Request(obj_id=block, obj_size=1)) for block in blocks)
    assert replay(trace_of([[block] for block in blocks])).curve.hits(
        np.array([capacity])
    ).tolist() == [hits]


def test_hits_are_judged_before_the_request_and_by_its_prefix() -> None:
    # With capacity 2, blocks 1 and 2 of [1, 2, 3] stay, because the last block is touched first.
    found = replay(trace_of([[1, 2, 3], [1, 2, 3]])).curve
    assert found.hits(np.array([1, 2, 3])).tolist() == [1, 2, 3]
    # Only block 2 is cached, but a hit after a miss does not count.
    assert replay(trace_of([[2], [1, 2]])).curve.hits(np.array([9])).tolist() == [0]


@pytest.mark.parametrize("capacity", [4_000, 40_000])
def test_the_conversation_hits_as_in_a_brute_force_cache(capacity: int) -> None:
    trace = shipped("conversation")
    assert replay(trace).curve.hits(np.array([capacity])).tolist() == [
        brute_force(expanded(trace), capacity)
    ]


@pytest.mark.parametrize("rate", [None, 0.01])
def test_agent_sessions_hit_as_in_a_brute_force_cache(rate: float | None) -> None:
    whole = shipped("agent", nested=True)
    small = whole.take(np.flatnonzero((whole.session < 40) & (whole.prompt < 60_000)))
    trace = small if rate is None else with_poisson_arrivals(small, rate, seed=3)
    assert trace.requests > 300
    capacities = [100, 400, 2_000, 20_000]
    requests = expanded(trace)
    assert replay(trace).curve.hits(np.array(capacities)).tolist() == [
        brute_force(requests, capacity) for capacity in capacities
    ]


def test_facts_of_the_conversation() -> None:
    trace = shipped("conversation")
    assert (trace.requests, trace.references) == (12_031, 288_500)
    assert round(float(trace.prompt.mean())) == 12_035
    assert round(float(trace.output.mean())) == 343
    found = replay(trace)
    assert found.curve.hits(np.array([10**9])).tolist() == [288_500 - 182_790]
    assert found.reuse.blocks.sum() == 288_500 - 182_790


def test_facts_of_the_agent_trace() -> None:
    trace = shipped("agent")
    assert (trace.requests, trace.references, trace.runs) == (48_658, 93_832_730, 163_744)
    nested = shipped("agent", nested=True)
    assert (nested.references, nested.runs) == (94_310_647, 165_243)
    assert int(trace.prompt.sum()) == 6_006_837_305
    assert np.percentile(trace.prompt, [10, 50, 90, 99]).round(-3).tolist() == [
        *(43_000, 105_000, 236_000, 500_000)
    ]
    assert replay(trace).curve.most > 0.96


def test_random_starts_repeat_with_their_seed() -> None:
    whole = shipped("agent")
    trace = whole.take(np.flatnonzero(whole.session < 60))
    one, two = (with_poisson_arrivals(trace, 0.01, seed=5) for _ in range(2))
    assert (one.arrival == two.arrival).all()
    assert (np.diff(one.arrival) >= 0).all()
    assert one.references == trace.references
    other = with_poisson_arrivals(trace, 0.01, seed=6)
    assert (one.arrival != other.arrival).any()
    # Interleaved sessions compete for the cache, so a small cache has fewer hits.
    mixed, apart = replay(one).curve, replay(trace).curve
    assert mixed.rate(10_000) < apart.rate(10_000)
    assert mixed.most == apart.most


def test_random_arrivals_without_sessions_keep_the_order() -> None:
    trace = shipped("conversation")
    drawn = with_poisson_arrivals(trace, 10.0, seed=1)
    assert replay(drawn).curve.hits(np.array([5000])) == replay(trace).curve.hits(np.array([5000]))
    assert drawn.arrival[-1] == pytest.approx(trace.requests / 10, rel=0.05)


def test_knees_lie_on_the_curve_and_lines_between_them_near_it() -> None:
    curve = replay(shipped("agent")).curve
    knees = curve.knees()
    assert list(knees) == sorted(set(knees))
    assert knees[-1] == curve.enough
    assert curve.rate(knees[-1]) == curve.most
    assert curve.rate(curve.enough - 1) < curve.most
    assert 3 <= len(knees) <= 40
    between = np.unique(np.geomspace(knees[0], knees[-1], 500).astype(np.int64))
    line = np.interp(np.log(between), np.log(knees), curve.rates(np.array(knees)))
    assert np.abs(line - curve.rates(between)).max() < 0.011


def test_lines_between_knees_are_near_a_long_ramp() -> None:
    nothing = np.array([], np.int64)
    ramp = np.array([1]), np.array([1_000_000])
    curve = HitCurve.of(1_000_000, *ramp, nothing, nothing)
    knees = np.array(curve.knees())
    between = np.geomspace(1, 1_000_000, 200).astype(np.int64)
    line = np.interp(np.log(between), np.log(knees), curve.rates(knees))
    assert np.abs(line - curve.rates(between)).max() < 0.011


def test_a_curve_without_hits_has_no_knees() -> None:
    curve = replay(trace_of([[1], [2]])).curve
    assert isinstance(curve, HitCurve)
    assert (curve.knees(), curve.most) == ((), 0.0)


def test_more_references_than_can_be_summed_are_refused() -> None:
    trace = trace_of([[0]])
    trace.last[0] = 2**62
    with pytest.raises(TraceError, match="references"):
        replay(trace)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.integers(0, 2), RUNS), max_size=10), st.integers(0, 8))
def test_sessions_may_share_their_begin(drawn: list[tuple[int, list[int]]], tokens: int) -> None:
    assume(all(blocks for _, blocks in drawn))  # an empty first request shares no beginning
    trace = trace_of([blocks for _, blocks in drawn], [session for session, _ in drawn])
    shared = with_shared_prefix(trace, tokens)
    assert shared.blocks.tolist() == trace.blocks.tolist()
    begins: dict[int, list[int]] = {}
    for session, blocks in drawn:
        if session not in begins:
            first = next((at for at in range(len(blocks)) if blocks[at] != blocks[0] + at), None)
            begins[session] = blocks[:first][:tokens]
    requests = [
        [
            begins[session].index(block) if block in begins[session] else (session, block)
            for block in blocks
        ]
        for session, blocks in drawn
    ]
    check_at_all_capacities(replay(shared), requests)


def test_a_shared_begin_saves_the_first_miss_of_each_session() -> None:
    trace = shipped("agent")
    apart, shared = (replay(with_shared_prefix(trace, tokens)) for tokens in (0, 15_000))
    gained = round((shared.curve.most - apart.curve.most) * trace.references)
    assert 100 * 709 < gained < 15_000 // 64 * 709
