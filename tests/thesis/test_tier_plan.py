"""The plan of a cache tier: required capacity and bandwidth, and the number of drives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import UsageError
from membench.report.screens.engine_lines import engine_lines
from membench.thesis.models.catalogue import models
from membench.thesis.models.kv_shape import KvDtype, kv_bytes
from membench.thesis.replay.amounts import parse_amount, parse_tokens, show_amount
from membench.thesis.replay.answer import DAY, TierAsked, replay_source
from membench.thesis.replay.tier_names import kind_of
from membench.thesis.replay.traces import SHIPPED, read_trace, shipped_bytes
from membench.thesis.tiers.plan import Drive, Lengths, drives_needed, plan_of_lengths, plan_of_trace

LLAMA = models()["llama-3.1-70b"]
DRIVE = Drive(capacity_bytes=7.68e12, dwpd=1.0)
DDR = TierAsked(name="ddr", capacity_bytes=2e11)
SSD = TierAsked(name="ssd", capacity_bytes=16e12)
REQUESTS = 600


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the first requests of the built-in conversation trace."""
    path = tmp_path_factory.mktemp("traces") / "begin.jsonl"
    lines = shipped_bytes(SHIPPED[0].file).splitlines()[:REQUESTS]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def test_a_plan_of_a_trace_is_its_replay_with_rates(begin: str) -> None:
    found = plan_of_trace(begin, LLAMA, KvDtype.FP16, [DDR, SSD], DRIVE)
    replayed = replay_source(begin, model=LLAMA, tiers=[DDR, SSD])
    for one, other in zip(found.tiers, replayed.tiers, strict=True):
        assert one.hit_rate == pytest.approx(other.hit_rate)
        assert one.dwpd == pytest.approx(other.dwpd)
        assert one.read_per_s == pytest.approx(other.read_per_s)
    assert found.requests_per_s == pytest.approx(REQUESTS / np.ptp(read_trace(begin).arrival))
    ddr, ssd = found.tiers
    assert (ddr.drives, ddr.decided_by, ddr.dwpd) == (None, "", None)  # DDR does not wear out
    assert ssd.drives is not None
    assert ssd.decided_by == "endurance"
    assert (ssd.drives - 1) * 7.68e12 < ssd.written_per_day <= ssd.drives * 7.68e12


def test_twice_the_requests_are_twice_the_bytes(begin: str) -> None:
    once, twice = (
        plan_of_trace(begin, LLAMA, KvDtype.FP16, [SSD], DRIVE, rate).tiers[0]
        for rate in (2.0, 4.0)
    )
    assert twice.written_per_s == pytest.approx(2 * once.written_per_s)
    assert twice.hit_rate == once.hit_rate


def test_a_rate_that_long_sessions_do_not_reach_is_noted(begin: str) -> None:
    found = plan_of_trace("agent", LLAMA, KvDtype.FP16, [DDR], DRIVE, 1.0)
    assert found.requests_per_s < 0.5
    assert any(
        f"the mean rate over the trace is only {found.requests_per_s:.3g} requests/s" in note
        for note in found.notes
    )
    kept = plan_of_trace(begin, LLAMA, KvDtype.FP16, [DDR], DRIVE, 2.0)
    assert not any("mean rate" in note for note in kept.notes)


def test_the_second_sighting_spares_the_drives(begin: str) -> None:
    second = TierAsked(name="ssd", capacity_bytes=16e12, second=True)
    through, spared = (
        plan_of_trace(begin, LLAMA, KvDtype.FP16, [DDR, one], DRIVE).tiers[1]
        for one in (SSD, second)
    )
    assert spared.written_per_day < through.written_per_day / 3
    assert spared.drives is not None
    assert through.drives is not None
    assert spared.drives < through.drives


def test_sessions_without_a_clock_need_a_rate(begin: str) -> None:
    with pytest.raises(UsageError, match="no common clock") as caught:
        plan_of_trace("agent", LLAMA, KvDtype.FP16, [DDR], DRIVE)
    assert "--requests-per-second" in caught.value.hint
    with pytest.raises(UsageError, match="needs tiers"):
        plan_of_trace(begin, LLAMA, KvDtype.FP16, [], DRIVE)


@pytest.mark.parametrize("capacity", [math.inf, math.nan])
def test_a_tier_without_a_finite_capacity_is_refused(capacity: float) -> None:
    with pytest.raises(UsageError, match=f"tier ssd: the capacity is {capacity} bytes") as caught:
        TierAsked(name="ssd", capacity_bytes=capacity)
    assert caught.value.hint == "use a finite capacity"


