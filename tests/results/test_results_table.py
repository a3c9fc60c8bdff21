"""The results file: writing and reading back, foreign files, and paths that cannot be written."""

from __future__ import annotations

import copy
import csv
import io
import os
import pickle
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import MembenchError, OutputError, SchemaError
from membench.core.files import atomic_write
from membench.core.terms import BETTER, FLAGS, UNIT, BytesConvention, Metric, Stat, Status, Tier
from membench.results.rows import relative_spread
from membench.results.schema import COLUMNS, Row, normal, to_cells
from membench.results.table import parse_rows, read_rows, to_csv, write_rows

MakeRow = Callable[..., Row]

positive = st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False)
moderate = st.floats(min_value=1e-6, max_value=1e12)
whole = st.none() | st.integers(1, 2**63)
slug = st.text(string.ascii_lowercase + string.digits + "._-", max_size=8).map("a{}".format)


@st.composite
def valid_rows(draw: st.DrawFn) -> Row:
    metric = draw(st.sampled_from(Metric))
    status = draw(st.sampled_from(Status))
    values = tuple(draw(st.lists(moderate, min_size=1, max_size=4)))
    ok = status is Status.OK
    number = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
    samples = tuple(tuple(draw(st.lists(number, max_size=5))) for _ in values)
    middle = sorted(values)
    half = len(middle) // 2
    median = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
    return Row(
        run_id=draw(slug),
        machine=draw(slug),
        tier=draw(st.sampled_from(Tier)),
        case=f"x/y/z={draw(slug)}",
        case_version=draw(st.integers(1, 99)),
        metric=metric,
        stat=draw(st.sampled_from(Stat)),
        status=status,
        value=median if ok else None,
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=len(values),
        n=draw(st.integers(0, 10**6)),
        round_values=values,
        spread=relative_spread(values) if ok else None,
        samples=samples,
        size_bytes=draw(whole),
        bytes_moved=draw(whole),
        bytes_convention=draw(st.none() | st.sampled_from(BytesConvention)),
        verified=draw(st.none() | st.booleans()),
        peak=draw(st.none() | positive),
        device=draw(st.text()),
        driver=draw(st.text(st.sampled_from("'=+-@ a,\"\n\r;"))),
        detail=draw(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3)),
        flags=tuple(draw(st.lists(st.sampled_from(list(FLAGS)), unique=True))),
        reason="" if ok else f"why {draw(st.text())}",
    )


