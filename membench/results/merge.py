"""Combine the facts that several rounds recorded about one case."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from membench.core.terms import FLAGS, BytesConvention, CacheState, PeakBasis
from membench.results.case_result import CaseResult
from membench.results.cells import is_positive, looks_like_a_number, number_text

DetailValue = str | int | float


def merge_facts(units: Sequence[CaseResult]) -> dict[str, Any]:
    """Combine the facts of ``units``, the results of the rounds of one case: column -> value.

    `verified` and `converged` are False if any round has False, True if all rounds have True, and
    otherwise None.

    In all other columns, rounds without a value are ignored. If the values differ, the result is:

    - for an integer: the low median, so that the result is the value of a round
    - for a frequency or a peak: the median
    - for text: the sorted distinct values, joined by ``,``
    - for a backend, or a word of a closed list: no value

    A `kernel` that a spreadsheet would read as a number gets the prefix ``k``.
    """
    return {
        column: merge([getattr(unit, column) for unit in units])
        for column, merge in _MERGERS.items()
    }


def merge_detail(units: Sequence[CaseResult]) -> dict[str, str]:
    """Combine the `detail` of ``units``, the results of the rounds of one case: name -> text.

    If all values are numbers and they differ, the result is their median with 4 significant digits.
    Other values that differ are sorted and joined by ``,``.
    """
    values: dict[str, list[DetailValue]] = {}
    for unit in units:
        for key, value in unit.detail.items():
            values.setdefault(key, []).append(value)
    return {key: _detail(found) for key, found in values.items()}


def merge_flags(units: Sequence[CaseResult], *more: str) -> tuple[str, ...]:
    """The distinct flags of ``units`` and ``more``, in the order of `FLAGS`."""
    raised = {flag for unit in units for flag in unit.flags} | set(more)
    return tuple(code for code in FLAGS if code in raised)


def _detail(values: Sequence[DetailValue]) -> str:
    numbers = [float(value) for value in values if not isinstance(value, str | bool)]
    if len(numbers) == len(values) and len(set(numbers)) > 1:
        return number_text(float(f"{statistics.median(numbers):.4g}"))
    return _texts([_detail_text(value) for value in values])


def _detail_text(value: DetailValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value) if isinstance(value, float) else str(value)


def _texts(values: Sequence[str]) -> str:
    return ",".join(sorted({value for value in values if value}))


def _kernels(values: Sequence[str]) -> str:
    merged = _texts(values)
    return f"k{merged}" if looks_like_a_number(merged) else merged


def _whole(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None and value > 0]
    return statistics.median_low(known) if known else None


def _number(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and is_positive(value)]
    return statistics.median(known) if known else None


def _word(vocabulary: Callable[[str], Any]) -> Callable[[Sequence[str]], Any]:
    def merge(values: Sequence[str]) -> Any:
        distinct = {value for value in values if value}
        return vocabulary(distinct.pop()) if len(distinct) == 1 else None

    return merge


def _code(values: Sequence[str]) -> str:
    distinct = {value for value in values if value}
    return distinct.pop() if len(distinct) == 1 else ""


def _all(values: Sequence[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values or not values else True


_MERGERS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "size_bytes": _whole,
    "bytes_moved": _whole,
    "bytes_convention": _word(BytesConvention),
    "iters": _whole,
    "timer": _texts,
    "cache_state": _word(CacheState),
    "verified": _all,
    "converged": _all,
    "stop_reason": _texts,
    "peak": _number,
    "peak_basis": _word(PeakBasis),
    "sm_mhz": _number,
    "backend": _code,
    "device": _texts,
    "driver": _texts,
    "cuda": _texts,
    "kernel": _kernels,
}
