"""Samples that were read but not used are written as if they had been parsed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from membench.results.cells import SAMPLES, are_plain_samples, sample_text, written_samples

numbers = st.floats(0, 1e12, allow_subnormal=False)
texts = st.one_of(
    numbers.map(sample_text),
    numbers.map(lambda one: f"{one:.7g}"),
    numbers.map(repr),
    st.tuples(numbers, st.integers(0, 9), st.sampled_from("feEgG")).map(
        lambda one: f"{one[0]:.{one[1]}{one[2]}}"
    ),
    st.integers(0, 10**9).map(str),
    st.sampled_from(["0", "0.0", "0.00", "00.5", "0.0001", "0.00001", "1.50", "9999999.0", "10.0"]),
)
cells = st.lists(st.lists(texts, max_size=4).map(";".join), min_size=1, max_size=4).map("|".join)


@given(cells)
def test_as_parsed_and_formatted(cell: str) -> None:
    if not cell or not are_plain_samples(cell):
        return
    written = written_samples(cell)
    assert written in (None, SAMPLES.to_cell(SAMPLES.from_cell(cell)))


@given(st.lists(st.lists(st.floats(1e-4, 9e6), min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_membench_wrote_is_not_parsed_again(rounds: list[list[float]]) -> None:
    cell = SAMPLES.to_cell(tuple(map(tuple, rounds)))
    assert written_samples(cell) == cell
