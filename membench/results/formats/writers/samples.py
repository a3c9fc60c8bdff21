"""Writes tidy CSV with one stored sample per line, for plots and statistical models."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from membench.results.cells import sample_text
from membench.results.formats.exporting import measured
from membench.results.schema import Row

COLUMNS = (
    "run_id",
    "machine",
    "tier",
    "case",
    "metric",
    "stat",
    "unit",
    "round",
    "sample",
    "value",
)


def left_out(rows: Sequence[Row]) -> Mapping[str, int]:
    """Reason -> number of rows that `write` leaves out. Rows without a value do not count."""
    return {"without samples": sum(not any(row.samples) for row in measured(rows))}


def write(rows: Sequence[Row]) -> Mapping[str, str]:
    """Make one file; rounds and samples are numbered from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in measured(rows):
        about = (row.run_id, row.machine, row.tier, row.case, row.metric, row.stat, row.unit)
        for round_, samples in enumerate(row.samples, start=1):
            for place, value in enumerate(samples, start=1):
                writer.writerow((*about, round_, place, sample_text(value)))
    return {"": text.getvalue()}
