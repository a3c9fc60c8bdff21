"""Cells of samples that are parsed only at first use."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from membench.results.cells import (
    SAMPLES,
    SAMPLES_KEPT,
    are_plain_samples,
    rounds_of_samples,
)

_PIECES = ("0", "7", "1.5", "1e99", "1E-5", "1e308", "1e999", ".", "e", "-", ";", "|", "nan", " ")


@given(st.lists(st.sampled_from(_PIECES), min_size=1).map("".join))
@example(";".join(["1"] * SAMPLES_KEPT))
@example(";".join(["1"] * (SAMPLES_KEPT + 1)))
@example("9" * 15 + "e99")
@example("9" * 400)
def test_samples_that_look_plain_are_valid(cell: str) -> None:
    try:
        read = SAMPLES.from_cell(cell)
        valid = SAMPLES.valid(read)
    except ValueError:
        valid = False
    if are_plain_samples(cell):
        assert valid
        assert rounds_of_samples(cell) == len(read)


def test_most_samples_look_plain() -> None:
    assert are_plain_samples("23.50819;149722.0;1.4e+07;3e-06|5.0||0.0")
