"""Values too large or too small for computations are refused, also among unparsed samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from membench.core.errors import SchemaError
from membench.results.magnitude import check_magnitude
from membench.results.rows import relative_spread
from membench.results.schema import Row, are_usual_samples
from membench.results.table import parse_rows, to_csv

MakeRow = Callable[..., Row]


def read_with(make_row: MakeRow, samples: tuple[float, ...]) -> Row:
    """A row read from a file, so that its samples are still text."""
    made = replace(make_row(samples=(samples,), round_values=(2.0,)), rounds=1, value=2.0)
    made = replace(made, spread=relative_spread((2.0,)))
    return parse_rows(to_csv([made]).decode("ascii"))[0]


@pytest.mark.parametrize("sample", [1e114, 1e101, 1e-101])
def test_a_sample_that_could_overflow_is_refused(make_row: MakeRow, sample: float) -> None:
    row = read_with(make_row, (1.5, sample))
    assert not are_usual_samples(row)
    with pytest.raises(SchemaError, match="is not a possible measurement"):
        check_magnitude([row])


@pytest.mark.parametrize("samples", [(1.5, 0.0), (1e-12, 3e14), (1e99, 1e-99)])
def test_possible_samples_pass(make_row: MakeRow, samples: tuple[float, ...]) -> None:
    check_magnitude([read_with(make_row, samples)])


def test_usual_samples_are_checked_without_parsing(make_row: MakeRow) -> None:
    row = read_with(make_row, (1.5, 0.0, 149722.0))
    assert are_usual_samples(row)
    check_magnitude([row])
    assert are_usual_samples(row)
    assert row.samples == ((1.5, 0.0, 149722.0),)
    assert not are_usual_samples(row)
