"""Imports other tools' results, and exports membench's results.

Imported rows have ``backend=import:<tool>``, or ``backend=cited`` for published figures. If a file
lacks a fact, the importer takes the fact from `Origin.given`. If `Origin.given` lacks the fact too,
the importer assumes a usual value, and names the fact under ``assumed`` in the column `detail`. If
there is no usual value, the importer raises `UsageError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from membench.core.errors import SchemaError, UsageError
from membench.core.near import did_you_mean

if TYPE_CHECKING:
    from membench.results.formats.figures import Origin
    from membench.results.formats.reading import Imported, Reader
    from membench.results.schema import Row

Importer = Callable[[bytes, "Origin"], "Imported"]
"""Converts the content of a file and its origin to rows.

Raises `SchemaError` or `UsageError`.
"""
Exporter = Callable[[Sequence["Row"]], Mapping[str, "str | bytes"]]
"""Converts rows to files: file name suffix -> content. A single file has the empty suffix."""

IMPORTS: Mapping[str, str] = MappingProxyType(
    {
        "nvbandwidth": "nvbandwidth -j",
        "babelstream": "BabelStream --csv",
        "fio": "fio --output-format=json",
        "nvbench": "an NVBench program's --json",
        "pytest-benchmark": "pytest --benchmark-json",
        "stream": "STREAM",
        "mlc": "Intel Memory Latency Checker",
        "likwid-bench": "likwid-bench",
        "gdsio": "gdsio of GPUDirect Storage",
        "cuda-samples": "bandwidthTest and p2pBandwidthLatencyTest of the CUDA samples",
        "stress-ng": "stress-ng --stream --memrate --metrics",
        "sysbench": "sysbench memory run",
        "mbw": "mbw",
        "tinymembench": "tinymembench",
        "cited": "TOML with published figures",
    }
)
"""Format -> the tool that writes the format."""

EXPORTS: Mapping[str, str] = MappingProxyType(
    {
        "github-action-benchmark": "two JSON files: larger is better, and smaller is better",
        "bencher": "Bencher Metric Format, JSON",
        "pytest-benchmark": "JSON as pytest --benchmark-json writes it",
        "samples": "CSV with one sample per line",
        "parquet": "Parquet with the columns of the results file (needs pyarrow)",
        "openmetrics": "OpenMetrics text for a node exporter's textfile collector",
    }
)
"""Format -> description of the format."""

WITH_ALL_ROWS = frozenset({"parquet"})
"""Export formats that also contain skipped and failed rows."""


def importer(name: str) -> Importer:
    """The importer of the format ``name``.

    Raises:
        UsageError: there is no such format.
    """
    if name not in IMPORTS:
        hint = did_you_mean(name, IMPORTS, f"the formats are {', '.join(IMPORTS)}")
        raise UsageError(f"there is no import format '{name}'", hint)
    reader: Reader = import_module(
        f"membench.results.formats.readers.{name.replace('-', '_')}"
    ).read

    def read(data: bytes, origin: Origin) -> Imported:
        from membench.results.formats.reading import collected
        from membench.results.formats.recognise import format_of, looks_like, opened

        content = opened(data)
        its_own = looks_like(name, content)
        if not its_own and (other := format_of(content)):
            raise SchemaError(
                f"the file is the output of {other}, not of {name}",
                f"use the format {other}: membench import {other} FILE -o OUTPUT.csv",
            )
        try:
            return collected(reader(content, origin), name)
        except SchemaError as error:
            if error.hint:
                raise
            hint = f"give a file from this tool: {IMPORTS[name]}"
            if name == "cited":
                hint = "correct the file; see 'cited' in docs/formats.md"
            elif its_own:
                hint = (
                    "check that the output is complete; docs/formats.md lists the outputs that "
                    "membench reads"
                )
            raise SchemaError(str(error), hint) from None

    return read


def exporter(name: str) -> Exporter:
    """The exporter of the format ``name``.

    Raises:
        UsageError: there is no such format.
    """
    if name not in EXPORTS:
        hint = did_you_mean(name, EXPORTS, f"the formats are {', '.join(EXPORTS)}")
        raise UsageError(f"there is no export format '{name}'", hint)
    found: Exporter = _writer(name).write
    return found


def left_out(name: str, rows: Sequence[Row]) -> Mapping[str, int]:
    """Count the rows that the format ``name`` cannot contain: reason -> number of rows.

    Rows without a value do not count. The reason continues "6 rows", such as "without samples".
    The numbers are above 0.
    """
    counted_by = getattr(_writer(name), "left_out", None)
    found: Mapping[str, int] = counted_by(rows) if counted_by is not None else {}
    return {reason: number for reason, number in found.items() if number}


def _writer(name: str) -> ModuleType:
    return import_module(f"membench.results.formats.writers.{name.replace('-', '_')}")
