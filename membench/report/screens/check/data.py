"""Write the result of `membench check` as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from membench.analysis.check.lines import DeviceLine, ReferenceRange, TierLine
from membench.analysis.check.machine import MachineCheck
from membench.core.terms import UNIT
from membench.report.screens.check.words import answer

SCHEMA = "membench.check/1"


def _right(check: MachineCheck, failures: Sequence[str]) -> bool | None:
    if failures:
        return False
    return True if check.judged else None


def to_json(name: str, check: MachineCheck, failures: Sequence[str]) -> str:
    """``check`` as JSON; values are in the units of results files."""
    whole = {
        "schema": SCHEMA,
        "machine": name,
        "right": _right(check, failures),
        "answer": answer(check, failures),
        "failures": list(failures),
        "references": list(check.references),
        "tiers": {str(tier): str(verdict) for tier, verdict in check.tiers.items()},
        "lines": [_line(line) for line in check.lines],
        "preconditions": [
            {
                "name": one.name,
                "state": str(one.state),
                "seen": one.seen,
                "gpu": one.device,
                "tiers": sorted(map(str, one.tiers)),
            }
            for one in check.preconditions
        ],
        "stragglers": [
            {
                "name": one.name,
                "chance": one.chance,
                "slow": [
                    {"case": cell.key.case, "metric": str(cell.key.metric), "times": cell.times}
                    for cell in one.slow
                ],
            }
            for one in check.stragglers
        ],
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _line(line: TierLine) -> dict[str, Any]:
    return {
        "tier": str(line.tier),
        "name": line.name,
        "metric": str(line.metric),
        "unit": UNIT[line.metric],
        "verdict": str(line.verdict),
        "devices": [_device(one) for one in line.devices],
    }


def _device(one: DeviceLine) -> dict[str, Any]:
    return {
        "gpu": one.device,
        "verdict": str(one.verdict),
        "case": one.case,
        "value": one.value,
        "best_sample": one.best,
        "peak": one.peak,
        "share": one.share,
        "why": one.why,
        "flags": list(one.flags),
        "expected": None if one.expected is None else _expected(one.expected),
    }


def _expected(one: ReferenceRange) -> dict[str, Any]:
    return {
        "low": one.low,
        "high": one.high,
        "kind": one.kind,
        "case": one.case,
        "differs": [
            {"axis": axis.axis, "reference": axis.theirs, "here": axis.ours} for axis in one.differs
        ],
        "references": list(one.references),
        "sources": list(one.sources),
    }
