"""The event model of tiers, compared with the one-pass replay, brute force and hand calculation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from traces import PREFIXES, RUNS, of_prefixes, shipped, trace_of

from membench.core.errors import UsageError
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import Trace
from membench.thesis.tiers.run_lru import RunLru
from membench.thesis.tiers.settings import Admission, Inclusion, PrefillGpu, TierOutcome, TierSpec
from membench.thesis.tiers.simulator import at_request_rate, simulate

INF = float("inf")
HBM = TierSpec(name="hbm", capacity=4)
DDR = TierSpec(name="ddr", capacity=8, read=100.0, write=50.0, latency=0.5)
SSD = TierSpec(name="ssd", capacity=100, read=10.0, write=10.0, latency=1.0)


def hits(outcome: TierOutcome) -> dict[str, int]:
    return {tier.name: tier.hits for tier in outcome.tiers}


def with_ttl(requests: Sequence[Sequence[object]], capacity: int, ttl: float) -> int:
    """Hits of a brute-force cache that drops a block ``ttl`` requests after its last use."""
    cache: OrderedDict[object, float] = OrderedDict()
    found = 0
    for now, blocks in enumerate(requests):
        for block in [block for block, used in cache.items() if used < now - ttl]:
            del cache[block]
        for block in blocks:
            if block not in cache:
                break
            found += 1
        for block in reversed(blocks):
            cache[block] = now
            cache.move_to_end(block)
        while len(cache) > capacity:
            cache.popitem(last=False)
    return found


@settings(max_examples=examples(60))
@given(st.one_of(st.lists(RUNS, max_size=12), PREFIXES.map(of_prefixes)), st.integers(1, 60))
def test_one_tier_hits_as_the_one_pass(requests: list[list[int]], capacity: int) -> None:
    trace = trace_of(requests)
    outcome = simulate(trace, [replace(HBM, capacity=capacity)], 1.0)
    assert outcome.hits == replay(trace).curve.hits(np.array([capacity]))[0]
    assert outcome.ttft_s.tolist() == [0.0] * trace.requests


@pytest.mark.slow
def test_one_tier_hits_as_the_one_pass_on_the_conversation() -> None:
    capacity = 20_000
    trace = shipped("conversation")
    outcome = simulate(trace, [replace(HBM, capacity=capacity)], 1.0)
    assert outcome.hits == replay(trace).curve.hits(np.array([capacity]))[0]
    (tier,) = outcome.tiers
    assert tier.gap_blocks.sum() == tier.hits
    assert tier.most_blocks <= capacity
    assert 0 < tier.mean_blocks <= capacity


@settings(max_examples=examples(60))
@given(st.lists(RUNS, max_size=12), st.integers(1, 40), st.integers(1, 6))
def test_time_to_live_as_in_a_brute_force_cache(
    requests: list[list[int]], capacity: int, ttl: int
) -> None:
    trace = trace_of(requests)
    outcome = simulate(trace, [replace(HBM, capacity=capacity, ttl=ttl)], 1.0)
    assert outcome.hits == with_ttl(requests, capacity, ttl)


@settings(max_examples=examples(60))
@given(st.lists(RUNS, max_size=12), st.tuples(*[st.integers(1, 20)] * 3))
def test_exclusive_tiers_hold_their_sum_and_inclusive_ones_the_largest(
    requests: list[list[int]], capacities: tuple[int, int, int]
) -> None:
    trace = trace_of(requests)
    tiers = [replace(HBM, name=str(at), capacity=size) for at, size in enumerate(capacities)]
    curve = replay(trace).curve
    exclusive = simulate(trace, tiers, 1.0, inclusion=Inclusion.EXCLUSIVE)
    assert exclusive.hits == curve.hits(np.array([sum(capacities)]))[0]
    for tier, size in zip(exclusive.tiers, capacities, strict=True):
        assert tier.mean_blocks <= tier.most_blocks <= size
    inclusive = simulate(trace, tiers, 1.0)
    assert inclusive.hits == curve.hits(np.array([max(capacities)]))[0]
    first = simulate(trace, tiers[:1], 1.0)
    assert inclusive.hits >= first.hits


def test_each_tier_serves_what_the_faster_ones_lack() -> None:
    trace = trace_of([range(12), range(20, 24), range(12)])
    outcome = simulate(trace, [HBM, DDR, SSD], 1.0)
    # The last request finds 4 of 12 blocks in DDR, and 8 blocks in SSD.
    assert hits(outcome) == {"hbm": 0, "ddr": 4, "ssd": 8}
    exclusive = simulate(trace, [HBM, DDR, SSD], 1.0, inclusion=Inclusion.EXCLUSIVE)
    assert hits(exclusive) == {"hbm": 0, "ddr": 8, "ssd": 4}


def test_loads_wait_for_bandwidth_latency_and_each_other() -> None:
    trace = trace_of([range(12), range(20, 24), range(12)])
    no_overlap = simulate(trace, [HBM, DDR, SSD], 1.0, gpu=PrefillGpu(overlap=False))
    # 4 blocks of 1 B from DDR take 0.54 s; at the same time, 8 blocks from SSD take 1.8 s
    assert no_overlap.ttft_s.tolist() == pytest.approx([0, 0, 1.8])
    again = replace(trace_of([range(12), range(20, 24), range(12)]), arrival=np.array([0.0, 1, 1]))
    twice = simulate(again, [HBM, SSD], 1.0, gpu=PrefillGpu(overlap=False), gpus=1)
    assert twice.ttft_s[-1] == pytest.approx(1.0 + 12 / 10)
    assert twice.tiers[1].read_bytes == 12
    assert twice.ttft(100)[0] == twice.ttft_s.max()


def test_a_queue_forms_at_a_tier_and_at_a_gpu() -> None:
    trace = replace(trace_of([[1], [9], [1], [1]]), arrival=np.array([0.0, 1.0, 2.0, 2.0]))
    small = replace(HBM, capacity=0)
    outcome = simulate(trace, [small, SSD], 1.0, gpu=PrefillGpu(overlap=False))
    assert outcome.ttft_s.tolist() == pytest.approx([0, 0, 1.1, 2.2])
    slow = PrefillGpu(matmul_params=1.0, flops_per_s=2.0, overlap=False)  # one second per token
    computed = simulate(trace_of([[1, 2], [3, 4]]), [HBM], 1.0, gpu=slow)
    assert computed.ttft_s.tolist() == pytest.approx([2.0, 3.0])
    assert computed.gpu_busy == 4.0


def test_overlap_hides_loading_behind_computing() -> None:
    trace = replace(trace_of([[1], [9], [1, 2, 3]]), arrival=np.array([0.0, 1.0, 10.0]))
    gpu = PrefillGpu(matmul_params=1.0, flops_per_s=1.0, layers=11)  # two seconds per token
    small = replace(HBM, capacity=0)
    hidden = simulate(trace, [small, SSD], 1.0, gpu=gpu)
    assert hidden.ttft_s[-1] == pytest.approx(4.0 + 1.1 / 11)
    plain = simulate(trace, [small, SSD], 1.0, gpu=replace(gpu, overlap=False))
    assert plain.ttft_s[-1] == pytest.approx(4.0 + 1.1)
    fast = replace(gpu, flops_per_s=100.0)  # 0.04 seconds for two tokens, less than the load
    assert simulate(trace, [small, SSD], 1.0, gpu=fast).ttft_s[-1] == pytest.approx(1.1 + 0.04 / 11)


def test_waiting_for_a_tier_is_not_hidden_and_not_counted_twice() -> None:
    trace = replace(trace_of([[1], [9], [1], [1]]), arrival=np.array([0.0, 1.0, 2.0, 2.0]))
    outcome = simulate(trace, [replace(HBM, capacity=0), SSD], 1.0, gpu=PrefillGpu(layers=11))
    assert outcome.ttft_s.tolist() == pytest.approx([0, 0, 1.1, 2.2])  # no time to compute


def test_selective_admission_writes_only_what_was_used_again() -> None:
    trace = trace_of([[1, 2], [3, 4], [1, 2], [1, 2]])
    through = simulate(trace, [HBM, SSD], 1.0)
    assert through.tiers[1].written == 4
    selective = simulate(trace, [HBM, SSD], 1.0, admission=Admission.SELECTIVE)
    assert selective.tiers[1].written == 2
    small = replace(HBM, capacity=2)
    drawn = simulate(
        trace, [small, SSD], 1.0, admission=Admission.SELECTIVE, inclusion=Inclusion.EXCLUSIVE
    )
    assert drawn.tiers[1].written == 0  # HBM evicted only blocks that were never used again
    assert drawn.tiers[1].dwpd == 0


def test_drive_writes_per_day_follow_the_writes() -> None:
    trace = trace_of([[1, 2], [3, 4]])
    (_, ssd) = simulate(trace, [HBM, SSD], 5.0).tiers
    assert ssd.written_bytes == 20
    assert ssd.dwpd == pytest.approx(20 / 500 * 86400)
    assert ssd.write_busy == pytest.approx(2.0)
    (none,) = simulate(trace, [replace(HBM, capacity=0)], 5.0).tiers
    assert none.dwpd == INF


def test_a_pool_serves_what_another_gpu_made() -> None:
    trace = trace_of([[1, 2], [1, 2], [1, 2], [1, 2]])
    own = simulate(trace, [HBM, SSD], 1.0, gpus=2)
    assert hits(own) == {"hbm": 4, "ssd": 0}
    pool = simulate(trace, [HBM, replace(SSD, shared=True)], 1.0, gpus=2)
    assert hits(pool) == {"hbm": 4, "ssd": 2}
    assert pool.tiers[1].capacity_bytes == 100
    assert own.tiers[1].capacity_bytes == 200
    mixed = [HBM, replace(SSD, shared=True)]
    exclusive = simulate(trace, mixed, 1.0, gpus=2, inclusion=Inclusion.EXCLUSIVE)
    assert exclusive.hits == 4


def test_a_shared_tier_drops_what_another_gpu_used_earlier_and_evicted_later() -> None:
    # GPU 0 evicts block 0, used at 4 s, at 5 s. GPU 1 evicts block 10, used at 0 s, at 6 s.
    requests: list[list[int]] = [[99], [10], [0], [], [1], [11], [], [10]]
    times = np.array([0.0, 0, 4, 4, 5, 6, 11, 11])
    trace = replace(trace_of(requests), arrival=times)
    tiers = [replace(HBM, capacity=1), replace(SSD, shared=True)]
    kept = simulate(trace, tiers, 1.0, gpus=2, inclusion=Inclusion.EXCLUSIVE)
    assert hits(kept) == {"hbm": 0, "ssd": 1}
    tiers[1] = replace(tiers[1], ttl=10.0)
    dropped = simulate(trace, tiers, 1.0, gpus=2, inclusion=Inclusion.EXCLUSIVE)
    assert hits(dropped) == {"hbm": 0, "ssd": 0}


@settings(max_examples=examples(60))
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(1, 4)), max_size=200),
    st.integers(1, 12),
)
def test_a_tier_evicts_by_last_use_although_the_blocks_arrive_in_another_order(
    asked: list[tuple[int, int, int]], capacity: int
) -> None:
    """The plain cache is a dict of last uses: (time, order of arrival)."""
    cache, plain = RunLru(), dict[int, tuple[int, int]]()
    for number, (delay, first, many) in enumerate(asked):
        time = number - 2 * delay
        cache.take(0, first, first + many - 1)
        cache.push(0, (first, first + many - 1), time)
        for place, block in enumerate(reversed(range(first, first + many))):
            plain[block] = time, 10 * number + place
        if number % 3 == 0:
            cache.trim(capacity)
            for block in sorted(plain, key=plain.__getitem__)[: max(len(plain) - capacity, 0)]:
                del plain[block]
        if number % 7 == 0:
            cache.expire(number - 8)
            plain = {block: used for block, used in plain.items() if used[0] >= number - 8}
        held = {
            block for piece in cache.find(0, 0, 99) for block in range(piece.first, piece.last + 1)
        }
        assert held == plain.keys()
        assert cache.blocks == len(plain)


def test_a_shared_tier_evicts_what_was_used_earlier_and_evicted_later() -> None:
    # as above; the tier has room for one of the two blocks, and keeps the one used at 4 s
    requests: list[list[int]] = [[99], [10], [0], [], [1], [11], [0], [10]]
    times = np.array([0.0, 0, 4, 4, 5, 6, 11, 11])
    trace = replace(trace_of(requests), arrival=times)
    tiers = [replace(HBM, capacity=1), replace(SSD, capacity=1, shared=True)]
    outcome = simulate(trace, tiers, 1.0, gpus=2, inclusion=Inclusion.EXCLUSIVE)
    assert hits(outcome) == {"hbm": 0, "ssd": 1}


def test_residency_is_the_average_over_time() -> None:
    trace = replace(trace_of([[1, 2], [3], [4]]), arrival=np.array([0.0, 1.0, 4.0]))
    (tier,) = simulate(trace, [HBM], 1.0).tiers
    assert tier.mean_blocks == pytest.approx((2 * 1 + 3 * 3) / 4)


def test_request_rates_are_kept() -> None:
    for name in ("conversation", "agent"):
        trace = at_request_rate(shipped(name), 2.0, seed=1)
        if not trace.sessions:
            assert trace.requests / trace.arrival[-1] == pytest.approx(2.0)
        assert (np.diff(trace.arrival) >= 0).all()
    with pytest.raises(UsageError, match="requests per second"):
        at_request_rate(shipped("conversation"), 0.0)


def test_a_request_rate_does_not_depend_on_the_first_time() -> None:
    trace = trace_of([[1], [2], [3]])
    late = replace(trace, arrival=trace.arrival + 1.7e9)
    assert (
        at_request_rate(late, 2.0).arrival.tolist() == at_request_rate(trace, 2.0).arrival.tolist()
    )


def test_fast_tiers_carry_traffic_and_slow_tiers_residency() -> None:
    whole = shipped("agent")
    some = whole.take(np.flatnonzero(whole.session < 15))
    trace = at_request_rate(some, 0.5, seed=2)
    tiers = [
        TierSpec(name="hbm", capacity=INF, ttl=60.0),
        TierSpec(name="ssd", capacity=INF, read=7e9, write=6e9),
    ]
    outcome = simulate(trace, tiers, 64 * 70_272.0)
    fast, slow = outcome.tiers
    assert outcome.hits == replay(trace).curve.hits(np.array([10**9]))[0]
    assert fast.hits > 3 * slow.hits
    assert slow.mean_blocks > 3 * fast.mean_blocks
    assert (slow.gaps_s > 60).all()
    assert (fast.gaps_s <= 60).all()
    within, beyond = slow.bands([60.0])
    assert [within.traffic, beyond.traffic, beyond.residency] == pytest.approx([0, 1, 1])


def test_what_the_model_cannot_use_is_refused() -> None:
    with pytest.raises(UsageError, match="needs at least one tier"):
        simulate(trace_of([[1]]), [], 1.0)
    with pytest.raises(UsageError, match="tier hbm: 'read' is 0 B/s"):
        replace(HBM, read=0.0)
    with pytest.raises(UsageError, match="tier hbm: 'latency' is -1"):
        replace(HBM, latency=-1.0)
    backwards: Trace = replace(trace_of([[1], [2]]), arrival=np.array([1.0, 0.0]))
    with pytest.raises(UsageError, match="order of arrival"):
        simulate(backwards, [HBM], 1.0)
