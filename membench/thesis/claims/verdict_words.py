"""Readable names of verdicts, strata and kinds of evidence."""

from __future__ import annotations

from collections.abc import Iterable

from membench.core.messages import clauses, listed, tr
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.strata import Stratum, StratumAxis

VERDICTS = {
    ClaimVerdict.SUPPORTED: tr("supported"),
    ClaimVerdict.CONTRADICTED: tr("contradicted"),
    ClaimVerdict.INCONCLUSIVE: tr("inconclusive"),
    ClaimVerdict.NOT_TESTABLE: tr("not testable here"),
}
KINDS = {
    EvidenceKind.HERE: tr("measured here"),
    EvidenceKind.ELSEWHERE: tr("measured elsewhere"),
    EvidenceKind.MODEL: tr("model"),
    EvidenceKind.VENDOR: tr("vendor"),
    EvidenceKind.FORECAST: tr("forecast"),
}
AXES = {
    StratumAxis.GENERATION: tr("model generation"),
    StratumAxis.GPU: tr("GPU class"),
    StratumAxis.BOTH: tr("model generation and GPU class"),
    StratumAxis.TRACE: tr("trace"),
    StratumAxis.CASE: tr("case"),
}
_MOST_OTHERS = 3


def strata_words(strata: Iterable[Stratum], axes: Iterable[StratumAxis]) -> str:
    """Text such as ``by GPU class: contradicted for Hopper (2022)``."""
    several = tuple(strata)
    return clauses(
        tr("by {axis}: {verdicts}", axis=AXES[axis], verdicts=_of_axis(several, axis))
        for axis in axes
    )


def _of_axis(strata: Iterable[Stratum], axis: StratumAxis) -> str:
    by_word: dict[ClaimVerdict, list[str]] = {}
    for one in strata:
        if one.axis is axis:
            by_word.setdefault(one.judgement.word, []).append(one.name)
    told = [
        tr("{verdict} for {names}", verdict=VERDICTS[word], names=listed(by_word[word]))
        for word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
        if word in by_word
    ]
    if others := by_word.get(ClaimVerdict.INCONCLUSIVE, []):
        several = len(others) > _MOST_OTHERS
        names = tr("the other {count} strata", count=len(others)) if several else listed(others)
        word = VERDICTS[ClaimVerdict.INCONCLUSIVE]
        told.append(tr("{verdict} for {names}", verdict=word, names=names))
    return listed(told)


def kind_words(kinds: Iterable[EvidenceKind]) -> str:
    """Text such as ``measured here, vendor``."""
    return listed(KINDS[kind] for kind in kinds)
