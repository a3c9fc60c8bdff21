"""Roofline, break-even, economics and Little's law, compared with published examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.thesis.models import breakeven, demand, economics, roofline
from membench.thesis.models.catalogue import Model, models
from membench.thesis.models.economics import Band, Keeping
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token, kv_bytes

H100 = 0.5 * 989e12  # FLOP/s: half of the peak of an H100
RUBIN = 0.5 * 35e15
TOKENS = {"1k": 1024, "8k": 8192, "32k": 32_768, "128k": 131_072}
CENT_PER_S = 2.5 / 3600  # US cents per second, for an H100 at 2.5 USD per hour


def needed(model: Model, prefix: int, flops: float, dtype: KvDtype = KvDtype.FP16) -> float:
    """Break-even bandwidth in GB/s for a prefix of ``prefix`` tokens."""
    assert model.parameters is not None
    weights = model.parameters
    token = bytes_per_token(model.shape, dtype)
    rate = breakeven.breakeven_bandwidth(token, weights.matmul, weights.attention, prefix, flops)
    return rate / 1e9


def recompute(slug: str, prefix: int) -> float:
    """Seconds to recompute ``prefix`` tokens on one H100 at half of its peak."""
    weights = models()[slug].parameters
    assert weights is not None
    flops = roofline.prefill_flops(prefix, weights.matmul, weights.attention)
    return roofline.prefill_seconds(flops, 989e12, 0.5)


@pytest.mark.parametrize(
    ("slug", "hopper", "rubin"),
    [
        ("llama-3.1-8b", (4.2, 3.8, 2.7, 1.3), (67, 49, 23)),
        ("qwen3-32b", (2.0, 1.8, 1.3, 0.64), (32, 23, 11)),
        ("llama-3.1-70b", (1.15, 1.08, 0.89, 0.52), (19, 16, 9)),
        ("qwen3-235b-a22b", (2.1, 1.7, 1.0, 0.39), (30, 18, 7)),
        ("gpt-oss-120b", (1.75, 1.6, 1.2, 0.62), (28, 21, 11)),
        ("deepseek-v3", (0.46, 0.37, 0.22, 0.09), (6.6, 4.0, 1.5)),
    ],
)
def test_break_even_bandwidth(
    slug: str, hopper: tuple[float, ...], rubin: tuple[float, ...]
) -> None:
    model = models()[slug]
    for prefix, expected in zip(TOKENS.values(), hopper, strict=True):
        assert needed(model, prefix, H100) == pytest.approx(expected, rel=0.04)
    for prefix, expected in zip([*TOKENS.values()][1:], rubin, strict=True):
        assert needed(model, prefix, RUBIN, KvDtype.FP8) == pytest.approx(expected, rel=0.04)


def test_break_even_is_where_both_take_the_same_time() -> None:
    rate = needed(models()["llama-3.1-70b"], 32_768, H100) * 1e9
    held = kv_bytes(models()["llama-3.1-70b"].shape, 32_768)
    restored = breakeven.load_seconds(held, rate, 1e12)
    assert restored == pytest.approx(recompute("llama-3.1-70b", 32_768))


def test_mooncake_equation_2_with_its_constants() -> None:
    a800, h800 = (
        breakeven.mooncake_bandwidth(prefix=8192, width=8192, gqa=8, flops_per_s=8 * flops) / 1e9
        for flops in (312e12, 989e12)
    )
    assert round(a800, 2) == 5.86
    assert round(h800, 1) == 18.6


def test_restoring_and_recomputing_as_published() -> None:
    held = kv_bytes(models()["llama-3.1-70b"].shape, 32_768)
    assert round(held / 1e9, 1) == 10.7
    seconds = [round(breakeven.load_seconds(held, rate, 64e9), 2) for rate in (6.8e9, 14e9, 25e9)]
    assert seconds == [1.58, 0.77, 0.43]
    assert round(recompute("llama-3.1-70b", 32_768), 1) == 12.1
    assert round(recompute("llama-3.1-70b", 131_072)) == 82
    assert round(recompute("deepseek-v3", 32_768), 1) == 10.3
    assert round(recompute("deepseek-v3", 131_072)) == 106


def test_the_slower_of_source_and_link_and_a_latency() -> None:
    assert breakeven.load_seconds(10e9, 5e9, 2e9, 0.5) == 5.5
    assert breakeven.load_seconds(10e9, 2e9, 5e9, 0.5) == 5.5


def test_overlap_hides_all_but_one_layer_of_the_shorter_stage() -> None:
    assert breakeven.restored_ttft(2.0, 3.0, 80, overlap=True) == 3.0 + 2.0 / 80
    long = breakeven.restored_ttft(4.0, 3.0, 80, overlap=True, fixed_s=0.5)
    assert long == pytest.approx(4.0 + 3.0 / 80 + 0.5)
    assert breakeven.restored_ttft(2.0, 3.0, 80, overlap=False) == 5.0


def pipelined(load: Sequence[float], compute: Sequence[float]) -> float:
    """Seconds until the last layer is computed; a layer is computed after its load."""
    loaded = computed = 0.0
    for own_load, own_compute in zip(load, compute, strict=True):
        loaded += own_load
        computed = max(computed, loaded) + own_compute
    return computed


@given(load=st.floats(0, 100), suffix=st.floats(0, 100), layers=st.integers(1, 130))
def test_overlap_is_a_pipeline_of_equal_layers(load: float, suffix: float, layers: int) -> None:
    simulated = pipelined([load / layers] * layers, [suffix / layers] * layers)
    found = breakeven.restored_ttft(load, suffix, layers, overlap=True)
    assert found == pytest.approx(simulated)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=20))
def test_no_pipeline_of_unequal_layers_is_faster_than_the_bound(
    layers: list[tuple[float, float]],
) -> None:
    load, compute = zip(*layers, strict=True)
    bound = breakeven.restored_ttft(sum(load), sum(compute), math.inf, overlap=True)
    assert bound <= pipelined(load, compute) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("slug", "one", "sixteen"),
    [
        ("llama-3.1-8b", 58, 931),
        ("llama-3.1-70b", 23, 372),
        ("llama-3.1-405b", 14, 236),
        ("gpt-oss-120b", 206, 3308),
        ("deepseek-v3", 108, 1737),
    ],
)
def test_contexts_that_a_tier_holds(slug: str, one: int, sixteen: int) -> None:
    held = kv_bytes(models()[slug].shape, 131_072)
    assert breakeven.contexts_held(1e12, held) == one
    assert breakeven.contexts_held(16e12, held) == sixteen
    assert breakeven.contexts_held(80e9, held, weight_bytes=81e9) == 0


def test_drain_times() -> None:
    assert breakeven.drain_seconds(16e12, 25e9) == 640
    assert round(breakeven.drain_seconds(288e9, 22e12) * 1e3) == 13


@given(
    tokens=st.integers(1, 10**6),
    cached=st.integers(0, 10**6),
    weights=st.floats(1e6, 1e12),
    attention=st.floats(0, 1e7),
)
def test_prefill_in_two_parts_costs_the_same(
    tokens: int, cached: int, weights: float, attention: float
) -> None:
    cached = min(cached, tokens)
    whole = roofline.prefill_flops(tokens, weights, attention)
    parts = roofline.prefill_flops(cached, weights, attention) + roofline.prefill_flops(
        tokens, weights, attention, cached
    )
    assert parts == pytest.approx(whole)


def test_more_cached_than_there_is_is_refused() -> None:
    with pytest.raises(
        ValueError, match="the number of cached tokens is 2, but must be from 0 to 1"
    ):
        roofline.prefill_flops(1, 1, 1, cached=2)


def test_weights_that_a_batch_touches() -> None:
    assert roofline.touched_weights(5.0, 0.0, 0, 0, 8) == 5.0
    assert roofline.touched_weights(5.0, 100.0, 10, 2, 1) == pytest.approx(25.0)
    assert roofline.touched_weights(5.0, 100.0, 10, 2, 2) == pytest.approx(41.0)
    assert roofline.touched_weights(5.0, 100.0, 10, 2, 10**6) == pytest.approx(105.0)


def test_decode_is_bound_by_memory_or_by_compute() -> None:
    bound = roofline.decode_bound(
        weight_bytes=140e9,
        kv_bytes=[10e9, 10e9],
        contexts=[32_768, 32_768],
        active_params=70e9,
        attention_flops=2_621_440,
        bytes_per_s=4e12,
        flops_per_s=1e15,
        memory_efficiency=0.8,
        compute_efficiency=0.5,
        fixed_s=0.001,
    )
    assert bound.memory_s == pytest.approx(160e9 / 3.2e12)
    assert bound.compute_s == pytest.approx((280e9 + 2_621_440 * 65_536) / 0.5e15)
    assert bound.memory_bound
    assert bound.seconds == pytest.approx(0.051)


@given(batch=st.integers(1, 4096), context=st.integers(1, 200_000))
def test_intensity_above_the_ridge_is_compute_bound(batch: int, context: int) -> None:
    model = models()["llama-3.1-8b"]
    assert model.parameters is not None
    weights, held = 16e9, float(kv_bytes(model.shape, context))
    bound = roofline.decode_bound(
        weight_bytes=weights,
        kv_bytes=[held] * batch,
        contexts=[context] * batch,
        active_params=model.parameters.matmul,
        attention_flops=model.parameters.attention,
        bytes_per_s=3.35e12,
        flops_per_s=989e12,
    )
    intensity = roofline.decode_intensity(
        weight_bytes=weights,
        kv_bytes_per_sequence=held,
        context=context,
        active_params=model.parameters.matmul,
        attention_flops=model.parameters.attention,
        batch=batch,
    )
    assert bound.memory_bound == (intensity <= roofline.ridge(989e12, 3.35e12))


def test_the_five_minute_rule_of_1987() -> None:
    # pages of 1 KB, a disk of 15 I/Os per second for 15,000 USD, memory for 5,000 USD per MB
    assert round(economics.gray_interval(1024, 15, 15_000, 5_000)) == 205


def test_the_rule_for_streams_did_not_move_with_prices() -> None:
    dear = economics.streaming_interval(10_950, 14e9, 14)
    assert round(dear) == 56
    assert round(economics.streaming_interval(3_062, 14e9, 4)) == 55
    large = economics.streaming_interval(10_950, 14e9, 14, block_bytes=2**20, drive_ios_per_s=2e6)
    assert large == dear
    small = economics.streaming_interval(10_950, 14e9, 14, block_bytes=512, drive_ios_per_s=2e6)
    assert small == pytest.approx(economics.gray_interval(1e6 / 512, 2e6, 10_950, 14e-3))


@pytest.mark.parametrize(
    ("slug", "ssd_h", "ddr_h"),
    [("llama-3.1-8b", 31, 0.8), ("llama-3.1-70b", 96, 2.4), ("deepseek-v3", 381, 9.7)],
)
def test_how_long_keeping_pays(slug: str, ssd_h: float, ddr_h: float) -> None:
    held = kv_bytes(models()[slug].shape, 32_768)
    ssd, ddr = (
        economics.keep_interval(CENT_PER_S, recompute(slug, 32_768), held, economics.rent(per_gb))
        / 3600
        for per_gb in (0.356, 14)
    )
    assert ssd == pytest.approx(ssd_h, rel=0.02)
    assert ddr == pytest.approx(ddr_h, rel=0.04)


def test_a_load_is_subtracted_and_may_cost_more_than_it_saves() -> None:
    free = economics.keep_interval(1.0, 10.0, 1e9, 1e-12)
    loading = economics.load_cost(1.0, 2.0, 0.5, 4.0)
    assert loading == 4.0
    assert economics.keep_interval(1.0, 10.0, 1e9, 1e-12, loading) == pytest.approx(0.6 * free)
    assert economics.keep_interval(1.0, 10.0, 1e9, 1e-12, 11.0) == 0


def test_power_is_part_of_the_rent() -> None:
    without = economics.rent(1.0)
    assert without == pytest.approx(1 / (5 * 31.5e6) / 1e9)
    assert economics.rent(1.0, watts_per_gb=0.1, price_per_kwh=0.36) - without == pytest.approx(
        0.1 / 1000 * 0.36 / 3600 / 1e9
    )


def test_the_cheapest_place_over_the_gap() -> None:
    places = [
        Keeping("hbm", 10.0, 0.0),
        Keeping("ddr", 4.0, 30.0),
        Keeping("ssd", 1.0, 60.0),
        Keeping(economics.RECOMPUTE, 0.0, 100.0),
    ]
    assert economics.cheapest_bands(places, 1.0) == (
        Band("hbm", 0.0, 5.0),
        Band("ddr", 5.0, 10.0),
        Band("ssd", 10.0, 40.0),
        Band("recompute", 40.0, float("inf")),
    )
    with pytest.raises(ValueError, match="at least one place"):
        economics.cheapest_bands([], 1.0)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 100)), min_size=1, max_size=6),
    st.floats(0, 1000),
)
def test_no_place_is_cheaper_than_that_of_its_band(
    drawn: list[tuple[float, float]], gap: float
) -> None:
    places = [Keeping(str(place), *costs) for place, costs in enumerate(drawn)]
    bands = economics.cheapest_bands(places, 2.0)
    assert bands[0].low == 0
    assert bands[-1].high == float("inf")
    assert all(one.high == other.low for one, other in pairwise(bands))
    (name,) = (band.name for band in bands if band.low <= gap < band.high)
    chosen = places[int(name)].cost(2.0, gap)
    assert chosen <= min(place.cost(2.0, gap) for place in places) * (1 + 1e-9) + 1e-9


def test_shares_of_traffic_and_of_residency() -> None:
    gaps = np.array([5.0, 10.0, 100.0, 1000.0])
    weights = np.array([4.0, 4.0, 1.0, 1.0])
    fast, slow, rest = economics.shares(gaps, weights, [10, 100])
    assert (fast.low, fast.high, rest.high) == (0, 10, float("inf"))
    assert [fast.traffic, slow.traffic, rest.traffic] == pytest.approx([0.8, 0.1, 0.1])
    assert [fast.residency, slow.residency] == pytest.approx([60 / 1160, 100 / 1160])
    assert economics.shares(gaps[:0], weights[:0], [10])[0].traffic == 0


@pytest.mark.parametrize(
    ("slug", "dwpd"), [("llama-3.1-70b", 4.8), ("llama-3.1-8b", 14.8), ("deepseek-v3", 1.2)]
)
def test_writing_all_that_a_gpu_prefills(slug: str, dwpd: float) -> None:
    rate = needed(models()[slug], 32_768, H100) * 1e9
    assert economics.drive_writes_per_day(rate, 16e12) == pytest.approx(dwpd, rel=0.03)


def test_what_a_rating_allows() -> None:
    assert economics.sustainable_write_rate(16e12, 1) / 1e6 == pytest.approx(185, rel=1e-2)


def test_what_is_resident_by_little() -> None:
    gaps, weights = np.array([10.0, 100.0]), np.array([3.0, 1.0])
    assert demand.mean_gap(gaps, weights) == 32.5
    assert demand.resident_bytes(2e9, gaps, weights) == 65e9
    assert demand.resident_bytes(2e9, gaps, weights, ttl_s=20) == 25e9
    assert demand.band_traffic(2e9, gaps, weights, 0, 10) == 1.5e9
    tied = np.array([0.0, 5.0, 100.0])
    shares = [demand.band_traffic(1.0, tied, np.ones(3), *band) for band in ((0, 10), (10, 1e3))]
    assert shares == pytest.approx([2 / 3, 1 / 3])  # requests at the same time count as reads too
    assert demand.band_traffic(2e9, gaps, weights, 10, 1000) == 0.5e9
    assert demand.usable_capacity(16e12, 25e9, 184) == 4.6e12
    assert demand.usable_capacity(16e12, 25e9, 865) == 16e12
    assert demand.sessions_held(1, 0.06) == pytest.approx(16.67, rel=1e-3)
    with pytest.raises(ValueError, match="duty"):
        demand.sessions_held(1, 0)
