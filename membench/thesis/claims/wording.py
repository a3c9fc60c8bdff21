"""Verdicts as text, for the HTML page, the terminal and the JSON file."""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.core.messages import listed, tr
from membench.core.terms import Badge, ClaimVerdict
from membench.core.units import significant
from membench.thesis.claims.amounts import amount
from membench.thesis.claims.flip import Flip
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.rule import Direction, VerdictThresholds
from membench.thesis.claims.verdict_words import VERDICTS
from membench.thesis.claims.verdicts import ClaimResult, Verdicts

_BADGES = {
    Badge.CITED: tr("cited"),
    Badge.IMPORTED: tr("imported"),
    Badge.SUBSTITUTED: tr("substituted"),
    Badge.OVERRIDDEN: tr("own assumptions"),
}


def verdict_words(part: PartVerdict) -> str:
    """The verdict on a part as text, such as ``inconclusive (no data) [cited]``."""
    return _verdict(part.word, part.why, part.badges)


def claim_words(result: ClaimResult) -> str:
    """The verdict on a claim as text.

    An inconclusive verdict includes the short reasons of the inconclusive parts, unless one of
    these parts has no short reason.
    """
    whys = {part.why for part in result.parts if part.word is ClaimVerdict.INCONCLUSIVE}
    lacks = result.word is ClaimVerdict.INCONCLUSIVE and "" not in whys
    return _verdict(result.word, listed(sorted(whys)) if lacks else "", result.badges)


def _verdict(word: ClaimVerdict, why: str, badges: Sequence[Badge]) -> str:
    text = VERDICTS[word]
    if why:
        text = tr("{verdict} ({why})", verdict=text, why=why)
    return tr("{verdict} {badges}", verdict=text, badges=worn_text(badges)) if badges else text


def worn_text(badges: Sequence[Badge]) -> str:
    return tr("[{badges}]", badges=listed(_BADGES[badge] for badge in badges))


def claim_reason(result: ClaimResult) -> str:
    """The reason for the verdict on a claim; for a claim with several parts, their verdicts."""
    if len(result.parts) == 1:
        return result.parts[0].reason
    return listed(
        tr("{part} {verdict}", part=part.part.id, verdict=verdict_words(part))
        for part in result.parts
    )


def rule_words(rule: VerdictThresholds, unit: str) -> str:
    """The thresholds as text: ``supported if ..., contradicted if ...``."""
    params = {
        "share": f"{100 * rule.share:g}",
        "supports": amount(f"{rule.supports:g}", unit),
        "other": f"{100 * rule.contradicting_share:g}",
        "contradicts": amount(f"{rule.contradicts:g}", unit),
    }
    if rule.direction is Direction.HIGHER:
        return tr(
            "supported if {share} % of the draws are at least {supports}, "
            "contradicted if {other} % are at most {contradicts}",
            **params,
        )
    return tr(
        "supported if {share} % of the draws are at most {supports}, "
        "contradicted if {other} % are at least {contradicts}",
        **params,
    )


def flip_words(
    flip: Flip | None, found: Verdicts, *, weak: bool = False, lacking: bool = False
) -> str:
    """The smallest change that changes the verdict, and the new verdict, as text.

    Args:
        flip: the smallest change; None if none was found.
        weak: whether the kinds of evidence are too weak for any verdict.
        lacking: whether a part of the claim has no data.
    """
    if flip is None and lacking:
        return tr(
            "no change of a single known input by a factor of up to 100 changes the verdict; the "
            "missing inputs may change it"
        )
    if flip is None and weak:
        return tr(
            "only another kind of evidence changes the verdict; no change of a number is sufficient"
        )
    if flip is None:
        return tr("no change of a single input by a factor of up to 100 changes the verdict")
    return tr(
        "{input} {change}: {verdict}",
        input=flip_name(flip.name, found),
        change=flip_change(flip, found),
        verdict=VERDICTS[flip.becomes],
    )


def flip_name(name: str, found: Verdicts) -> str:
    """The name of a measurement in words, or the unchanged dotted name of an assumption."""
    need = found.ledger.inputs.get(name)
    return need.what if need else name


def flip_change(flip: Flip, found: Verdicts) -> str:
    """The change as text, such as ``x0.52`` or ``+1.50 years (from 2026.00 to 2027.50)``."""
    entry = found.entries.get(flip.name)
    if entry is not None and entry.unit == "year":
        return tr(
            "{step} years (from {before} to {after})",
            step=f"{flip.step:+.2f}",
            before=f"{entry.value:.2f}",
            after=f"{entry.value + flip.step:.2f}",
        )
    factor = math.exp(flip.step)
    change = significant(factor, 3)
    if entry is None:
        return tr("x{factor}", factor=change)
    before, after = (significant(value, 3) for value in (entry.value, entry.value * factor))
    return tr(
        "x{factor} (from {before} to {after})",
        factor=change,
        before=before,
        after=amount(after, entry.unit),
    )
