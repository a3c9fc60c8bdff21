"""Writes two files for github-action-benchmark.

The format does not say which direction is better, so each direction has a file: one for the tool
``customBiggerIsBetter``, and one for the tool ``customSmallerIsBetter``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from membench.core.case_id import with_stat
from membench.core.terms import Better
from membench.core.text import counted
from membench.results.formats.exporting import measured
from membench.results.schema import Row

_ENDING = {Better.HIGHER: ".bigger.json", Better.LOWER: ".smaller.json"}


def write(rows: Sequence[Row]) -> Mapping[str, str]:
    """Make both files.

    A file without results contains an empty list, so that a workflow always finds both files.
    """
    return {
        ending: json.dumps(
            [_entry(row) for row in measured(rows) if row.better is better], indent=1
        )
        + "\n"
        for better, ending in _ENDING.items()
    }


def _entry(row: Row) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": with_stat(row.case, row.stat),
        "value": row.value,
        "unit": row.unit,
    }
    if len(row.round_values) > 1:
        half = (max(row.round_values) - min(row.round_values)) / 2
        entry["range"] = f"+-{half:.4g}"
    entry["extra"] = f"{counted(row.rounds or 0, 'round')}; {row.device}; membench {row.membench}"
    return entry
