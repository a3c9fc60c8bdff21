"""Machine-readable results of a fleet: every value as CSV, the summary as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from membench.analysis.fleet.statistics import FAR_Z, MACHINES_NEEDED, SLOW_Z
from membench.analysis.fleet.summary import CaseSpread, FleetSummary, MachineLine
from membench.report.screens.fleet.words import in_order, troubles

SCHEMA = "membench.fleet-report/1"
COLUMNS = (
    *("machine", "tier", "case", "case_version", "metric", "stat", "unit", "better", "value"),
    *("times_slower", "z", "verdict"),
)


def to_csv(summary: FleetSummary) -> Iterator[str]:
    """CSV with one line per machine, case, metric and statistic, in parts of about 1 MiB.

    ``times_slower`` is relative to the median of the fleet: below 1 for a faster machine. ``z`` is
    the robust z-score, and is empty if the case was not judged.
    """
    yield ",".join(COLUMNS) + "\n"
    values = summary.values
    slow = {(line.name, cell.key): line.straggler for line in summary.slow for cell in line.slow}
    times = np.exp(summary.apart)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place in np.argsort(values.machine, kind="stable").tolist():
        machine, key = values.machines[values.machine[place]], values.keys[values.key[place]]
        z = float(summary.z[place])
        straggler = slow.get((machine, key))
        verdict = "" if straggler is None else "straggler" if straggler else "slow"
        numbers = (repr(float(values.value[place])), f"{times[place]:.6g}")
        about = (key.tier, key.case, key.version, key.metric, key.stat, key.unit, key.better)
        writer.writerow((machine, *about, *numbers, "" if z != z else f"{z:.6g}", verdict))  # noqa: PLR0124 - only NaN differs from itself
        if text.tell() > 1 << 20:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def to_json(summary: FleetSummary) -> str:
    """JSON with the spread of each case, the slow machines, and hosts and files with problems."""
    ledger = summary.values.ledger
    data = {
        "schema": SCHEMA,
        "fleet": ledger.fleet_id if ledger is not None else None,
        "machines": len(summary.values.machines),
        "rule": {"z": SLOW_Z, "far_z": FAR_Z, "machines_needed": MACHINES_NEEDED},
        "stragglers": [line.name for line in summary.stragglers],
        "slow": [_machine(line) for line in summary.slow],
        "cases": [_case(case) for case in in_order(summary)],
        "troubles": [
            {"name": name, "kind": kind, "reason": reason}
            for name, kind, reason in troubles(summary)
        ],
    }
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _machine(line: MachineLine) -> dict[str, Any]:
    return {
        "machine": line.name,
        "straggler": line.straggler,
        "judged": line.judged,
        "chance": line.chance,
        "cases": [
            {
                "case": cell.key.case,
                "metric": cell.key.metric,
                "stat": cell.key.stat,
                "value": cell.value,
                "median": cell.median,
                "times_slower": cell.times,
                "z": cell.z,
            }
            for cell in line.slow
        ],
    }


def _case(case: CaseSpread) -> dict[str, Any]:
    key = case.key
    return {
        "tier": key.tier,
        "case": key.case,
        "case_version": key.version,
        "metric": key.metric,
        "stat": key.stat,
        "unit": key.unit,
        "machines": case.machines,
        "judged": case.judged,
        "median": case.median,
        "spread": case.spread,
        "p1": case.low,
        "p99": case.high,
        "threshold": case.threshold,
        "slow": case.slow,
    }
