"""Write rows to a results file (CSV), and read results files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from membench.core.errors import SchemaError
from membench.core.files import atomic_write
from membench.core.text import counted, one_line, shell_word
from membench.core.untrusted import NotText, open_file, read_bytes
from membench.results.records import records
from membench.results.schema import COLUMNS, READERS, REQUIRED, SCHEMA, Row, checked_cells

MAX_BYTES = 512 << 20
"""Maximum size of a results file in bytes."""
MAX_LINES = 5_000_000
"""Maximum number of lines of a results file."""

_HEAD = 1 << 16  # characters that are enough to recognise a file
_FAMILY = SCHEMA.partition("/")[0]
_WHAT_IT_IS = (
    "give a file from 'membench run', or convert another tool's output with 'membench import'"
)
_MARKS = frozenset({"schema", "run_id", "case"})
"""Words that occur together only in a header line."""

_QUOTED = ('"', "\r", "\n")
"""Characters other than the comma for which the csv module quotes a cell."""


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` to ``path``; an existing file is replaced completely or not at all.

    Raises:
        SchemaError: a row breaks the schema.
        OutputError: ``path`` cannot be written.
    """
    atomic_write(path, to_csv(rows))


def to_csv(rows: Iterable[Row]) -> bytes:
    """Format ``rows`` as the content of a results file.

    Raises:
        SchemaError: a row breaks the schema.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    record: list[str] = []

    def checked(row: Row) -> Row:
        nonlocal record
        record = checked_cells(row)
        return row

    # `_distinct` yields a row before it takes the next row, so `record` belongs to this row.
    for _ in _distinct(map(checked, rows)):
        line = ",".join(record)
        if line.count(",") == len(record) - 1 and not any(map(line.__contains__, _QUOTED)):
            text.write(f"{line}\n")
        else:
            writer.writerow(record)
    return text.getvalue().encode("ascii")


def read_rows(path: Path, *, pipe: bool = True) -> list[Row]:
    """Read the rows of the results file ``path`` in order.

    Columns may be in any order; unknown columns are ignored. The file may be a concatenation of
    results files, including their headers. Of identical rows, only the first is returned.

    Args:
        pipe: whether ``path`` may be a pipe; True only for paths that a user gave.

    Raises:
        SchemaError: the file cannot be read or is invalid. The message names the file and, if
            known, the line.
    """
    try:
        return parse_rows(read_text(path, pipe=pipe))
    except SchemaError as error:
        raise about(path, error) from None


def about(path: Path, error: SchemaError) -> SchemaError:
    """``error`` with ``path`` before the message, and ``path`` in place of FILE in the hint."""
    hint = error.hint.replace("FILE", str(path))
    return SchemaError(one_line(f"{path}: {error}"), one_line(hint))


def parse_rows(text: str) -> list[Row]:
    """Parse the content of a results file, with the rules of `read_rows`.

    Raises:
        SchemaError: the content is invalid.
    """
    return list(_distinct(_rows(text)))


def _distinct(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield ``rows`` without repetitions, so that no run counts twice."""
    seen: dict[object, Row] = {}
    for row in rows:
        first = seen.setdefault(row.key, row)
        if first is row:
            yield row
        elif first != row:
            raise SchemaError(
                f"two different rows for {row.case} ({row.metric} {row.stat}) of run {row.run_id}",
                "give files of separate runs, not edited copies of one run",
            )


def read_text(path: Path, *, pipe: bool) -> str:
    """Read ``path`` as text; ``pipe`` is as in `read_rows`.

    Raises:
        SchemaError: the file cannot be read, is not text, or has too many bytes or lines.
    """
    try:
        text = read_bytes(path, MAX_BYTES, pipe=pipe, text=True).decode("utf-8")
    except NotText:
        if _is_gzip(path):
            raise SchemaError(
                "the file is compressed with gzip",
                f"decompress with gzip -dc < {shell_word(path)} > OUTPUT, and give OUTPUT",
            ) from None
        raise SchemaError("the file is binary, so it is not a results file", _WHAT_IT_IS) from None
    except UnicodeDecodeError:
        raise SchemaError(
            "the file is not text, so it is not a results file", _WHAT_IT_IS
        ) from None
    if len(text) > MAX_LINES and text.count("\n") > MAX_LINES:
        raise SchemaError(
            f"the file has more than {MAX_LINES} lines, the limit for a results file",
            "split the file into several results files",
        )
    return text.replace("\ufeff", "")  # Excel's byte order mark; after `cat` also in the middle


def _is_gzip(path: Path) -> bool:
    if not path.is_file():
        return False
    with open_file(path) as file:
        return file.read(2) == b"\x1f\x8b"


def _rows(text: str) -> Iterator[Row]:
    header: list[str] | None = None
    for line, record in records(text):
        if header is None or ("run_id" in record and set(record) >= _MARKS):
            header = _header(record, text)
            continue
        if len(record) != len(header):
            raise SchemaError(
                f"line {line} has {counted(len(record), 'cell')}, but the header has {len(header)}",
                "the file was cut off or edited: give the file that the run wrote",
            )
        yield _row(dict(zip(header, record, strict=True)), line)
    if header is None:
        raise SchemaError("the file is empty, so it is not a results file", _WHAT_IT_IS)


def _header(record: list[str], text: str) -> list[str]:
    if "schema" not in record:
        raise _no_results(record, text)
    if len(set(record)) != len(record):
        raise SchemaError("two columns have the same name", "give the file that the run wrote")
    return record


def _no_results(record: list[str], text: str) -> SchemaError:
    """The error for ``text``, whose first line ``record`` has no column ``schema``."""
    from membench.results.formats.recognise import format_of, opened

    what = "the file is not a results file of membench: no column 'schema'"
    if len(record) == 1 and any(f"schema{mark}" in record[0] for mark in ";\t|"):
        return SchemaError(what, "save the file with commas between the cells")
    if record[0].startswith(f"{_FAMILY}/"):
        return SchemaError("the file has no header line", "give the file that the run wrote")
    data = text[:_HEAD].encode("utf-8", "replace")
    try:
        opened(data)
    except SchemaError as error:
        return error
    tool = format_of(data)
    converts = f"membench import {tool} FILE -o OUTPUT.csv converts the file"
    return SchemaError(what, converts if tool else _WHAT_IT_IS)


def _row(cells: Mapping[str, str], line: int) -> Row:
    schema = cells["schema"]
    if schema not in READERS:
        if schema.partition("/")[0] != _FAMILY:
            raise SchemaError(f"line {line}: '{schema:.40}' is not a schema of membench results")
        raise SchemaError(
            f"line {line}: {schema:.40} is newer than this version of membench can read",
            "upgrade membench",
        )
    missing = [name for name in REQUIRED if name not in cells]
    if missing:
        raise SchemaError(
            f"the file has no column {', '.join(missing)}", "give the file that the run wrote"
        )
    try:
        return READERS[schema](cells)
    except SchemaError as error:
        raise SchemaError(f"line {line}: {error}", error.hint) from None
