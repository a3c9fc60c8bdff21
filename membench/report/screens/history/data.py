"""Write a history as JSON."""

from __future__ import annotations

import json
from typing import Any

from membench.analysis.history.changepoints import CHANCE
from membench.analysis.history.summary import BAND, PAIRS, History, HistoryLine, LevelChange
from membench.core.text import ascii_line

SCHEMA = "membench.history/1"


def to_json(history: History) -> str:
    record = history.record
    data = {
        "schema": SCHEMA,
        "machine": history.machine,
        "machines": list(record.machines),
        "runs": [{"run_id": run.run_id, "file": ascii_line(str(run.path))} for run in record.runs],
        "rule": {
            "chance": CHANCE,
            "thresholds": history.thresholds.name,
            "band": BAND,
            "pairs": PAIRS,
        },
        "lines": [_line(line) for line in history.lines],
        "repeated": record.repeated,
        "unread": dict(record.unread),
        "problems": list(record.problems),
    }
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _line(line: HistoryLine) -> dict[str, Any]:
    key = line.key
    return {
        "tier": key.tier,
        "metric": key.metric,
        "stat": key.stat,
        "case": key.case,
        "case_version": key.version,
        "unit": key.unit,
        "better": key.better,
        "runs": [run.run_id for run in line.runs],
        "values": list(line.values),
        "levels": [
            {
                "first": line.runs[level.start].run_id,
                "last": line.runs[level.end - 1].run_id,
                "runs": level.end - level.start,
                "median": level.median,
                "low": level.low if line.has_band else None,
                "high": level.high if line.has_band else None,
            }
            for level in line.levels
        ],
        "changes": [_change(change) for change in line.changes],
        "offset": line.offset,
        "outside": line.outside if line.has_band else None,
        "failures": line.failures,
        "earlier": line.earlier,
    }


def _change(change: LevelChange) -> dict[str, Any]:
    return {
        "last_before": change.last.run_id,
        "first_after": change.first.run_id,
        "place": change.place,
        "ratio": change.ratio,
        "verdict": change.verdict,
        "p": change.p,
        "surroundings": [
            {
                "name": fact.name,
                "before": fact.before,
                "after": fact.after,
                "runs_off": fact.runs_off,
            }
            for fact in change.surroundings
        ],
    }
