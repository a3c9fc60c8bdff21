"""The quick reader gives the same rows as the strict reader, or calls the strict reader."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import SchemaError
from membench.results.compact import reader as quick
from membench.results.compact.reader import SKIPPED, read_measurements
from membench.results.compact.row import of_row
from membench.results.schema import COLUMNS, Row, to_cells
from membench.results.table import read_rows, write_rows

READ = [name for name in COLUMNS if name not in SKIPPED]


def both(path: Path) -> tuple[object, object]:
    """The results of the strict reader and of the quick reader: rows, or the error."""

    def strictly(where: Path) -> object:
        return [of_row(row) for row in read_rows(where)]

    return outcome(strictly, path), outcome(read_measurements, path)


def outcome(read: Callable[[Path], object], path: Path) -> object:
    try:
        return read(path)
    except SchemaError as error:
        return str(error), error.hint


@pytest.fixture
def rows(make_row: Callable[..., Row], make_failed: Callable[..., Row]) -> list[Row]:
    """Rows with all columns, with a single round, and with text that needs quotes."""
    return [
        make_row(),
        make_row(case="ddr/read", detail={"cpus": "0,1", "engine": "numba"}, flags=()),
        make_row(
            case="ddr/once", rounds=1, round_values=(20.5,), spread=None, samples=((20.0, 21.0),)
        ),
        make_failed(case="ddr/lost", reason='a "word", and a comma'),
        make_row(case="ddr/odd", device="=cmd()", timer='a "b"'),
    ]


def test_what_a_run_writes_is_read_without_the_strict_reader(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "a.csv", rows)
    expected = [of_row(row) for row in read_rows(tmp_path / "a.csv")]
    monkeypatch.setattr(quick, "parse_rows", lambda _text: pytest.fail("asked the strict reader"))
    found = read_measurements(tmp_path / "a.csv")
    assert found == expected
    assert [one.round_values for one in found] == [row.round_values for row in rows]
    assert found[1].detail == {"cpus": "0,1", "engine": "numba"}
    assert found[2].samples == ((20.0, 21.0),)
    assert [one.key for one in found] == [row.key for row in rows]


def test_other_orders_repeated_headers_and_repeated_rows(rows: list[Row], tmp_path: Path) -> None:
    names = sorted(COLUMNS)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for _ in range(2):
        writer.writerow([*names, "more"])
        for row in rows:
            cells = dict(zip(COLUMNS, to_cells(row), strict=True))
            writer.writerow([*(cells[name] for name in names), "x"])
    (tmp_path / "a.csv").write_text("\ufeff" + text.getvalue(), encoding="utf-8", newline="")
    strict, found = both(tmp_path / "a.csv")
    assert found == strict
    assert isinstance(found, list)
    assert len(found) == len(rows)


BAD = [
    "",
    "x",
    "0",
    "-1",
    "nan",
    "1e999",
    "1" * 400,
    "1_0",
    " 1",
    "1;;2",
    "1.2.3",
    "'",
    "=1",
    "a,b",
    '"',
]


@settings(max_examples=examples(300))
@given(
    st.sampled_from(READ), st.one_of(st.sampled_from(BAD), st.text(max_size=8)), st.integers(0, 3)
)
def test_a_changed_cell_is_judged_alike_by_both(
    tmp_path_factory: pytest.TempPathFactory,
    make_row: Callable[..., Row],
    make_failed: Callable[..., Row],
    column: str,
    cell: str,
    place: int,
) -> None:
    made = [make_row(), make_row(case="ddr/x"), make_failed(case="ddr/y"), make_row(case="ddr/z")]
    records = [to_cells(row) for row in made]
    records[place][COLUMNS.index(column)] = cell
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *records])
    path = tmp_path_factory.getbasetemp() / "changed.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    strict, found = both(path)
    if column == "round_values" and isinstance(found, list) and not isinstance(strict, list):
        # The reader parses these cells at first use: see the next test.
        with pytest.raises(SchemaError):
            _ = found[place].round_values
    elif column == "value" and isinstance(found, list) and not isinstance(strict, list):
        with pytest.raises(SchemaError, match="median"):
            _ = found[place].round_values
    else:
        assert found == strict


@settings(max_examples=examples(150))
@given(st.randoms(use_true_random=False))
def test_a_mutilated_file_is_judged_alike_by_both(
    tmp_path_factory: pytest.TempPathFactory,
    make_row: Callable[..., Row],
    rng: random.Random,
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutilated.csv"
    write_rows(path, [make_row(), make_row(case="ddr/x", detail={"cpus": "0,1"})])
    data = bytearray(path.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(data))
        data[start : start + rng.randrange(3)] = rng.choice([b'"', b",", b"\n", b"\r", b"\0", b";"])
    path.write_bytes(bytes(data))
    strict, found = both(path)
    if isinstance(strict, list):
        assert found == strict
    elif isinstance(found, list):
        # Only the strict reader fails: the error is in a column that compare does not read.
        assert isinstance(strict, tuple)
        message = strict[0]
        late = ("column 'round_values'", "column 'value': the value is not the median")
        known = (*(f"column '{name}'" for name in SKIPPED), *late)
        assert any(one in message for one in known), message


@pytest.mark.parametrize("column", ["value", "spread", "round_values", "peak"])
@pytest.mark.parametrize("cell", ["1" * 400, "1e999", "1e-999", "nan", "-1", "1_0", "0x1", "1,5"])
def test_what_is_no_finite_number_is_refused_by_both(
    tmp_path: Path, make_row: Callable[..., Row], column: str, cell: str
) -> None:
    cells = to_cells(make_row())
    cells[COLUMNS.index(column)] = cell
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, cells])
    (tmp_path / "a.csv").write_text(text.getvalue())
    strict, found = both(tmp_path / "a.csv")
    if (column, cell) == ("spread", "1e-999"):
        assert isinstance(strict, list)  # 1e-999 is read as 0, which is a valid spread
    else:
        assert isinstance(strict, tuple)
    assert found == strict


def test_numbers_that_do_not_agree_are_refused_when_they_are_used(
    make_row: Callable[..., Row], tmp_path: Path
) -> None:
    write_rows(tmp_path / "a.csv", [make_row()])
    text = (tmp_path / "a.csv").read_text().replace("20.0;21.0", "20.0;210.0")
    (tmp_path / "a.csv").write_text(text)
    (one,) = read_measurements(tmp_path / "a.csv")
    with pytest.raises(
        SchemaError, match="'value': the value is not the median of the round values"
    ):
        _ = one.round_values
    with pytest.raises(SchemaError, match="not the median"):
        read_rows(tmp_path / "a.csv")


def test_a_file_is_not_excused_by_the_one_before_it(
    make_row: Callable[..., Row], make_failed: Callable[..., Row], tmp_path: Path
) -> None:
    """The reader checks common cells of two files only once, and different cells in each file."""
    rows = [make_row(), make_row(case="ddr/x"), make_failed(case="ddr/y"), make_row(case="ddr/z")]
    write_rows(tmp_path / "a.csv", rows)
    records = [to_cells(row) for row in rows]
    changes = [
        ("flags", "noisy"),
        ("flags", "so;so"),
        ("unit", "ns"),
        ("case", "ddr/x"),
        ("rounds", "3"),
        ("status", "ok"),
        ("device", '"'),
        ("tier", "tape"),
        ("run_id", ""),
        ("machine", "BOX"),
        ("schema", "membench.results/2"),
        ("detail", "none"),
    ]
    for column, cell in changes:
        for place in range(4):
            changed = [list(record) for record in records]
            changed[place][COLUMNS.index(column)] = cell
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([COLUMNS, *changed])
            (tmp_path / "b.csv").write_text(text.getvalue())
            read_measurements(tmp_path / "a.csv")
            strict, found = both(tmp_path / "b.csv")
            assert found == strict, (column, cell, place)
    assert read_measurements(tmp_path / "a.csv") == [of_row(row) for row in rows]


def test_more_kinds_of_files_than_are_remembered(
    make_row: Callable[..., Row], tmp_path: Path
) -> None:
    for turn in range(2):
        for kind in range(40):
            rows = [make_row(device=f"D{kind}"), make_row(case=f"ddr/{turn}", device=f"D{kind}")]
            write_rows(tmp_path / "a.csv", rows)
            strict, found = both(tmp_path / "a.csv")
            assert found == strict
    assert len(quick._files) <= 32


def test_quoted_cells_in_several_columns(make_row: Callable[..., Row], tmp_path: Path) -> None:
    rows = [
        make_row(case="ddr/a", device="one, two", detail={"cpus": "0,1"}),
        make_row(case="ddr/b", timer="x,y"),
        make_row(case="ddr/c", detail={"cpus": "2,3"}, cuda='a ""b"", c'),
    ]
    write_rows(tmp_path / "a.csv", rows)
    assert quick._plain((tmp_path / "a.csv").read_text()) == [of_row(row) for row in rows]