@given(rows=st.lists(valid_rows(), max_size=4, unique_by=lambda row: row.key))
@settings(max_examples=examples(80), suppress_health_check=[HealthCheck.too_slow])
def test_round_trip_is_exact_and_the_bytes_stay(
    rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "trip.csv"
    write_rows(path, rows)
    first = path.read_bytes()
    back = read_rows(path)
    assert back == [normal(row) for row in rows]
    write_rows(path, back)
    assert path.read_bytes() == first
    assert first.isascii()
    assert b"\r" not in first
    assert read_rows(path) == back


@given(st.lists(valid_rows(), min_size=1, max_size=3, unique_by=lambda row: row.key))
def test_the_bytes_are_those_of_the_csv_module(rows: list[Row]) -> None:
    expected = io.StringIO()
    csv.writer(expected, lineterminator="\n").writerows([COLUMNS, *map(to_cells, rows)])
    assert to_csv(rows).decode("ascii") == expected.getvalue()


def test_samples_that_nobody_asked_for_are_equal_copied_and_written(make_row: MakeRow) -> None:
    made = make_row(samples=((1.5, 2.0), (3.0,), ()), round_values=(1.0, 2.0, 3.0))
    made = replace(made, rounds=3, value=2.0, spread=relative_spread((1.0, 2.0, 3.0)))
    text = to_csv([made]).decode("ascii")

    def read() -> Row:
        return parse_rows(text)[0]

    assert read() == read() == made
    assert replace(read(), n=7).samples == made.samples
    assert pickle.loads(pickle.dumps(read())) == made
    assert copy.copy(read()).samples == made.samples
    assert replace(read(), samples=()).samples == ()
    assert to_csv([read()]).decode("ascii") == text


def test_pandas_reads_the_same_cells(tmp_path: Path, make_row: MakeRow) -> None:
    path = tmp_path / "r.csv"
    rows = [
        make_row(machine="na", device="NA", driver="null", timer='say "x", twice', iters=None),
        make_row(case="ddr/read", device="=cmd()"),
    ]
    write_rows(path, rows)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert tuple(frame.columns) == COLUMNS
    assert frame.to_numpy().tolist() == [to_cells(row) for row in rows]
    assert frame["device"].tolist() == ["NA", "'=cmd()"]


def test_a_machine_called_na_and_a_hash_like_a_number_survive(
    tmp_path: Path, make_row: MakeRow
) -> None:
    path = tmp_path / "r.csv"
    write_rows(path, [make_row(machine="na", device="NA", membench="0.1.0+g1234e56")])
    (row,) = read_rows(path)
    assert (row.machine, row.device, row.membench) == ("na", "NA", "0.1.0+g1234e56")


def test_rows_of_failed_and_skipped_cases_are_kept(
    tmp_path: Path, make_row: MakeRow, make_failed: MakeRow
) -> None:
    path = tmp_path / "r.csv"
    rows = [
        make_row(),
        make_failed(case="ddr/b"),
        make_failed(case="ddr/c", status=Status.SKIPPED),
    ]
    write_rows(path, rows)
    assert read_rows(path) == rows


def test_concatenated_runs_with_headers_marks_and_blank_lines(
    tmp_path: Path, make_row: MakeRow
) -> None:
    first, second = make_row(), make_row(run_id="other")
    write_rows(tmp_path / "a.csv", [first])
    write_rows(tmp_path / "b.csv", [second])
    a, b = ((tmp_path / name).read_bytes() for name in ("a.csv", "b.csv"))
    mark = b"\xef\xbb\xbf"
    (tmp_path / "c.csv").write_bytes(mark + a + mark + b.replace(b"\n", b"\r\n") + b"\r\n\n" + a)
    assert read_rows(tmp_path / "c.csv") == [first, second]


def test_columns_in_another_order_with_unknown_and_without_optional_ones(
    tmp_path: Path, make_row: MakeRow
) -> None:
    cells = dict(zip(COLUMNS, to_cells(make_row()), strict=True))
    del cells["detail"], cells["flags"]
    names = ["mood", *reversed(cells)]
    with (tmp_path / "r.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerow(["fine", *reversed(cells.values())])
    assert read_rows(tmp_path / "r.csv") == [make_row(detail={}, flags=())]


def test_a_field_longer_than_the_csv_modules_limit(tmp_path: Path, make_row: MakeRow) -> None:
    before = csv.field_size_limit(131072)
    try:
        values = (20.5,) * 40
        samples = tuple(tuple(1 / (i + 1.7) for i in range(512)) for _ in values)
        row = make_row(rounds=40, round_values=values, samples=samples)
        write_rows(tmp_path / "r.csv", [row])
        assert (tmp_path / "r.csv").stat().st_size > 131072
        assert read_rows(tmp_path / "r.csv") == [normal(row)]
    finally:
        csv.field_size_limit(max(before, csv.field_size_limit()))


def test_a_file_without_rows(tmp_path: Path) -> None:
    write_rows(tmp_path / "r.csv", [])
    assert read_rows(tmp_path / "r.csv") == []


def header(*changes: tuple[str, str]) -> str:
    names = ",".join(COLUMNS)
    for old, new in changes:
        names = names.replace(old, new)
    return names + "\n"


def line(row: Row, **changes: str) -> str:
    cells = {**dict(zip(COLUMNS, to_cells(row), strict=True)), **changes}
    return ",".join(cells.values()) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty, so it is not a results file"),
        (b"\n\n", "the file is empty, so it is not a results file"),
        (b"\x7fELF\0\0", "the file is binary, so it is not a results file"),
        (b"caf\xe9,x\n", "the file is not text, so it is not a results file"),
        (b"hello\nworld\n", "the file is not a results file of membench: no column 'schema'"),
        (b"# a comment\n", "the file is not a results file of membench: no column 'schema'"),
        (b"membench.results/13,a,b\n", "the file has no header line"),
        (b"version https://git-lfs.github.com/spec/v1\n", "the file is a Git LFS pointer"),
        (b'{"schema": "membench.run/1"}\n', "the file is JSON of membench"),
        (b'schema,case\n"torn', "line 2 is not CSV: unexpected end of data"),
        (b"schema,case\nmembench.results/1\n", "line 2 has 1 cell, but the header has 2"),
        (b"schema,case\nmembench.results/1,x\n", "the file has no column run_id, machine, tier"),
        (b"schema,schema\n", "two columns have the same name"),
        (b"schema\nsomething/1\n", "line 2: 'something/1' is not a schema"),
        (b'schema\n"a\nb"\n', "line 3: 'a b' is not a schema"),
    ],
)
def test_what_is_no_results_file_is_said_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(SchemaError) as refused:
        read_rows(path)
    assert str(refused.value).startswith(f"{path}: {message}")
    if "not a results file" in message:
        assert "membench import" in refused.value.hint
    assert "\n" not in str(refused.value)


