"""Cache policies other than LRU, compared with plain implementations and with libcachesim."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import chain, combinations

import libcachesim
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from traces import PREFIXES, RUNS, of_prefixes, shipped, trace_of

from membench.core.errors import UsageError
from membench.thesis.replay import policy_kernels
from membench.thesis.replay.answer import replay_source
from membench.thesis.replay.hits import replay
from membench.thesis.replay.policies import (
    CachePolicy,
    EvictionRule,
    Requests,
    expanded,
    following,
    parse_policy,
    serve,
)

CAPACITY = st.integers(1, 30)


def plain_fifo(requests: Sequence[Sequence[int]], capacity: int) -> list[int]:
    """Hits of each request in a FIFO cache: the oldest block is evicted first."""
    cache: OrderedDict[int, None] = OrderedDict()
    hits = []
    for blocks in requests:
        hits.append(_prefix(blocks, cache))
        for block in reversed(blocks):
            cache.setdefault(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


def plain_second(requests: Sequence[Sequence[int]], capacity: int) -> list[int]:
    """Hits of each request in an LRU cache that stores a block only at its second request."""
    cache: OrderedDict[int, None] = OrderedDict()
    seen: set[int] = set()
    hits = []
    for blocks in requests:
        hits.append(_prefix(blocks, cache))
        for block in reversed(blocks):
            if block in cache or block in seen:
                cache[block] = None
                cache.move_to_end(block)
        seen |= {*blocks}
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


def plain_ttl(requests: Sequence[Sequence[int]], capacity: int, ttl: float) -> list[int]:
    """Hits of each request in an LRU cache whose blocks expire ``ttl`` requests after use."""
    cache: OrderedDict[int, int] = OrderedDict()
    hits = []
    for now, blocks in enumerate(requests):
        for block in [block for block, used in cache.items() if now - used > ttl]:
            del cache[block]
        hits.append(_prefix(blocks, cache))
        for block in reversed(blocks):
            cache[block] = now
            cache.move_to_end(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


def plain_s3fifo(requests: Sequence[Sequence[int]], capacity: int) -> list[int]:
    """Hits of each request with algorithm 1 of the S3-FIFO paper. The ghost queue is unlimited."""
    small: deque[int] = deque()
    main: deque[int] = deque()
    ghost: deque[int] = deque()
    used: dict[int, int] = {}
    least = max(1, capacity // 10)
    hits = []
    for blocks in requests:
        hits.append(_prefix(blocks, used))
        for block in reversed(blocks):
            if block in used:
                used[block] = min(3, used[block] + 1)
                continue
            used[block] = 0
            if block in ghost:
                ghost.remove(block)
                main.append(block)
            else:
                small.append(block)
        while len(small) + len(main) > capacity:
            if len(small) > least or not main:
                block = small.popleft()
                if used[block] > 1:
                    used[block] = 0
                    main.append(block)
                else:
                    del used[block]
                    ghost.append(block)
            else:
                block = main.popleft()
                if used[block]:
                    used[block] -= 1
                    main.append(block)
                else:
                    del used[block]
    return hits


def best_of_all(requests: Sequence[Sequence[int]], capacity: int) -> int:
    """The maximum number of hits, by trying every choice of blocks to keep."""
    states: dict[frozenset[int], int] = {frozenset(): 0}
    for blocks in requests:
        found: dict[frozenset[int], int] = {}
        for held, hits in states.items():
            gained = hits + _prefix(blocks, held)
            whole = held | {*blocks}
            for size in range(min(capacity, len(whole)) + 1):
                for kept in combinations(sorted(whole), size):
                    key = frozenset(kept)
                    found[key] = max(found.get(key, 0), gained)
        states = found
    return max(states.values())


def _prefix(blocks: Sequence[int], cache: object) -> int:
    held = cache if isinstance(cache, (dict, frozenset, set)) else {}
    count = 0
    while count < len(blocks) and blocks[count] in held:
        count += 1
    return count


def served(requests: Sequence[Sequence[int]], policy: CachePolicy, capacity: int) -> list[int]:
    found = serve(expanded(trace_of(requests)), policy, capacity)
    assert (found.written >= 0).all()
    return [int(hits) for hits in found.hits]


DRAWN = st.one_of(st.lists(RUNS, max_size=14), PREFIXES.map(of_prefixes))


def distinct(requests: list[list[int]]) -> list[list[int]]:
    return [list(dict.fromkeys(blocks)) for blocks in requests]


@settings(max_examples=examples(60))
@given(DRAWN, CAPACITY)
def test_lru_block_by_block_is_the_one_pass(requests: list[list[int]], capacity: int) -> None:
    expected = replay(trace_of(requests)).curve.hits(np.array([capacity]))[0]
    assert sum(served(requests, CachePolicy(EvictionRule.LRU), capacity)) == expected


@settings(max_examples=examples(60))
@given(DRAWN, CAPACITY)
def test_first_in_first_out(requests: list[list[int]], capacity: int) -> None:
    assert served(requests, CachePolicy(EvictionRule.FIFO), capacity) == plain_fifo(
        requests, capacity
    )


@settings(max_examples=examples(60))
@given(DRAWN, CAPACITY)
def test_admission_on_the_second_sighting(requests: list[list[int]], capacity: int) -> None:
    assert served(requests, CachePolicy(EvictionRule.SECOND), capacity) == plain_second(
        requests, capacity
    )


@settings(max_examples=examples(60))
@given(DRAWN, CAPACITY, st.integers(1, 6))
def test_a_time_to_live(requests: list[list[int]], capacity: int, ttl: int) -> None:
    found = served(requests, CachePolicy(EvictionRule.TTL, ttl), capacity)
    assert found == plain_ttl(requests, capacity, ttl)


@settings(max_examples=examples(80))
@given(DRAWN, CAPACITY)
def test_s3_fifo_is_the_algorithm_of_the_paper(requests: list[list[int]], capacity: int) -> None:
    once = distinct(requests)
    found = served(once, CachePolicy(EvictionRule.S3FIFO), capacity)
    # The plain ghost queue has no limit, so the results agree only during the first evictions.
    if len({*chain.from_iterable(once)}) <= 2 * max(1, capacity - max(1, capacity // 10)):
        assert found == plain_s3fifo(once, capacity)
    assert sum(found) <= sum(map(len, once))


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=3, unique=True), max_size=5), st.integers(1, 3)
)
def test_no_choice_hits_more_than_the_optimal_rule(drawn: list[list[int]], capacity: int) -> None:
    # As in inference engines: the name of a block depends on all blocks before it.
    names: dict[tuple[int, ...], int] = {}
    requests = [
        [names.setdefault(tuple(blocks[: end + 1]), len(names)) for end in range(len(blocks))]
        for blocks in drawn
    ]
    assert sum(served(requests, CachePolicy(EvictionRule.OPTIMAL), capacity)) == best_of_all(
        requests, capacity
    )


@settings(max_examples=examples(50))
@given(PREFIXES, CAPACITY)
def test_the_optimal_rule_is_never_below_another(
    drawn: list[tuple[int, int]], capacity: int
) -> None:
    requests = of_prefixes(drawn)
    best = sum(served(requests, CachePolicy(EvictionRule.OPTIMAL), capacity))
    for rule in (
        EvictionRule.LRU,
        EvictionRule.FIFO,
        EvictionRule.S3FIFO,
        EvictionRule.SECOND,
        EvictionRule.LEAF,
    ):
        assert sum(served(requests, CachePolicy(rule), capacity)) <= best


@settings(max_examples=examples(50))
@given(PREFIXES, CAPACITY)
def test_lru_of_chains_drops_leaves_first(drawn: list[tuple[int, int]], capacity: int) -> None:
    requests = of_prefixes(drawn)
    leaf = served(requests, CachePolicy(EvictionRule.LEAF), capacity)
    assert leaf == served(requests, CachePolicy(EvictionRule.LRU), capacity)


@pytest.mark.parametrize(
    ("rule", "library"),
    [(EvictionRule.LRU, libcachesim.LRU), (EvictionRule.FIFO, libcachesim.FIFO)],
)
def test_one_block_requests_hit_as_in_libcachesim(rule: EvictionRule, library: type) -> None:
    draw = np.random.default_rng(7)
    blocks = (draw.zipf(1.2, 4000) % 500).tolist()
    for capacity in (1, 20, 100, 499):
        cache = library(capacity)
        hits = [bool(cache.get(libcachesim.Request(obj_id=block, obj_size=1))) for block in blocks]
        assert served([[block] for block in blocks], CachePolicy(rule), capacity) == hits


def test_compiled_and_plain_loops_agree() -> None:
    requests = expanded(shipped("conversation").take(np.arange(300)))
    for name in ("lru", "s3fifo", "optimal"):
        assert callable(getattr(policy_kernels, name))
    found = serve(requests, CachePolicy(EvictionRule.OPTIMAL), 400)
    hits, written = np.zeros(300, np.int64), np.zeros(300, np.int64)
    work = np.zeros((2, requests.ids.size + 1), np.int64)
    keys = np.zeros(requests.blocks, np.int64)
    policy_kernels.optimal(
        ids=requests.ids,
        bounds=requests.bounds,
        following=following(requests),
        keys=keys,
        heap=work[0],
        owners=work[1],
        capacity=400,
        hits=hits,
        written=written,
    )
    assert found.hits.tolist() == hits.tolist()
    assert found.written.tolist() == written.tolist()


@settings(max_examples=examples(60))
@given(DRAWN)
def test_the_next_use_is_that_of_a_later_request(requests: list[list[int]]) -> None:
    asked: Requests = expanded(trace_of(requests))
    flat = list(chain.from_iterable(requests))
    at = [number for number, blocks in enumerate(requests) for _ in blocks]
    expected = [
        min(
            (number for number in range(at[place] + 1, len(requests)) if block in requests[number]),
            default=policy_kernels.NEVER,
        )
        for place, block in enumerate(flat)
    ]
    assert following(asked).tolist() == expected
    assert len({*zip(flat, asked.ids.tolist(), strict=True)}) == len({*flat})


def test_what_is_written_is_what_misses_and_the_second_sighting_writes_less() -> None:
    trace = shipped("conversation")
    requests = expanded(trace)
    through = serve(requests, CachePolicy(EvictionRule.LRU), 10_000)
    second = serve(requests, CachePolicy(EvictionRule.SECOND), 10_000)
    assert through.written.sum() == trace.references - through.hits.sum()
    assert second.written.sum() < through.written.sum() / 4


@pytest.mark.parametrize("word", ["", "mru", "ttl", "ttl:0", "ttl:x", "lru:3"])
def test_a_rule_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_policy(word)
    assert "s3fifo" in caught.value.hint


def test_rules_are_written_as_they_are_read() -> None:
    for word in ("lru", "fifo", "s3fifo", "optimal", "leaf", "second", "ttl:600"):
        assert str(parse_policy(word)) == word
    assert parse_policy("belady").rule is EvictionRule.OPTIMAL


def test_a_time_to_live_needs_times_in_order() -> None:
    requests = expanded(trace_of([[1], [2]]))
    back = requests._replace(arrival=np.array([1.0, 0.0]))
    with pytest.raises(UsageError, match="order of arrival"):
        serve(back, CachePolicy(EvictionRule.TTL, 60.0), 100)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_cache_without_a_block_is_refused(capacity: int) -> None:
    with pytest.raises(UsageError, match=f"cache of {capacity} blocks"):
        replay_source("conversation", capacities=[10, capacity])
