"""Verdicts in words: what the page, the terminal and the file say alike."""

from __future__ import annotations

import math

from membench.core.terms import Badge, ClaimVerdict
from membench.core.units import significant
from membench.thesis.claims.flip import Flip
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.rule import Direction, Thresholds
from membench.thesis.claims.verdicts import ClaimResult, Verdicts

BADGE_MEANING = {
    Badge.CITED: "rests on figures that somebody else published",
    Badge.IMPORTED: "rests on measurements of another tool",
    Badge.SUBSTITUTED: "an assumption stands where a measurement is missing",
    Badge.OVERRIDDEN: "uses assumptions that membench does not ship",
}


def verdict_words(part: PartVerdict) -> str:
    """``inconclusive (no data)``; the badges it wears come after it."""
    why = f" ({part.why})" if part.why else ""
    return f"{part.word}{why}{_worn(part.badges)}"


def claim_words(result: ClaimResult) -> str:
    """The verdict on a claim; one that nothing was drawn for says why."""
    whys = {part.why for part in result.parts if part.word is ClaimVerdict.INCONCLUSIVE}
    lacks = result.word is ClaimVerdict.INCONCLUSIVE and "" not in whys
    why = f" ({', '.join(sorted(whys))})" if lacks else ""
    return f"{result.word}{why}{_worn(result.badges)}"


def claim_reason(result: ClaimResult) -> str:
    """Why, in a line: the reason of its only part, or the verdicts of its parts."""
    if len(result.parts) == 1:
        return result.parts[0].reason
    return ", ".join(f"{part.part.id} {verdict_words(part)}" for part in result.parts)


def rule_words(rule: Thresholds, unit: str) -> str:
    """The thresholds as a sentence."""
    more, less = (
        ("at least", "at most") if rule.direction is Direction.HIGHER else ("at most", "at least")
    )
    unit = "" if unit in ("", "share") else f" {unit}"
    return (
        f"supported where {100 * rule.share:g} % of the draws are {more} {rule.supports:g}{unit}, "
        f"contradicted where {100 * rule.contradicting_share:g} % are {less} "
        f"{rule.contradicts:g}{unit}"
    )


def flip_words(flip: Flip | None, found: Verdicts) -> str:
    """The smallest single change and what it leads to, or that there is none."""
    if flip is None:
        return "no single change of an input up to a hundredfold"
    return f"{flip_name(flip.name, found)} {flip_change(flip, found)}: {flip.becomes}"


def flip_name(name: str, found: Verdicts) -> str:
    """An input in words, an assumption by its name."""
    need = found.ledger.inputs.get(name)
    return need.what if need else name


def flip_change(flip: Flip, found: Verdicts) -> str:
    """``x0.52``; for an assumption its value before and after, too."""
    entry = found.entries.get(flip.name)
    if entry is not None and entry.unit == "year":
        return f"{flip.step:+.2f} years (from {entry.value:.2f} to {entry.value + flip.step:.2f})"
    factor = math.exp(flip.step)
    change = f"x{significant(factor, 3)}"
    if entry is None:
        return change
    unit = unit_words(entry.unit)
    before, after = (significant(value, 3) for value in (entry.value, entry.value * factor))
    return f"{change} (from {before} to {after}{unit})"


def unit_words(unit: str) -> str:
    """The unit of an entry after its number: a space and words, or nothing."""
    if unit in ("1", "share"):
        return ""
    for power, word in (("1e6", "million"), ("1e9", "billion"), ("1e12", "trillion")):
        if unit.split(" ", maxsplit=1)[0] == power:
            return f" {unit.replace(power, word)}"
    return f" {unit}"


def _worn(badges: tuple[Badge, ...]) -> str:
    return f" [{', '.join(badges)}]" if badges else ""
