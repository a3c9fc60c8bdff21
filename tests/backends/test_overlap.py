"""The overlap of two streams: only the time in which both streams run counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.workloads.overlap import beside


def test_pieces_wholly_inside_count_and_others_do_not() -> None:
    victim = [0, 10, 25, 30, 60]
    aggressor = [10, 20, 40]
    found = beside(victim, aggressor)
    assert found is not None
    assert found.victim_ns == (15.0, 5.0)  # 10 to 25 ns, and 25 to 30 ns
    assert found.window_ns == 20.0
    # One whole piece and half of the second piece.
    assert found.aggressor_pieces == pytest.approx(1.5)


def test_no_overlap_is_none() -> None:
    assert beside([0, 10, 20], [20, 30]) is None
    assert beside([0, 100], [10, 20]) is None


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    st.integers(0, 3000),
)
def test_the_rate_in_the_window_is_between_the_slowest_and_the_fastest_piece(
    victim: list[int], aggressor: list[int], start: int
) -> None:
    v = [start + sum(victim[:n]) for n in range(len(victim) + 1)]
    a = [1000 + sum(aggressor[:n]) for n in range(len(aggressor) + 1)]
    found = beside(v, a)
    if found is None:
        assert not any(x >= a[0] and y <= a[-1] for x, y in pairwise(v))
        return
    assert sum(found.victim_ns) == found.window_ns  # the intervals of the victim have no gaps
    rate = found.aggressor_pieces / found.window_ns
    assert 1 / max(aggressor) <= rate * (1 + 1e-9)
    assert rate <= 1 / min(aggressor) * (1 + 1e-9)
