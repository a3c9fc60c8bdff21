"""Store the values of a fleet in one Parquet file, which replaces thousands of CSV files."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from membench.analysis.fleet.reading import Key, Values
from membench.core.errors import OutputError, SchemaError
from membench.core.files import atomic_write, create, output_error, shown
from membench.core.terms import BETTER, Metric, Stat, Tier
from membench.core.text import ascii_line
from membench.core.units import about_size
from membench.core.untrusted import open_file
from membench.results.magnitude import fits
from membench.results.schema import is_cell

T = TypeVar("T")
Ints = NDArray[np.integer[Any]]

SCHEMA = "membench.fleet-values/1"
MAX_VALUES = 10_000_000
"""Maximum number of values: two fleets of ten thousand machines with five hundred rows each."""
MAX_BYTES = 512 << 20
"""Maximum bytes of the file, and also of its unpacked content."""
MAX_WORDS = 1_000_000
"""Maximum number of distinct words per column."""
_FOOTER, _DEPTH = 64 << 20, 4
_MEMORY = 2 << 30
_TEXT = ("machine", "tier", "case", "metric", "stat", "unit", "convention")
_MARK = b"membench.schema"
_VALID = "membench fleet report DIR -o FILE.parquet writes a valid file"


def write_parquet(values: Values, path: Path) -> None:
    """Write ``values`` to ``path``; an existing file stays or is replaced completely.

    Raises:
        OutputError: ``path`` is a file of another kind, or cannot be written.
    """
    there = path.exists() or path.is_symlink()
    if there:
        try:
            _isolated(_footer, path)
        except SchemaError as error:
            raise OutputError(
                f"{shown(path)} is not a Parquet file of membench fleet report",
                "membench overwrites only its own Parquet files: name another file with -o",
            ) from error
    columns = {"machine": _words(values.machines, values.machine)}
    for name in ("tier", "case", "metric", "stat", "unit", "convention"):
        words = [str(getattr(key, name)) for key in values.keys]
        columns[name] = _words(words, values.key)
    versions = np.array([key.version for key in values.keys], np.int64)
    columns["case_version"] = pa.array(versions[values.key])
    columns["value"] = pa.array(values.value)
    table = pa.table(columns).replace_schema_metadata({_MARK: SCHEMA.encode()})
    content = pa.BufferOutputStream()
    pq.write_table(table, content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from None
    (atomic_write if there else create)(path, content.getvalue().to_pybytes())


def read_parquet(path: Path) -> Values:
    """Read a file that `write_parquet` wrote.

    Raises:
        SchemaError: ``path`` is a file of another kind, or contains invalid values.
    """
    try:
        return _isolated(_whole, path)
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint or _VALID) from None


def _isolated(function: Callable[[Path], T], path: Path) -> T:
    """Call ``function(path)`` in a child process with limited memory.

    If the footer of the file is damaged, Arrow can crash its process.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context, _alone) as pool:
            return pool.submit(function, path).result()
    except BrokenProcessPool:
        raise SchemaError("the file is damaged: the process that read the file died") from None


def _alone() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _footer(path: Path) -> None:
    with _opened(path):
        pass


