"""Format the results of `membench replay` as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from membench.thesis.models.economics import Shares
from membench.thesis.replay.answer import CachePoint, PolicyPoint, Replayed

SCHEMA = "membench.replay/1"


def replay_csv(results: Sequence[Replayed], *, named: bool) -> str:
    """CSV with the columns ``capacity_blocks`` and ``hit_rate``; capacity ``inf`` is unlimited.

    If ``named``, the first column is ``trace``. If policies other than LRU were replayed, a column
    ``policy`` precedes ``capacity_blocks``. With a warm-up, the last column is ``warm_hit_rate``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    warm = any(result.warmup_s is not None for result in results)
    ruled = any(result.policies for result in results)
    head = [*(["trace"] if named else []), *(["policy"] if ruled else [])]
    writer.writerow([*head, "capacity_blocks", "hit_rate", *(["warm_hit_rate"] if warm else [])])
    for result in results:
        rows: list[tuple[str, CachePoint | PolicyPoint]] = [
            ("lru", point) for point in result.points
        ]
        rows += [(point.policy, point) for point in result.policies]
        for rule, point in rows:
            capacity = "inf" if point.capacity is None else point.capacity
            begin = [*([result.trace] if named else []), *([rule] if ruled else [])]
            rates = [point.hit_rate, *([point.warm_hit_rate] if warm else [])]
            texts = ["" if rate is None else f"{rate:.6f}" for rate in rates]
            writer.writerow([*begin, capacity, *texts])
    return out.getvalue()


def replay_json(results: Sequence[Replayed]) -> str:
    """The fields of all results as JSON.

    A null capacity is unlimited, and a null ``to_s`` is infinite. Any other null means no value.
    """
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