def test_lengths_follow_littles_law() -> None:
    lengths = Lengths(input_tokens=8000, output_tokens=192, reuse=0.75, gap_s=100.0)
    huge = TierAsked(name="ssd", capacity_bytes=1e18)
    (tier,) = plan_of_lengths(lengths, 2.0, LLAMA, KvDtype.FP16, [huge], DRIVE).tiers
    token = kv_bytes(LLAMA.shape, 1)
    assert tier.written_per_s == pytest.approx(2.0 * (2000 + 192) * token)
    assert tier.read_per_s == pytest.approx(2.0 * 6000 * token)
    assert tier.hit_rate == pytest.approx(0.75)
    both = plan_of_lengths(lengths, 2.0, LLAMA, KvDtype.FP16, [DDR, huge], DRIVE).tiers
    assert sum(one.hit_rate for one in both) == pytest.approx(0.75)


@given(
    capacity=st.floats(1e12, 1e15),
    read=st.floats(0, 1e11),
    written=st.floats(0, 1e11),
    dwpd=st.floats(0.1, 10),
)
def test_drives_are_enough_for_everything(
    capacity: float, read: float, written: float, dwpd: float
) -> None:
    drive = Drive(capacity_bytes=4e12, dwpd=dwpd, read_per_s=7e9, write_per_s=3e9)
    count, why = drives_needed(capacity, read, written, drive)
    near = count * (1 + 1e-6) + 1e-6
    assert near * 4e12 >= capacity
    assert near * 7e9 >= read
    assert near * 3e9 >= written
    assert near * 4e12 * dwpd >= written * DAY
    assert why in {"capacity", "endurance", "read rate", "write rate"}


def test_engines_get_the_sizes_that_were_planned() -> None:
    found = engine_lines(
        dtype=KvDtype.FP8,
        block_tokens=64,
        tp=4,
        host_bytes=1e12,
        disk_bytes=16e12,
        second=True,
    )
    assert "--kv-cache-dtype fp8 --block-size 64" in found["vllm serve"][0]
    assert found["vllm serve"][1].endswith("--kv-offloading-size 931")
    assert "--hicache-size 250 --hicache-write-policy write_through_selective" in found["sglang"][1]
    assert "LMCACHE_MAX_LOCAL_DISK_SIZE=4000" in found["lmcache"]
    assert found["dynamo kvbm"] == ("DYN_KVBM_CPU_CACHE_GB=1000", "DYN_KVBM_DISK_CACHE_GB=16000")
    alone = engine_lines(
        dtype=KvDtype.FP16, block_tokens=16, tp=1, host_bytes=None, disk_bytes=None
    )
    assert set(alone) == {"vllm serve", "sglang"}


@pytest.mark.parametrize(
    ("word", "size"),
    [("80GB", 80e9), ("1TB", 1e12), ("1.5 TiB", 1.5 * 2**40), ("512B", 512), ("2PB", 2e15)],
)
def test_amounts_are_decimal_and_binary(word: str, size: float) -> None:
    assert parse_amount(word) == size


@pytest.mark.parametrize(
    "word", ["", "80", "GB", "-1GB", "0GB", "80gb", "1e9B", "80 XB", "9999999PB"]
)
def test_what_is_no_amount_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        parse_amount(word)


def test_amounts_are_shown_in_decimal_units() -> None:
    assert [show_amount(size) for size in (5, 80e9, 16e12)] == ["5 B", "80 GB", "16 TB"]
    assert [show_amount(size) for size in (999.4, 999.5, 999.9e9)] == ["999 B", "1 KB", "1 TB"]


def test_a_share_of_all_hits_is_a_capacity() -> None:
    found = replay_source("conversation", shares=(0.8, 1.0))
    eighty, whole, endless = found.points
    assert eighty.capacity is not None
    assert eighty.hit_rate >= 0.8 * endless.hit_rate
    smaller = replay_source("conversation", capacities=(eighty.capacity - 1,)).points[0]
    assert smaller.hit_rate < 0.8 * endless.hit_rate
    assert whole.capacity == found.enough


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("32768", 32768),
        ("32K", 32768),
        ("32k", 32000),
        ("25.6k", 25600),
        ("1M", 2**20),
        ("1m", 10**6),
        ("0", 0),
        ("1.5K", None),  # vLLM also refuses this value
        ("1.2345k", None),
        ("32 k", None),
        ("-1", None),
        ("k", None),
        ("", None),
        ("\u0663", None),
    ],
)
def test_tokens_have_the_suffixes_of_vllm(word: str, tokens: int | None) -> None:
    assert parse_tokens(word) == tokens


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ddr", "ddr"), ("DDR5", "ddr"), ("local-nvme", "ssd"), ("gpu0", "hbm"), ("cxl", "ddr")],
)
def test_a_tier_is_named_after_its_memory(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_a_mistyped_tier_is_asked_back() -> None:
    with pytest.raises(UsageError, match="'drr' is not a tier") as refused:
        kind_of("drr")
    assert refused.value.hint.startswith("did you mean ddr")
