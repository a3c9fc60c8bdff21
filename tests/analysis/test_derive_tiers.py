"""Derived properties of GPU memory tiers, for rows with a known answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compare_rows import row
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.derive import tiers
from membench.core.case_id import split_case
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import KIB, MIB, format_size
from membench.results.schema import Row

SIZES = [KIB << n for n in range(4, 23)]


def chase(size: int, ns: float, hint: str = "plain") -> Row:
    case = f"gpu/chase/size={format_size(size)}/order=random/hint={hint}"
    return row((ns,) * 5, case, metric=Metric.LATENCY, tier=Tier.L1)


def bandwidth(case: str, value: float, **changes: Any) -> Row:
    return row((value,) * 5, case, tier=Tier.HBM, **changes)


def test_capacities_by_latency_and_by_bandwidth() -> None:
    def ns(size: int) -> float:
        levels = ((128 * KIB, 18.0), (8 * MIB, 140.0), (32 * MIB, 250.0))
        return next((value for limit, value in levels if size <= limit), 500.0)

    rows = [chase(size, ns(size)) for size in SIZES]
    rows += [chase(size, 7.0, hint="cg") for size in SIZES]  # another curve that stays unchanged
    for size in SIZES:
        text = format_size(size)
        rows.append(
            bandwidth(f"l1/read/size={text}/hint=plain", 30000.0 if size <= 256 * KIB else 5500.0)
        )
        rows.append(bandwidth(f"l2/read/size={text}", 5500.0 if size <= 32 * MIB else 3000.0))
    found = {(one.level, one.by): (one.inside, one.outside) for one in tiers.capacities(rows)}
    assert found == {
        ("l1", "latency"): (128 * KIB, 256 * KIB),
        ("l2 near", "latency"): (8 * MIB, 16 * MIB),
        ("l2", "latency"): (32 * MIB, 64 * MIB),
        ("l1", "bandwidth"): (256 * KIB, 512 * KIB),
        ("l2", "bandwidth"): (32 * MIB, 64 * MIB),
    }
    (l2,) = [one for one in tiers.capacities(rows) if (one.level, one.by) == ("l2", "bandwidth")]
    assert len(l2.cases) == len(SIZES)
    assert tiers.capacities([]) == ()


def test_near_and_far_lines_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    near, far = rng.normal(140, 4, 600), rng.normal(215, 5, 400)
    samples = tuple(sorted([*near, *far]))

    def map_of(several: tuple[float, ...]) -> Row:
        case = "l2/map/size=8MiB"
        return row((160.0,), case, metric=Metric.LATENCY, tier=Tier.L2, samples=(several,))

    (found,) = tiers.near_and_far([map_of(samples)])
    assert found.near_ns == pytest.approx(140, rel=0.01)
    assert found.far_ns == pytest.approx(215, rel=0.01)
    assert found.far_share == pytest.approx(0.4, abs=0.01)
    assert tiers.near_and_far([map_of(tuple(sorted(near)))]) == ()  # one level
    assert tiers.near_and_far([map_of((140.0,))]) == ()


@given(st.lists(st.floats(1, 1e3), min_size=2, max_size=30))
def test_the_cut_is_the_best_of_all(numbers: list[float]) -> None:
    samples = np.sort(numbers)

    def within(cut: int) -> float:
        return float(sum(part.size * part.var() for part in (samples[:cut], samples[cut:])))

    best = min(within(cut) for cut in range(1, samples.size))
    assert within(tiers._cut(samples)) == pytest.approx(best, abs=1e-3)


def test_a_load_curve_for_every_mix() -> None:
    rows = []
    for pause, (gbs, ns) in enumerate([(100, 400), (1500, 430), (2500, 520), (2900, 1100)]):
        case = f"hbm/loaded/size=1GiB/reads=100/load={pause}/sms=100"
        rows += [
            bandwidth(case, float(gbs)),
            row((float(ns),) * 3, case, metric=Metric.LATENCY, tier=Tier.HBM),
            row((2.0 * ns,), case, metric=Metric.LATENCY, tier=Tier.HBM, stat=Stat.P99),
        ]
    rows.append(bandwidth("hbm/loaded/size=1GiB/reads=50/load=100/sms=100", 2000.0))
    rows += [replace(one, case=one.case.replace("hbm", "host")) for one in rows]
    curves = tiers.load_curves(rows)
    mixes = [(one.bench, one.reads, len(one.cases)) for one in curves]
    # Without a latency, `load_curves` returns no curve.
    assert mixes == [("hbm/loaded", "100", 4), ("host/loaded", "100", 4)]
    curve = curves[0].curve
    assert curve.unloaded_ns == 400
    assert (curve.knee, curve.most) == ((2500, 520), (2900, 1100))


def test_shares_of_reading() -> None:
    rows = [
        bandwidth("hbm/read/size=1GiB/vec=16", 3000.0),
        bandwidth("hbm/read/size=1GiB/config=best", 3200.0),
        bandwidth("hbm/read/size=16MiB/vec=16", 5000.0, flags=("cache-served",)),
        bandwidth("hbm/gather/size=4GiB/page=4KiB/table=uniform", 2400.0),
        bandwidth("decode/attn/model=m/context=32768/kv=fp16/launch=graph", 1600.0),
        row((), "hbm/gather/size=4GiB/page=32B/table=uniform"),
    ]
    shares = {one.case.split("/")[1]: one.share for one in tiers.shares_of_read(rows)}
    assert shares == {"gather": 0.75, "attn": 0.5}
    assert tiers.shares_of_read(rows[3:]) == ()


def test_bank_conflicts_are_held_against_stride_one_of_the_same_width() -> None:
    rows = [
        bandwidth("smem/read/width=4/stride=1", 30000.0),
        bandwidth("smem/read/width=4/stride=8", 3750.0, detail={"conflict": "8"}),
        bandwidth("smem/read/width=8/stride=1", 29000.0),
        bandwidth("smem/write/width=4/stride=8", 3000.0),
    ]
    (one,) = tiers.bank_conflicts(rows)
    assert (one.case, one.of) == ("smem/read/width=4/stride=8", "smem/read/width=4/stride=1")
    assert (one.times, one.predicted) == (8.0, "8")


def test_a_case_without_width_or_stride_has_no_conflict() -> None:
    rows = [
        bandwidth("smem/read/width=4/stride=1", 30000.0),
        bandwidth("smem/read/stride=8", 3750.0),
        bandwidth("smem/read/width=4", 3750.0),
        bandwidth("smem/read", 3750.0),
    ]
    assert tiers.bank_conflicts(rows) == ()


def test_a_case_in_its_parts() -> None:
    name, params = split_case("gpu/gemm/bf16/n=8192")
    assert (name, params) == ("gpu/gemm/bf16", {"n": "8192"})
