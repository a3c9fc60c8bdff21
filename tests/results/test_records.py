"""`at_once` splits a file into the same records as the csv module, and finds the same errors."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import SchemaError
from membench.results import records as module
from membench.results.records import at_once, records
from membench.results.schema import Row
from membench.results.table import parse_rows, to_csv

PIECES = (",", "\n", "\r\n", '"', '""', "a", "bcd", " ", "\r", "\0", "\x1e", "\x1f", "\u2028")


@settings(max_examples=examples(600))
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("abc,def\nghi,jkl\n")
@example('"a,a","b""b"\ncccc,dddd')
@example("a\n\nb\n")
@example('abcd,a"b,c"d,efgh\nabcd,efgh,ijkl,mnop\n')
@example('abcd,"",efgh\nabcd,efgh,ijkl\n')
@example('abcd,"a"b\nabcd,efgh\n')
def test_records_split_at_once_are_those_of_the_csv_module(text: str) -> None:
    found = at_once(text)
    if found is not None:
        assert list(enumerate(found, start=1)) == list(module._one_by_one(text))


def test_a_results_file_is_split_at_once(make_row: Callable[..., Row]) -> None:
    rows = [make_row(), make_row(case="ddr/b", device='a "b", c', detail={"cpus": "0,1"})]
    text = to_csv(rows).decode("ascii")
    found = at_once(text)
    assert found is not None
    assert found.header == tuple(text.partition("\n")[0].split(","))
    assert found.column(found.header.index("device")) == ["Some CPU", 'a "b", c']
    crlf = at_once(text.replace("\n", "\r\n"))
    assert crlf == found


def _outcome(text: str) -> object:
    try:
        return parse_rows(text)
    except SchemaError as error:
        return str(error), error.hint


@settings(max_examples=examples(200))
@given(st.randoms(use_true_random=False))
def test_a_mutilated_file_gives_the_same_rows_or_the_same_error(
    make_row: Callable[..., Row], rng: random.Random
) -> None:
    rows = [make_row(), make_row(case="ddr/b", detail={"cpus": "0,1"}), make_row(case="ddr/c")]
    text = to_csv(rows).decode("ascii")
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(text))
        piece = rng.choice([*PIECES, ";", "0", "schema", "=1"])
        text = text[:start] + piece + text[start + rng.randrange(3) :]
    at_once_found = _outcome(text)
    with pytest.MonkeyPatch().context() as patched:
        patched.setattr(module, "at_once", lambda _text: None)
        assert _outcome(text) == at_once_found


def test_a_large_file_is_read_record_by_record(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "abc,def\nghi,jkl\n"
    monkeypatch.setattr(module, "_AT_ONCE", len(text) - 1)
    monkeypatch.setattr(module, "at_once", lambda _text: pytest.fail("split at once"))
    assert list(records(text)) == [(1, ["abc", "def"]), (2, ["ghi", "jkl"])]
