"""Other tools' formats: results that people already have, in; ours, out.

An importer turns the bytes of a file into rows with ``backend=import:<tool>``
and never guesses: what the file does not say comes from `Origin.given`, or is
named under ``assumed`` in ``detail``.  An exporter turns rows into text.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from membench.core.errors import UsageError

if TYPE_CHECKING:
    from membench.results.formats.figures import Exporter, Importer

IMPORTS: Mapping[str, str] = MappingProxyType(
    {
        "nvbandwidth": "nvbandwidth -j",
        "babelstream": "BabelStream --csv",
        "fio": "fio --output-format=json",
        "nvbench": "an NVBench program's --json",
        "pytest-benchmark": "pytest --benchmark-json",
        "cited": "TOML with figures that somebody published",
    }
)
"""Format -> what writes it."""

EXPORTS: Mapping[str, str] = MappingProxyType(
    {
        "github-action-benchmark": "two JSON files, one for each direction",
        "bencher": "Bencher Metric Format, JSON",
        "pytest-benchmark": "JSON as pytest --benchmark-json writes it",
        "samples": "CSV with one sample a line",
    }
)
"""Format -> what it is."""


def importer(name: str) -> Importer:
    """The importer of the format ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in IMPORTS:
        raise UsageError(f"there is no import format '{name}'", f"there are {', '.join(IMPORTS)}")
    module = import_module(f"membench.results.formats.readers.{name.replace('-', '_')}")
    found: Importer = module.read
    return found


def exporter(name: str) -> Exporter:
    """The exporter of the format ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in EXPORTS:
        raise UsageError(f"there is no export format '{name}'", f"there are {', '.join(EXPORTS)}")
    module = import_module(f"membench.results.formats.writers.{name.replace('-', '_')}")
    found: Exporter = module.write
    return found
