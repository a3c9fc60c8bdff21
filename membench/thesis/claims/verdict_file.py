"""Formats verdicts as JSON text with the schema `verdicts.schema.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from membench.results.schema import Row
from membench.thesis.claims.assumptions import is_old
from membench.thesis.claims.commands import Assumed
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.flip import Flip
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.rule import Judgement, VerdictThresholds
from membench.thesis.claims.tornado import Bar
from membench.thesis.claims.verdicts import ClaimResult, Subject, Verdicts
from membench.thesis.claims.wording import flip_change

SCHEMA = "membench.verdicts/1"


def to_json(found: Verdicts, sources: Sequence[tuple[str, str]] = ()) -> str:
    """Format ``found`` as JSON text.

    Args:
        sources: (name, SHA-256) of each results file.
    """
    document = {
        "schema": SCHEMA,
        "seed": found.seed,
        "draws": found.draws,
        "report": {"source": found.ledger.source, "date": found.ledger.date.isoformat()},
        "sources": [{"file": name, "sha256": digest} for name, digest in sources],
        "own_assumptions": sorted(entry.name for entry in found.entries.values() if entry.own),
        "subjects": [_subject(subject, found) for subject in found.subjects],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def number(value: float | None) -> float | None:
    """``value`` rounded to 6 significant digits; None for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _subject(subject: Subject, found: Verdicts) -> dict[str, Any]:
    return {
        "machine": subject.machine,
        "device": subject.device,
        "runs": sorted({row.run_id for row in subject.rows}),
        "badges": sorted(subject.badges),
        "claims": [_claim(result, found) for result in subject.claims],
    }


def _claim(result: ClaimResult, found: Verdicts) -> dict[str, Any]:
    claim = result.claim
    return {
        "id": claim.id,
        "classes": list(claim.classes),
        "tiers": list(claim.tiers),
        "quote": claim.quote,
        "english": claim.english,
        "quantity": claim.quantity,
        "notes": list(claim.notes),
        "contrary": list(claim.contrary),
        "not_found": list(claim.not_found),
        "kinds": list(result.kinds),
        "measure": list(result.measure),
        "assume": _assume(result.assume),
        "verdict": result.word,
        "badges": sorted(result.badges),
        "flip": _flip(result.flip, found),
        "parts": [_part(part, found) for part in result.parts],
    }


def _part(verdict: PartVerdict, found: Verdicts) -> dict[str, Any]:
    part = verdict.part
    grid = [variant.draws for variant in verdict.variants]
    return {
        "id": part.id,
        "class": part.cls,
        "proposition": part.proposition,
        "decided_by": part.decided_by,
        "statistic": part.statistic,
        "unit": part.unit,
        "rule": _rule(part.thresholds),
        "verdict": verdict.word,
        "why": verdict.why,
        "reason": verdict.reason,
        "note": verdict.note,
        "as_of": None if verdict.as_of is None else verdict.as_of.isoformat(),
        "kinds": list(verdict.kinds),
        "weak": verdict.weak,
        "rests_on": list(part.rests_on or (*part.measurements, *part.assumptions)),
        "strata": [
            {
                "axis": stratum.axis,
                "name": stratum.name,
                "variants": stratum.variants,
                "verdict": stratum.judgement.word,
                **_shares(stratum.judgement),
            }
            for stratum in verdict.strata
        ],
        "badges": sorted(verdict.badges),
        **_shares(verdict.judgement),
        "interval": _interval(np.concatenate(grid)) if grid else None,
        "variants": [
            {
                "name": variant.name,
                "verdict": variant.judgement.word,
                **_shares(variant.judgement),
                "interval": _interval(variant.draws),
            }
            for variant in verdict.variants
        ],
        "evidence": [
            {"input": name, **_row(row)} for name, rows in verdict.rows.items() for row in rows
        ],
        "missing": [{"input": name, "reason": why} for name, why in verdict.missing.items()],
        "assumptions": [
            {
                **entry.as_json(),
                "old": is_old(entry, found.day),
                **{key: number(getattr(entry, key)) for key in ("value", "low", "high")},
            }
            for entry in verdict.used
        ],
        "flip": _flip(verdict.flip, found),
        "tornado": [_bar(bar) for bar in verdict.bars],
    }


def _rule(thresholds: VerdictThresholds | None) -> dict[str, Any] | None:
    if thresholds is None:
        return None
    return {
        "direction": thresholds.direction,
        "supports": thresholds.supports,
        "contradicts": thresholds.contradicts,
        "share": thresholds.share,
        "contradicting_share": thresholds.contradicting_share,
    }


def _shares(judgement: Judgement | None) -> dict[str, float | None]:
    return {
        "supporting": number(judgement.supporting) if judgement else None,
        "contradicting": number(judgement.contradicting) if judgement else None,
    }


def _interval(draws: Floats) -> dict[str, float | None]:
    low, middle, high = (float(value) for value in np.percentile(draws, (5, 50, 95)))
    return {"p05": number(low), "median": number(middle), "p95": number(high)}


def _row(row: Row) -> dict[str, Any]:
    return {
        "machine": row.machine,
        "run_id": row.run_id,
        "case": row.case,
        "metric": row.metric,
        "stat": row.stat,
        "value": number(row.value),
        "unit": row.unit,
        "rounds": row.rounds,
        "backend": row.backend,
        "flags": list(row.flags),
    }


def _flip(flip: Flip | None, found: Verdicts) -> dict[str, Any] | None:
    if flip is None:
        return None
    return {"name": flip.name, "becomes": flip.becomes, "change": flip_change(flip, found)}


def _assume(found: Assumed | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "command": found.command,
        "options": list(found.options),
        "moves": found.moves,
        "becomes": found.becomes,
    }


def _bar(bar: Bar) -> dict[str, Any]:
    return {
        "name": bar.name,
        "low": number(bar.low),
        "high": number(bar.high),
        "at_low": number(bar.at_low),
        "at_high": number(bar.at_high),
    }
