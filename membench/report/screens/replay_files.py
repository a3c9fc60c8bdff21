"""Replayed traces for programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from membench.thesis.models.economics import Shares
from membench.thesis.replay.answer import Replayed

SCHEMA = "membench.replay/1"


def replay_csv(results: Sequence[Replayed], *, named: bool) -> str:
    """`capacity_blocks,hit_rate`, the last row `inf`; with ``named``, the trace before them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(["trace"] if named else []), "capacity_blocks", "hit_rate"])
    for result in results:
        for point in result.points:
            capacity = "inf" if point.capacity is None else point.capacity
            row = [capacity, f"{point.hit_rate:.6f}"]
            writer.writerow([result.trace, *row] if named else row)
    return out.getvalue()


def replay_json(results: Sequence[Replayed]) -> str:
    """All that was found; null is a capacity, or an upper edge, without end."""
    traces = [
        {
            **asdict(result),
            "reread": _bands(result.reread),
            "resting": _bands(result.resting),
        }
        for result in results
    ]
    document = {"schema": SCHEMA, "traces": traces}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _bands(bands: Sequence[Shares]) -> list[dict[str, Any]]:
    return [
        {
            "from_s": band.low,
            "to_s": None if band.high == float("inf") else band.high,
            "traffic": band.traffic,
            "residency": band.residency,
        }
        for band in bands
    ]
