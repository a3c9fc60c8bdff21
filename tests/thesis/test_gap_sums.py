"""The sums over idle times that membench contains are those of the traces."""

from __future__ import annotations

import numpy as np
import pytest

from membench.thesis.models.demand import resident_bytes
from membench.thesis.replay.gap_sums import (
    FAST_S,
    GRID_S,
    KEPT_S,
    computed,
    gap_sums,
    gaps_of,
)
from membench.thesis.replay.traces import SHIPPED

NAMES = [one.name for one in SHIPPED]


def test_every_trace_has_sums_of_its_present_content() -> None:
    assert {name: sums.trace for name, sums in gap_sums().items()} == {
        one.name: one.sha256 for one in SHIPPED
    }


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_the_sums_are_those_of_the_trace(name: str) -> None:
    sums, again = gap_sums()[name], computed(name)
    for key in ("fast_share", "slow_share", "fast_mean_s", "slow_mean_s"):
        assert getattr(sums, key) == pytest.approx(again[key], rel=1e-12)
    for key in ("traffic", "residency"):
        np.testing.assert_allclose(getattr(sums, key), again[key], rtol=1e-12)
    bands = [[band.traffic, band.residency] for band in sums.bands]
    np.testing.assert_allclose(bands, again["bands"], rtol=1e-12)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_the_sums_agree_with_each_gap(name: str) -> None:
    sums, gaps = gap_sums()[name], gaps_of(name)
    seconds, tokens = gaps.seconds, gaps.weights
    for limit, share in zip(GRID_S, sums.traffic, strict=True):
        assert share == pytest.approx(tokens[seconds <= limit].sum() / tokens.sum())
    fast = seconds <= FAST_S
    assert sums.fast_share == pytest.approx(tokens[fast].sum() / tokens.sum())
    assert sums.fast_share + sums.slow_share == pytest.approx(
        tokens[seconds <= KEPT_S].sum() / tokens.sum()
    )
    assert sums.slow_mean_s == pytest.approx(resident_bytes(1.0, seconds, tokens, KEPT_S))
    assert sums.residency[-1] == pytest.approx(
        (tokens * seconds)[seconds <= GRID_S[-1]].sum() / (tokens * seconds).sum()
    )
