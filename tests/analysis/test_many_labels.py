"""Comparisons with many labels use arrays, and give the same values as with few labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from compare_rows import row
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.analysis import figures as figures_module
from membench.analysis.comparison import Comparison, compare
from membench.analysis.figures import MANY
from membench.analysis.many_differences import EstimatedDifferences
from membench.analysis.sides import Side
from membench.core.errors import SchemaError
from membench.core.terms import Metric
from membench.core.units import significant, significant_texts
from membench.report.screens.compare.data import to_csv, to_json
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.markdown import to_markdown
from membench.report.screens.compare.table import list_lines, wide_lines
from membench.report.screens.compare.view import arrange
from membench.results.compact.row import of_row
from membench.results.schema import Row

CHANGES: Sequence[dict[str, Any]] = (
    {},
    {"flags": ("vm",)},
    {"flags": ("above-peak",)},
    {"flags": ("few-huge-pages",)},
    {"case_version": 2},
    {"peak": 40.0},
    {"detail": {"engine": "numpy"}},
    {"backend": "import:fio"},
    {"min": 1.0, "max": 99.0},
)
values = st.integers(3, 6).flatmap(
    lambda count: st.lists(
        st.lists(st.floats(9.5, 10.5), min_size=count, max_size=count), min_size=MANY, max_size=20
    )
)
changes = st.lists(
    st.one_of(st.just(0), st.integers(0, len(CHANGES) - 1)), min_size=20, max_size=20
)


def _side(number: int, rows: Sequence[Row]) -> Side:
    run = f"20260101T000000Z-{number:04x}"
    return Side(f"l{number}", (), tuple(of_row(replace(one, run_id=run)) for one in rows))


def _shown(comparison: Comparison) -> list[str]:
    blocks = arrange(comparison)
    lines = comparison.lines
    notes = Footnotes(comparison)
    texts = [
        text
        for block in blocks
        for made in (
            list_lines(comparison, block, notes, block.ids, coloured=True),
            wide_lines(comparison, block, notes, block.ids, 10_000) or [],
        )
        for text in made
    ]
    return [
        *(repr((text.plain, text.spans)) for text in texts),
        *to_json(comparison, lines),
        *to_csv(comparison, lines),
        to_markdown(comparison, blocks),
        repr(comparison),
        comparison.to_frame().to_csv(),
    ]


def _compared(sides: Sequence[Side], many: int, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    with monkeypatch.context() as patched:
        patched.setattr(figures_module, "MANY", many)
        return compare(sides)


@settings(max_examples=15)
@given(values, changes, st.sampled_from([Metric.BANDWIDTH, Metric.LATENCY]), st.data())
def test_arrays_give_what_single_figures_give(
    found: list[list[float]], which: list[int], metric: Metric, data: st.DataObject
) -> None:
    missing = data.draw(st.sets(st.integers(1, len(found) - 1), max_size=2))
    sides = []
    for number, one in enumerate(found):
        case = "ddr/scale/size=1GiB" if number in missing else "ddr/copy/size=1GiB"
        first = row(one, case, metric=metric, **CHANGES[which[number]])
        failed = row((), "ddr/add/size=1GiB", metric=metric)
        other = failed if number == 3 else row(one[::-1], failed.case, metric=metric)
        sides.append(_side(number, [first, other]))
    monkeypatch = pytest.MonkeyPatch()
    at_once, single = (_compared(sides, many, monkeypatch) for many in (2, 1000))
    assert isinstance(at_once.lines[1].differences, EstimatedDifferences)
    assert not isinstance(single.lines[1].differences, EstimatedDifferences)
    assert _shown(at_once) == _shown(single)


@pytest.mark.parametrize("value", [10.0, 11.0])
def test_a_value_that_is_no_median_is_refused_among_many(value: float) -> None:
    wrong = of_row(row((9.0, 10.0, 11.0)))._replace(value=value)
    sides = [_side(number, [row((9.0, 10.0, 11.0))]) for number in range(MANY)]
    sides = [*sides[:-1], Side("last", (), (wrong,))]
    if value == 10.0:
        assert len(compare(sides).matched) == 1
    else:
        with pytest.raises(SchemaError, match="is not the median"):
            compare(sides)


@given(st.lists(st.floats(1e-20, 1e20), max_size=5), st.integers(1, 6))
def test_numbers_are_shown_at_once_as_one_by_one(numbers: list[float], digits: int) -> None:
    edges = [numbers[0], math.nextafter(numbers[0], 0)] if numbers else []
    shown = [significant(one, digits) for one in (*numbers, *edges)]
    assert significant_texts([*numbers, *edges], digits) == shown
    for one, text in zip(numbers, shown, strict=False):
        exponent = int(f"{one:.{digits - 1}e}".partition("e")[2])
        assert text == f"{one:.{max(0, digits - 1 - exponent)}f}"