def test_semicolons_between_cells_get_a_hint(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(header((",", ";")))
    with pytest.raises(SchemaError) as refused:
        read_rows(tmp_path / "r.csv")
    assert "commas" in refused.value.hint


def test_a_newer_major_is_refused_even_with_other_columns(
    tmp_path: Path, make_row: MakeRow
) -> None:
    (tmp_path / "a.csv").write_text(header() + line(make_row(), schema="membench.results/2"))
    (tmp_path / "b.csv").write_text("schema,run,case\nmembench.results/2,r,c\n")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(SchemaError, match=r"line 2: membench\.results/2 is newer") as refused:
            read_rows(tmp_path / name)
        assert refused.value.hint == "upgrade membench"


@pytest.mark.parametrize("value", ["0", "-3", "nan", "N/A", ""])
def test_a_value_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, make_row: MakeRow, value: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(header() + line(make_row()) + line(make_row(case="ddr/b"), value=value))
    with pytest.raises(SchemaError, match=r"line 3: ddr/b.*column 'value'"):
        read_rows(path)


def test_edited_copies_of_one_row_are_refused(tmp_path: Path, make_row: MakeRow) -> None:
    path = tmp_path / "r.csv"
    path.write_text(header() + line(make_row()) + line(make_row(), iters="4"))
    with pytest.raises(SchemaError, match="two different rows for ddr/copy/size=256MiB"):
        read_rows(path)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "a directory"),
        (tmp_path / "none.csv", "cannot be read: No such file"),
        (Path("/dev/null"), "neither a file nor a pipe"),
        (Path("a\0b"), "cannot be read: "),
    ):
        with pytest.raises(SchemaError, match=message):
            read_rows(path)


def test_a_pipe_can_be_read(tmp_path: Path, make_row: MakeRow) -> None:
    write_rows(tmp_path / "r.csv", [make_row()])
    receiver, sender = os.pipe()
    try:
        os.write(sender, (tmp_path / "r.csv").read_bytes())
        os.close(sender)
        assert read_rows(Path(f"/dev/fd/{receiver}")) == [make_row()]
    finally:
        os.close(receiver)


def test_a_broken_row_leaves_the_old_file(tmp_path: Path, make_row: MakeRow) -> None:
    path = tmp_path / "r.csv"
    write_rows(path, [make_row()])
    with pytest.raises(SchemaError):
        write_rows(path, [make_row(), make_row(case="ddr/b", value=0.0)])
    assert read_rows(path) == [make_row()]
    assert names(tmp_path) == ["r.csv"]


def test_the_file_gets_the_usual_permissions(tmp_path: Path, make_row: MakeRow) -> None:
    mask = os.umask(0o022)
    try:
        write_rows(tmp_path / "r.csv", [make_row()])
    finally:
        os.umask(mask)
    assert (tmp_path / "r.csv").stat().st_mode & 0o777 == 0o644


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def refused_output(path: Path, row: Row) -> MembenchError:
    with pytest.raises(OutputError) as refused:
        write_rows(path, [row])
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"cannot write {path}: ")
    return refused.value


def test_places_that_cannot_be_written(tmp_path: Path, make_row: MakeRow) -> None:
    (tmp_path / "file").write_text("kept")
    refused_output(tmp_path / "file" / "r.csv", make_row())
    refused_output(tmp_path / "none" / "r.csv", make_row())
    refused_output(Path("/proc/r.csv"), make_row())
    (tmp_path / "dir").mkdir()
    refused_output(tmp_path / "dir", make_row())
    assert names(tmp_path) == ["dir", "file"]
    assert (tmp_path / "file").read_text() == "kept"


LIMITED = """
import pathlib, resource, sys
from membench.core.errors import OutputError
from membench.core.files import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    atomic_write(pathlib.Path(sys.argv[1]), b"x" * 20000)
except OutputError as error:
    print(error, "|", error.hint)
"""


def test_a_disk_that_is_full_halfway_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write {path}: File too large | ")
    assert done.stderr == ""
    assert names(tmp_path) == ["r.csv"]
    assert path.read_text() == "old"


def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "r.csv", b"x")
    assert names(tmp_path) == []


HEAVY = """
import importlib, pkgutil, sys
import membench.results
for module in pkgutil.iter_modules(membench.results.__path__):
    importlib.import_module(f"membench.results.{module.name}")
heavy = {"numpy", "pandas", "numba", "click", "rich", "psutil", "pynvml", "matplotlib", "cupy"}
print(sorted(heavy & set(sys.modules)), sorted(m for m in sys.modules if "membench.machine" in m))
"""


def test_the_room_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_a_table_with_tabs_gets_the_hint_about_commas(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("schema\trun_id\tcase\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="no column 'schema'") as caught:
        read_rows(tmp_path / "r.csv")
    assert caught.value.hint == "save the file with commas between the cells"
