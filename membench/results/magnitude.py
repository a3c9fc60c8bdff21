"""Check that computations with the values of a results file cannot overflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from membench.core.errors import SchemaError
from membench.results.schema import Row, are_usual_samples

LARGEST = 1e100
"""Largest permitted value of a measurement in its unit; 1 / `LARGEST` is the smallest.

The product of three such values fits in a double.
"""


def fits(number: float) -> bool:
    """Whether ``number`` is 0, or between 1 / `LARGEST` and `LARGEST`."""
    return number == 0 or 1 / LARGEST <= number <= LARGEST


def check_magnitude(rows: Iterable[Row]) -> None:
    """Reject ``rows`` if sums or ratios of their values could overflow.

    Raises:
        SchemaError: a value is too large or too small.
    """
    for row in rows:
        numbers = list(_numbers(row))
        if numbers and not (fits(min(numbers)) and fits(max(numbers))):
            wrong = next(number for number in numbers if not fits(number))
            raise SchemaError(
                f"{row.case} ({row.metric} {row.stat}): {wrong:g} is not a possible measurement",
                f"give a file whose numbers are between {1 / LARGEST:g} and {LARGEST:g}",
            )


def _numbers(row: Row) -> Iterator[float]:
    single = (row.value, row.spread, row.min, row.max, row.peak, row.sm_mhz)
    whole = (row.size_bytes, row.bytes_moved, row.iters)
    samples = () if are_usual_samples(row) else chain.from_iterable(row.samples)
    return filter(None, chain(single, row.round_values, samples, whole))
