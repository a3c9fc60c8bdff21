"""The number of GPUs is the same for numbers and for arrays, and is the smallest that fits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from membench.thesis.models.gpu_count import gpus_needed, gpus_needed_each

BYTES = st.floats(1e6, 1e13)


@given(BYTES, BYTES, st.floats(0.1, 1.0))
def test_numbers_and_arrays_give_the_same_count(
    weights: float, memory: float, share: float
) -> None:
    count = gpus_needed(weights, memory, share)
    assert gpus_needed_each(weights, np.array([memory]), share).tolist() == [count]
    assert count.bit_count() == 1


@given(st.integers(0, 8), st.floats(1e9, 1e12))
def test_weights_that_fit_exactly_need_no_more_gpus(power: int, memory: float) -> None:
    assert gpus_needed(2**power * memory, memory) == 2**power
    assert gpus_needed(2**power * memory * 1.001, memory) == 2 ** (power + 1)
    assert gpus_needed(memory / 3, memory) == 1
