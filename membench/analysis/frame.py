"""Results and comparisons as data frames, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from membench.results.schema import COLUMNS, Row

if TYPE_CHECKING:  # imported only for type checks: it takes half a second
    from pandas import DataFrame as DataFrame  # noqa: PLC0414 - the API names it by this module

    from membench.analysis.comparison import Comparison

_INTEGERS = ("case_version", "rounds", "n", "size_bytes", "bytes_moved", "iters")
_FLOATS = ("value", "spread", "min", "max", "peak", "sm_mhz")
_BOOLEANS = ("verified", "converged")
_WORDS: tuple[str, ...] = ("tier", "metric", "stat", "status", "better")
_WORDS += ("bytes_convention", "cache_state", "peak_basis")


def rows_frame(rows: Sequence[Row]) -> DataFrame:
    """A data frame with one line for each of ``rows`` and one column for each column of the file.

    An absent number is NaN or `pandas.NA`, but 0 in ``rounds`` and ``n``. Absent text is ``""``.
    ``round_values`` and ``flags`` are tuples, ``samples`` is a tuple of tuples, and ``detail`` is a
    dict.
    """
    import pandas as pd

    frame = pd.DataFrame({name: [getattr(row, name) for row in rows] for name in COLUMNS})
    types: dict[str, Any] = dict.fromkeys(_INTEGERS, "Int64") | dict.fromkeys(_FLOATS, "float64")
    types |= dict.fromkeys(_BOOLEANS, "boolean")
    for name in _WORDS:
        frame[name] = pd.Series([str(getattr(row, name) or "") for row in rows], dtype="object")
    return frame.astype(types)


def comparison_frame(comparison: Comparison) -> DataFrame:
    """A data frame with one line for each matched row and each label that is compared in this row.

    The columns are:

    - ``tier``, ``case``, ``metric``, ``stat``, ``unit`` and ``better`` of the row
    - ``label``, and the values of the reference (``reference``) and of the label (``value``)
    - ``ratio``, the ends ``ci_low`` and ``ci_high`` of its confidence interval, and ``best_ratio``,
      the ratio of the best samples
    - ``threshold`` (a fraction), ``verdict``, ``reason``, and ``settle``: how to get a verdict
    """
    import pandas as pd

    records = []
    for line in comparison.matched:
        reference = line.entries[0].figure
        for side, entry in zip(comparison.sides, line.entries, strict=True):
            finding = entry.finding
            if finding is None or entry.figure is None or reference is None:
                continue
            low, high = finding.interval or (None, None)
            records.append(
                {
                    "tier": str(line.row.tier),
                    "case": line.row.case,
                    "metric": str(line.row.metric),
                    "stat": str(line.row.stat),
                    "unit": line.row.unit,
                    "better": str(line.row.better),
                    "label": side.label,
                    "reference": reference.value,
                    "value": entry.figure.value,
                    "ratio": finding.ratio,
                    "ci_low": low,
                    "ci_high": high,
                    "best_ratio": finding.best,
                    "threshold": line.threshold,
                    "verdict": str(finding.verdict),
                    "reason": str(finding.reason),
                    "settle": finding.settle,
                }
            )
    return pd.DataFrame.from_records(records)
