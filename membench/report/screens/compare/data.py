"""Write a comparison as JSON or as CSV.

Both formats have full precision and a stable order.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from membench.analysis.absences import absences
from membench.analysis.comparison import Comparison
from membench.analysis.finding import Difference
from membench.analysis.line import ComparisonCell, Line
from membench.core.text import guard
from membench.report.screens.compare.notes import notes, problems

SCHEMA = "membench.compare/1"


def to_json(comparison: Comparison, lines: Sequence[Line]) -> Iterator[str]:
    """JSON with ``lines``, and with the labels and notes of the comparison.

    The text comes in parts, because a comparison may have a million lines.
    """
    labels = [side.label for side in comparison.sides]
    head = {
        "schema": SCHEMA,
        "reference": labels[0],
        "labels": [
            {
                "label": side.label,
                "files": [source.name for source in side.sources],
                "runs": list(side.runs),
            }
            for side in comparison.sides
        ],
        "environment": [
            {
                "name": fact.name,
                "differs": fact.differs,
                "values": dict(zip(labels, (value or None for value in fact.values), strict=True)),
            }
            for fact in comparison.facts
        ],
        "thresholds": comparison.thresholds.name,
        "counts": {
            label: {str(verdict): count for verdict, count in comparison.counts(place).items()}
            for place, label in enumerate(labels)
            if place
        },
    }
    tail = {
        "geomeans": [
            {
                "tier": mean.tier,
                "metric": mean.metric,
                "stat": mean.stat,
                "label": labels[mean.side],
                "ratio": mean.ratio,
                "rows": mean.count,
            }
            for mean in comparison.means
        ],
        "unmatched": [
            {
                "kind": absence.kind,
                "labels": list(absence.labels),
                "reason": absence.reason,
                "cases": list(absence.cases),
            }
            for absence in absences(comparison)
        ],
        "notes": [*problems(comparison), *notes(comparison)],
    }
    yield _document(head).removesuffix("\n}") + ',\n "rows": ['
    for place, line in enumerate(lines):
        row = _document(_line(line, labels)).replace("\n", "\n  ")  # indented by one level
        yield ("," if place else "") + f"\n  {row}"
    yield ("\n ]" if lines else "]") + "," + _document(tail).removeprefix("{") + "\n"


def _document(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=1, allow_nan=False)


def _line(line: Line, labels: Sequence[str]) -> dict[str, Any]:
    row = line.row
    return {
        "case": row.case,
        "metric": row.metric,
        "stat": row.stat,
        "tier": row.tier,
        "unit": row.unit,
        "better": row.better,
        "threshold": line.threshold,
        "labels": [_entry(entry, label) for entry, label in zip(line.entries, labels, strict=True)],
    }


def _entry(entry: ComparisonCell, label: str) -> dict[str, Any]:
    figure, finding = entry.figure, entry.finding
    data: dict[str, Any] = {"label": label, "status": entry.status}
    if entry.reasons:
        data["reasons"] = list(entry.reasons)
    if figure is not None:
        data |= {
            "value": figure.value,
            "best": figure.best,
            "half_range": figure.half_range,
            "peak_share": figure.peak_share,
            "basis": figure.basis,
            "n": len(figure.values),
            "flags": list(figure.flags),
        }
    if finding is not None:
        data["against_reference"] = {
            "verdict": finding.verdict,
            "reason": finding.reason,
            "detail": finding.detail,
            "settle": finding.settle,
            "ratio": finding.ratio,
            "ci": list(finding.interval) if finding.interval else None,
            "best_ratio": finding.best,
            "confidence": finding.confidence,
            "n": list(finding.counts),
            "single_round": finding.single_round,
            "offset": finding.offset,
            "in_turns": finding.in_turns,
        }
    return data


def to_csv(comparison: Comparison, lines: Sequence[Line]) -> Iterator[str]:
    """CSV with one row for each line and label; an absent value is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    labels = [side.label for side in comparison.sides]
    for line in lines:
        for place, (label, entry) in enumerate(zip(labels, line.entries, strict=True)):
            record = _record(line, label, entry, reference=place == 0)
            writer.writerow([_cell(record.get(name)) for name in _COLUMNS])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


_COLUMNS = (
    *("schema", "case", "metric", "stat", "tier", "unit", "better", "threshold", "label"),
    *("reference", "status", "value", "best", "half_range", "peak_share", "basis", "n", "flags"),
    *("ratio", "ci_low", "ci_high", "best_ratio", "confidence", "verdict", "why"),
    *("settle", "offset", "reason"),
)


def _record(line: Line, label: str, entry: ComparisonCell, *, reference: bool) -> dict[str, Any]:
    row, figure = line.row, entry.figure
    record = {
        "schema": SCHEMA,
        "case": row.case,
        "metric": row.metric,
        "stat": row.stat,
        "tier": row.tier,
        "unit": row.unit,
        "better": row.better,
        "threshold": line.threshold,
        "label": label,
        "reference": "true" if reference else "false",
        "status": entry.status,
        "reason": "; ".join(entry.reasons),
    }
    if figure is not None:
        record |= {
            "value": figure.value,
            "best": figure.best,
            "half_range": figure.half_range,
            "peak_share": figure.peak_share,
            "basis": figure.basis,
            "n": len(figure.values),
            "flags": ";".join(figure.flags),
        }
    if entry.finding is not None:
        record |= _finding(entry.finding)
    return record


def _finding(finding: Difference) -> dict[str, Any]:
    low, high = finding.interval or (None, None)
    return {
        "ratio": finding.ratio,
        "ci_low": low,
        "ci_high": high,
        "best_ratio": finding.best,
        "confidence": finding.confidence,
        "verdict": finding.verdict,
        "why": finding.reason,
        "settle": finding.settle,
        "offset": finding.offset,
    }


def _cell(value: object) -> str:
    """A CSV cell, guarded so that a spreadsheet does not execute a label such as ``=x``."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else guard(str(value))