def _whole(path: Path) -> Values:
    """Read the values in ``path``; the message of a `SchemaError` does not name the file."""
    try:
        with _opened(path) as file:
            return _read(file)
    except (pa.ArrowException, OSError, KeyError, ValueError, OverflowError) as error:
        raise SchemaError(ascii_line(str(error))[:200]) from None
    except MemoryError:
        raise SchemaError(
            f"reading the file takes more than {about_size(_MEMORY)} of memory"
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open the Parquet file ``path``, and read only the footer."""
    try:
        with open_file(path) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_BYTES:
                raise SchemaError(f"the file is larger than {about_size(MAX_BYTES)}")
            file = pq.ParquetFile(
                stream,
                read_dictionary=_TEXT,  # otherwise every row would have a copy of the text
                thrift_string_size_limit=_FOOTER,
                thrift_container_size_limit=_FOOTER,
                schema_depth_limit=_DEPTH,
            )
            if (file.schema_arrow.metadata or {}).get(_MARK) != SCHEMA.encode():
                raise SchemaError(
                    f"the file does not have the schema {SCHEMA}",
                    _VALID,
                )
            yield file
    except pa.ArrowException:
        raise SchemaError("the file is damaged, or is not a Parquet file") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else ""
        raise SchemaError(reason or "the file is damaged, or is not a Parquet file") from None


def _read(file: pq.ParquetFile) -> Values:
    _check_sizes(file)
    table = file.read(columns=[*_TEXT, "case_version", "value"])
    coded = {name: _coded(table[name]) for name in _TEXT}
    index = {name: indices for name, (indices, _) in coded.items()}
    return _values(table, index, {name: words for name, (_, words) in coded.items()})


def _check_sizes(file: pq.ParquetFile) -> None:
    """Check the sizes in the footer, and the types of the columns."""
    metadata = file.metadata
    if metadata.num_rows > MAX_VALUES:
        raise SchemaError(f"the file has more than {MAX_VALUES} values")
    schema = file.schema_arrow
    for name in (*_TEXT, "case_version", "value"):
        place = schema.get_field_index(name)
        if place < 0:
            raise SchemaError(f"the file has no column '{name}'")
        kind = schema.field(place).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        fits = pa.types.is_string(kind) if name in _TEXT else pa.types.is_primitive(kind)
        if not fits:
            raise SchemaError(f"the column '{name}' has the wrong type")
    unpacked = sum(
        max(0, metadata.row_group(group).column(column).total_uncompressed_size)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    if unpacked > MAX_BYTES:
        raise SchemaError(f"the unpacked data are larger than {about_size(MAX_BYTES)}")


def _words(words: list[str] | tuple[str, ...], indices: Ints) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(words, pa.string()))


def _coded(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """A text column as two parts: one word index per row, and the distinct words."""
    coded = column.unify_dictionaries().combine_chunks()
    if coded.null_count or coded.dictionary.null_count:
        raise SchemaError("a cell is empty")
    if len(coded.dictionary) > MAX_WORDS or coded.dictionary.nbytes > _FOOTER:
        raise SchemaError("a column has too many different values")
    words = coded.dictionary.to_pylist()
    distinct = {word: place for place, word in enumerate(dict.fromkeys(words))}
    places = np.array([distinct[word] for word in words], np.int64)
    return places[coded.indices.to_numpy()], list(distinct)


def _values(table: pa.Table, index: dict[str, Ints], words: dict[str, list[str]]) -> Values:
    value = table["value"].to_numpy().astype(np.float64)
    version = table["case_version"].to_numpy().astype(np.int64)
    if not (np.isfinite(value).all() and (value > 0).all() and (version > 0).all()):
        raise SchemaError("a value or a case version is not a finite number above 0")
    if not all(map(fits, (value.min(initial=1.0), value.max(initial=1.0)))):
        raise SchemaError("a value is too large or too small for a measurement")
    parts = ("tier", "case", "metric", "stat", "unit", "convention")
    for name in ("machine", "case", "unit"):
        for word in words[name]:
            if not is_cell(name, word):
                raise SchemaError(
                    f"column '{name}': {ascii_line(word)[:60]!r} is not a valid value"
                )
    _, key = np.unique(version, return_inverse=True)
    for name in parts:  # renumbers after each column, so that no product of counts overflows
        _, key = np.unique(key * len(words[name]) + index[name], return_inverse=True)
    count = int(key.max(initial=-1)) + 1
    first = np.zeros(count, np.int64)
    first[key] = np.arange(len(key))
    keys = tuple(
        _key({name: words[name][index[name][place]] for name in parts}, int(version[place]))
        for place in first.tolist()
    )
    machine = index["machine"].astype(np.int32)
    if len(np.unique(machine.astype(np.int64) * max(1, count) + key)) != len(value):
        raise SchemaError("the file has two values for the same machine and case")
    return Values(keys, tuple(words["machine"]), key.astype(np.int32), machine, value)


def _key(words: dict[str, str], version: int) -> Key:
    metric = Metric(words["metric"])
    return Key(
        Tier(words["tier"]),
        words["case"],
        version,
        metric,
        Stat(words["stat"]),
        words["unit"],
        words["convention"],
        BETTER[metric],
    )
