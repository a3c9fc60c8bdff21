"""The steps of the replay in one pass, each compared with plain Python code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import trace_of

from membench.thesis.replay.lru_stack.inversions import smaller_before
from membench.thesis.replay.lru_stack.ragged import offsets, ranges, rows, running_max
from membench.thesis.replay.lru_stack.stack import EMPTY, advance
from membench.thesis.replay.lru_stack.successive import succession
from membench.thesis.replay.lru_stack.touches import touches
from membench.thesis.replay.trace import TraceError

WEIGHED = st.lists(st.tuples(st.integers(-5, 20), st.integers(0, 9)), max_size=70)
LENGTHS = st.lists(st.integers(0, 5), max_size=12)


def ints(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


@given(WEIGHED)
def test_smaller_values_before_each_are_summed(drawn: list[tuple[int, int]]) -> None:
    values, weights = ints([value for value, _ in drawn]), ints([weight for _, weight in drawn])
    assert smaller_before(values, weights).tolist() == [
        sum(weight for value, weight in drawn[:place] if value < drawn[place][0])
        for place in range(len(drawn))
    ]


@given(LENGTHS, st.data())
def test_rows_of_different_lengths(lengths: list[int], data: st.DataObject) -> None:
    begins = offsets(ints(lengths))
    values = ints([data.draw(st.integers(0, 9)) for _ in range(sum(lengths))])
    row = rows(begins)
    assert row.tolist() == [n for n, length in enumerate(lengths) for _ in range(length)]
    starts = ints([data.draw(st.integers(0, 50)) for _ in lengths])
    assert ranges(starts, ints(lengths)).tolist() == [
        start + step
        for start, length in zip(starts.tolist(), lengths, strict=True)
        for step in range(length)
    ]
    assert running_max(row, values).tolist() == [
        max(values[begins[row[place]] : place + 1].tolist()) for place in range(values.size)
    ]


def test_a_request_is_compared_with_the_one_before() -> None:
    # Request 0 has runs 0 to 2, request 1 has runs 3 to 6, request 2 has runs 7 and 8.
    first = ints([1, 9, 20, 1, 9, 30, 40, 1, 9])
    last = ints([5, 14, 21, 5, 11, 31, 49, 5, 19])
    found = succession(first, last, ints([0, 3, 7, 9]))
    assert found.shared.tolist() == [5 + 3, 5 + 3]
    assert list(zip(*map(np.ndarray.tolist, found.fresh), strict=True)) == [
        *((0, 5, 30, 31), (0, 6, 40, 49), (1, 8, 12, 19))
    ]
    assert list(zip(*map(np.ndarray.tolist, found.left), strict=True)) == [
        *((1, 5, 30, 31), (1, 6, 40, 49), (0, 1, 12, 14), (0, 2, 20, 21))
    ]


def test_what_a_request_names_twice_is_kept_apart() -> None:
    found = touches(trace_of([[1, 2, 3], [], [5, 6, 9, 6, 7, 9], [4]]))
    assert found.number.tolist() == [0, 2, 3]
    assert found.offsets.tolist() == [0, 1, 4, 5]
    assert found.first.tolist() == [1, 5, 9, 7, 4]
    assert found.last.tolist() == [3, 6, 9, 7, 4]
    assert found.again.after.tolist() == [2, 3]
    assert found.again.blocks.tolist() == [1, 1]
    part = found.between(1, 3)
    assert part.number.tolist() == [2, 3]
    assert part.again.after.tolist() == [1, 2]


def test_sessions_do_not_meet() -> None:
    found = touches(trace_of([[7, 8], [7], [1]], sessions=[4, 9, 4]))
    blocks = [
        set(range(one, other + 1)) for one, other in zip(found.first, found.last, strict=True)
    ]
    assert not blocks[0] & blocks[1]
    assert not blocks[1] & blocks[2]


def test_ids_that_no_number_can_tell_apart_are_refused() -> None:
    wide = [[0], [2**61]]
    trace = trace_of([*wide, *wide, *wide], sessions=[0, 0, 1, 1, 2, 2])
    with pytest.raises(TraceError, match="too large to give each session separate ids"):
        touches(trace)


def test_a_step_stops_before_it_takes_too_much_memory() -> None:
    whole = touches(trace_of([list(range(n, 40)) for n in range(0, 40, 2)]))
    assert advance(EMPTY, whole, 100) is None
    done = advance(EMPTY, whole, None)
    assert done is not None
    found, stack = done
    assert found.blocks.size > 100
    assert stack.top == 1
    assert int((stack.last - stack.first + 1).sum()) == 40
