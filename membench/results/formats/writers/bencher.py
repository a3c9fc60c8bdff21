"""Writes the Bencher Metric Format: JSON with the value of each measure of each case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from membench.core.terms import Stat
from membench.results.formats.exporting import measured
from membench.results.schema import Row


def left_out(rows: Sequence[Row]) -> Mapping[str, int]:
    """Reason -> number of rows that `write` leaves out. Rows without a value do not count."""
    names = [(row.case, row.metric, row.stat) for row in measured(rows)]
    return {"of a case that a later row has too": len(names) - len(set(names))}


def write(rows: Sequence[Row]) -> Mapping[str, str]:
    """Make one file; a measure is named ``<metric>-<statistic>``, or ``<metric>`` for a median.

    Of several rows with the same case, metric and statistic, the last is written.
    """
    cases: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in measured(rows):
        stat = "" if row.stat is Stat.MEDIAN else f"-{row.stat}"
        metric = {"value": row.value}
        if len(row.round_values) > 1:
            metric |= {"lower_value": min(row.round_values), "upper_value": max(row.round_values)}
        cases.setdefault(row.case, {})[f"{row.metric}{stat}"] = metric
    return {"": json.dumps(cases, indent=1) + "\n"}
