"""The function that parses many numbers at once returns the same numbers as `float`."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.analysis import decimals
from membench.analysis.decimals import numbers

moderate = st.floats(1e-9, 1e15)
digits = st.text("0123456789", min_size=1, max_size=18)


def _between(value: float) -> str:
    """The number halfway to the next float, cut to 18 digits: the hardest to round."""
    middle = (Decimal(value) + Decimal(float(np.nextafter(value, np.inf)))) / 2
    return f"{middle:.17g}" if "e" in f"{middle:.18g}" else f"{middle:.18g}"


texts = st.one_of(
    moderate.map(repr),
    moderate.map(lambda one: f"{one:.7g}"),
    st.floats(2.0**-10, 2.0**50).map(_between),
    st.integers(-9, 49).map(lambda power: _between(2.0**power * (1 - 2.0**-53))),
    st.integers(2**53, 2**55).map(lambda one: f"{one}.5"),
    st.tuples(digits, digits).map(".".join),
    st.integers(0, 10**30).map(str),
    st.sampled_from(["0.0", "1e5", "1.5E-7", "9007199254740993.0", "0." + "0" * 26 + "1"]),
)


@settings(max_examples=examples(400))
@given(st.lists(texts, min_size=1, max_size=20))
@example(["9007199254740993.0"])
@example(["1.00000000000000011102230246251565"])
def test_each_is_what_float_reads(found: list[str]) -> None:
    assert numbers(";".join(found)).tolist() == list(map(float, found))


@pytest.mark.parametrize("text", ["1.5.2;3", "1..5;2", "1.5;.", ".;1.5", "1.5;"])
def test_what_float_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="could not"):
        numbers(text)


def test_round_values_need_no_float(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [10.001990074268148, 0.042699325933941865, 34.90841819038651, 149722.0]
    monkeypatch.setattr(decimals, "float", lambda _text: pytest.fail("read alone"), raising=False)
    assert numbers(";".join(map(repr, values))).tolist() == values
