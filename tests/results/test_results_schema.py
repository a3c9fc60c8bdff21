"""Every rule of a results row, tested by breaking the rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from membench.core.errors import SchemaError
from membench.core.terms import FLAGS, Better, Metric, Status
from membench.results.schema import COLUMNS, Row, check, from_cells, normal, to_cells

GOLDEN = Path(__file__).parent / "golden" / "results-header.csv"

MakeRow = Callable[..., Row]


def cell(row: Row, column: str) -> str:
    return to_cells(row)[COLUMNS.index(column)]


def test_header_is_the_golden_one_and_fields_are_columns() -> None:
    assert ",".join(COLUMNS) + "\n" == GOLDEN.read_text()
    assert tuple(field.name for field in fields(Row)) == COLUMNS


def test_a_row_in_cells(make_row: MakeRow) -> None:
    cells = dict(zip(COLUMNS, to_cells(make_row()), strict=True))
    assert cells["schema"] == "membench.results/1"
    assert cells["value"] == "20.5"
    assert cells["round_values"] == "20.0;21.0"
    assert cells["samples"] == "19.5;20.0;20.5|20.5;21.5"
    assert cells["size_bytes"] == "268435456"
    assert cells["verified"] == "true"
    assert cells["converged"] == "false"
    assert cells["detail"] == "threads=2"
    assert cells["membench"] == "0.1.0+g1234e56"
    assert cells["reason"] == ""
    assert from_cells(cells) == make_row()


def test_good_rows_pass(make_row: MakeRow, make_failed: MakeRow) -> None:
    check(make_row())
    check(make_failed())
    check(make_failed(status=Status.SKIPPED, rounds=0, n=0, round_values=(), samples=()))


def test_identical_rounds_have_a_spread_of_zero(make_row: MakeRow) -> None:
    row = make_row(round_values=(20.5, 20.5), spread=0.0)
    check(row)
    assert cell(row, "spread") == "0.0"


def test_a_failed_row_keeps_its_samples(make_failed: MakeRow) -> None:
    row = normal(make_failed())
    assert row.samples == ((19.5, 20.0, 20.5), (20.5, 21.5))


def test_absent_is_empty(make_failed: MakeRow) -> None:
    absent = dict.fromkeys(("min", "max", "size_bytes", "iters", "peak", "verified", "cache_state"))
    row = make_failed(
        **absent, rounds=0, n=0, round_values=(), samples=(), detail={}, flags=(), timer=""
    )
    check(row)
    for name in (*absent, "rounds", "n", "samples", "detail", "flags", "timer", "value", "spread"):
        assert cell(row, name) == ""
    assert normal(row) == row


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"schema": "membench.results/2"}, "schema"),
        ({"run_id": ""}, "run_id"),
        ({"run_id": "-1"}, "run_id"),
        ({"machine": "My Box"}, "machine"),
        ({"machine": "=cmd"}, "machine"),
        ({"case": "=ddr/copy"}, "case"),
        ({"case": "ddr/copy,x"}, "case"),
        ({"case_version": 0}, "case_version"),
        ({"tier": "dram"}, "tier"),
        ({"metric": "speed"}, "metric"),
        ({"stat": "mean"}, "stat"),
        ({"status": "waived"}, "status"),
        ({"value": None}, "value"),
        ({"value": 0.0, "round_values": ()}, "value"),
        ({"value": -1.0, "round_values": ()}, "value"),
        ({"value": math.nan, "round_values": ()}, "value"),
        ({"value": math.inf, "round_values": ()}, "value"),
        ({"value": 30.0}, "value"),
        ({"unit": "GiB/s"}, "unit"),
        ({"better": Better.LOWER}, "better"),
        ({"metric": Metric.LATENCY}, "unit"),
        ({"rounds": 3}, "rounds"),
        ({"rounds": -1}, "rounds"),
        ({"round_values": (20.0, 0.0)}, "round_values"),
        ({"round_values": (20.0, math.nan)}, "round_values"),
        ({"spread": math.nan}, "spread"),
        ({"rounds": 1, "round_values": (20.5,)}, "spread"),
        ({"samples": ((1.0, -1.0), (1.0,))}, "samples"),
        ({"samples": ((1.0, math.inf), (1.0,))}, "samples"),
        ({"samples": ((1.0,) * 513, (1.0,))}, "samples"),
        ({"samples": ((1.0,),)}, "samples"),
        ({"min": 22.0}, "min"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"size_bytes": 1.5}, "size_bytes"),
        ({"bytes_convention": "both"}, "bytes_convention"),
        ({"iters": True}, "iters"),
        ({"cache_state": "warm"}, "cache_state"),
        ({"verified": "yes"}, "verified"),
        ({"peak": 0.0}, "peak"),
        ({"peak_basis": "guess"}, "peak_basis"),
        ({"backend": "emulator"}, "backend"),
        ({"membench": "1234e56"}, "membench"),
        ({"kernel": "1234e56"}, "kernel"),
        ({"kernel": "123456"}, "kernel"),
        ({"flags": ("odd",)}, "flags"),
        ({"flags": ("noisy", "noisy")}, "flags"),
        ({"started": "31.1.2026"}, "started"),
        ({"started": "2026-01-31T08:04:12"}, "started"),
        ({"reason": "why"}, "reason"),
    ],
)
def test_a_broken_row_names_case_and_column(
    make_row: MakeRow, change: dict[str, Any], column: str
) -> None:
    row = make_row(**change)
    with pytest.raises(SchemaError) as refused:
        check(row)
    message = str(refused.value)
    assert message.startswith(row.case)
    assert f"column '{column}'" in message
    assert "\n" not in message


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.FAILED])
@pytest.mark.parametrize(
    ("change", "column"),
    [({"value": 20.0}, "value"), ({"reason": ""}, "reason"), ({"reason": " \n"}, "reason")],
)
def test_skipped_and_failed_rows_have_a_reason_and_no_value(
    make_failed: MakeRow, status: Status, change: dict[str, Any], column: str
) -> None:
    with pytest.raises(SchemaError, match=f"column '{column}'"):
        check(make_failed(status=status, **change))


def test_every_flag_may_stand_in_a_row(make_row: MakeRow) -> None:
    row = make_row(flags=tuple(FLAGS))
    check(row)
    assert normal(row).flags == tuple(FLAGS)


def test_samples_have_seven_digits_and_values_all(make_row: MakeRow) -> None:
    third = 20 + 1 / 3
    row = make_row(value=third, round_values=(third, third), samples=((third,), (1234567.89,)))
    assert cell(row, "value") == "20.333333333333332"
    assert cell(row, "samples") == "20.33333|1234568.0"
    assert from_cells(dict(zip(COLUMNS, to_cells(row), strict=True))).value == third


def test_a_round_without_kept_samples_keeps_its_place(make_row: MakeRow) -> None:
    row = make_row(samples=((), (1.5,)))
    check(row)
    assert cell(row, "samples") == "|1.5"
    assert normal(row).samples == ((), (1.5,))


def test_free_text_is_cleaned_and_guarded(make_row: MakeRow) -> None:
    row = make_row(device="=cmd()", driver="Foo\u00ae\nbar", timer="NA")
    assert cell(row, "device") == "'=cmd()"
    assert cell(row, "driver") == "Foo bar"
    assert normal(row).device == "=cmd()"
    assert normal(row).timer == "NA"


def test_detail_is_cleaned(make_row: MakeRow) -> None:
    detail = {"Free Text": "a;b=c\nd", "ok": "x", "none": "", "bad": "nan", "worse": "-inf"}
    row = make_row(detail=detail)
    assert cell(row, "detail") == "free_text=a,b:c d;ok=x"
    assert normal(normal(row)) == normal(row)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("value", "N/A"),
        ("value", "nan"),
        ("value", "inf"),
        ("value", "1_000"),
        ("value", " 1"),
        ("value", "-1"),
        ("rounds", "0"),
        ("rounds", "2.0"),
        ("size_bytes", "1e9"),
        ("size_bytes", "256MiB"),
        ("tier", "dram"),
        ("verified", "yes"),
        ("samples", "1;;2"),
        ("samples", "1;x"),
        ("round_values", "1|2"),
        ("detail", "novalue"),
        ("detail", "A=1"),
        ("unit", ""),
        ("case_version", ""),
    ],
)
def test_a_cell_of_the_wrong_kind_is_refused(make_row: MakeRow, column: str, text: str) -> None:
    cells = dict(zip(COLUMNS, to_cells(make_row()), strict=True))
    with pytest.raises(SchemaError, match=f"^ddr/copy/size=256MiB: column '{column}': "):
        from_cells({**cells, column: text})


def test_a_spreadsheets_spelling_of_true_is_read(make_row: MakeRow) -> None:
    cells = dict(zip(COLUMNS, to_cells(make_row()), strict=True))
    assert from_cells({**cells, "verified": "TRUE"}) == make_row()


def test_key_tells_rows_apart(make_row: MakeRow) -> None:
    row: Row = make_row()
    assert replace(row, run_id="other").key != row.key
    assert replace(row, value=1.0).key == row.key


def test_what_rows_share_is_told_from_what_only_looks_alike(make_row: MakeRow) -> None:
    """1 and True have the same hash, and a list has no hash.

    So the cache of checks must distinguish 1 from True, and must not fail on a list.
    """
    check(make_row(verified=True, iters=1))
    for column, value in (("verified", 1), ("iters", True), ("case_version", True)):
        with pytest.raises(SchemaError, match=f"column '{column}'"):
            check(make_row(**{column: value}))
    listed = make_row(flags=["noisy"])
    check(listed)
    assert to_cells(listed) == to_cells(make_row(flags=("noisy",)))
    with pytest.raises(SchemaError, match="column 'flags'"):
        check(make_row(flags=["not a flag"]))
