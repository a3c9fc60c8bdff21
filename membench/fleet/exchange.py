"""A fleet's values in one Parquet file: what is handed on instead of ten thousand CSV files."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from membench.analysis.fleet.reading import Key, Values
from membench.core.errors import OutputError, SchemaError
from membench.core.files import output_error, shown
from membench.core.terms import BETTER, Metric, Stat, Tier
from membench.core.text import ascii_line
from membench.results.schema import is_cell

Ints = NDArray[np.integer[Any]]

SCHEMA = "membench.fleet-values/1"
MAX_VALUES = 50_000_000
"""Ten times a fleet of ten thousand machines with five hundred rows each."""
_TEXT = ("machine", "tier", "case", "metric", "stat", "unit", "convention")
_MARK = b"membench.schema"


def write_parquet(values: Values, path: Path) -> None:
    """Write the values to ``path``, which is replaced as a whole or not at all.

    Raises:
        OutputError: there is a file that is no such file, or it cannot be written.
    """
    if path.exists():
        try:
            _open(path)
        except SchemaError as error:
            raise OutputError(
                f"{shown(path)} exists and is no file of fleet values",
                "nothing is overwritten: choose another -o",
            ) from error
    columns = {"machine": _words(values.machines, values.machine)}
    for name in ("tier", "case", "metric", "stat", "unit", "convention"):
        words = [str(getattr(key, name)) for key in values.keys]
        columns[name] = _words(words, values.key)
    versions = np.array([key.version for key in values.keys], np.int64)
    columns["case_version"] = pa.array(versions[values.key])
    columns["value"] = pa.array(values.value)
    table = pa.table(columns).replace_schema_metadata({_MARK: SCHEMA.encode()})
    temporary = path.with_name(f".membench-{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(table, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from None


def read_parquet(path: Path) -> Values:
    """What `write_parquet` wrote.

    Raises:
        SchemaError: one line; it is no such file, or holds what may not be in one.
    """
    try:
        return _read(_open(path))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise SchemaError(f"{shown(path)}: {ascii_line(str(error))[:200]}") from None
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint) from None


def _read(file: pq.ParquetFile) -> Values:
    if file.metadata.num_rows > MAX_VALUES:
        raise SchemaError(f"more than {MAX_VALUES} values")
    table = file.read()
    coded = {name: _coded(table[name]) for name in _TEXT}
    index = {name: indices for name, (indices, _) in coded.items()}
    return _values(table, index, {name: words for name, (_, words) in coded.items()})


def _open(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
        raise SchemaError(reason or "not a Parquet file") from None
    if (file.schema_arrow.metadata or {}).get(_MARK) != SCHEMA.encode():
        raise SchemaError(f"not a {SCHEMA}", "membench fleet report DIR -o FILE.parquet writes one")
    return file


def _words(words: list[str] | tuple[str, ...], indices: Ints) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(words, pa.string()))


def _coded(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """A column of text as indices and the words that they stand for, each once."""
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if coded.null_count:
        raise SchemaError("a cell is empty")
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()


def _values(table: pa.Table, index: dict[str, Ints], words: dict[str, list[str]]) -> Values:
    value = table["value"].to_numpy().astype(np.float64)
    version = table["case_version"].to_numpy().astype(np.int64)
    if not (np.isfinite(value).all() and (value > 0).all() and (version > 0).all()):
        raise SchemaError("a value that is not above 0")
    parts = ("tier", "case", "metric", "stat", "unit", "convention")
    for name in ("machine", "case", "unit"):
        for word in words[name]:
            if not is_cell(name, word):
                raise SchemaError(f"column '{name}': {ascii_line(word)[:60]!r} may not stand there")
    stacked = np.stack([*(index[name] for name in parts), version])
    distinct, key = np.unique(stacked, axis=1, return_inverse=True)
    keys = tuple(
        _key(
            {name: words[name][place] for name, place in zip(parts, column, strict=False)},
            int(column[-1]),
        )
        for column in distinct.T.tolist()
    )
    machine = index["machine"].astype(np.int32)
    if len(np.unique(np.stack([machine, key.ravel()]), axis=1).T) != len(value):
        raise SchemaError("two values of one machine and case")
    return Values(
        tuple(keys), tuple(words["machine"]), key.ravel().astype(np.int32), machine, value
    )


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
