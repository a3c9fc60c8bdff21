"""Computes the verdict on one part of a claim, and the smallest change that changes the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from membench.core.messages import Message, clauses, listed, sentences, tr
from membench.core.record import record
from membench.core.terms import Badge, ClaimVerdict
from membench.results.schema import Row
from membench.thesis.claims.amounts import amount
from membench.thesis.claims.assumptions import SUBSTITUTE, Assumption, Assumptions
from membench.thesis.claims.device_names import device_key
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.evidence import badges
from membench.thesis.claims.flip import Flip, smallest_flip
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import Part
from membench.thesis.claims.monotone import MONOTONE
from membench.thesis.claims.rule import Judgement, VerdictThresholds
from membench.thesis.claims.scenario import NoData, Scenario
from membench.thesis.claims.statistics import STATISTICS
from membench.thesis.claims.strata import Stratum, disagreeing, outcome, word_of, words_of
from membench.thesis.claims.strength import ALONE_MEANS, kinds_read, weak
from membench.thesis.claims.sweep import Sweep
from membench.thesis.claims.tornado import Bar, tornado
from membench.thesis.claims.verdict_words import strata_words

WordKey = tuple[str, VerdictThresholds, str, float]
Words = dict[WordKey, ClaimVerdict]
"""(statistic, thresholds, input, step) -> the verdict after the change."""


@record
class VariantDraws:
    """The values of a statistic for one variant, such as a model, and the verdict on them.

    Attributes:
        draws: [draws] values of the statistic.
    """

    name: str
    draws: Floats
    judgement: Judgement


@record(kw_only=True)
class PartVerdict:
    """The verdict on one part of a claim.

    Attributes:
        why: a short reason for an inconclusive verdict, such as "no data" or "forecasts alone";
            may be empty.
        judgement: the verdict on the draws of all variants together; None without draws.
        kinds: the kinds of evidence of all inputs, the strongest first.
        rows: input -> the rows that are evidence for the input.
        missing: measurement without a value -> the reason.
        used: the assumptions and records that the part uses.
        flip: the smallest change of one input that changes the verdict; None if none was found or
            the evidence is weak.
        bars: the effect of each input on the statistic, the largest effect first.
        note: a caveat about the evidence.
        as_of: the newest date of all inputs; None if no input has a date.
        weak: whether only vendor figures or forecasts decide the part; False without draws.
    """

    part: Part
    word: ClaimVerdict
    reason: str
    why: str = ""
    judgement: Judgement | None = None
    variants: tuple[VariantDraws, ...] = ()
    strata: tuple[Stratum, ...] = ()
    kinds: tuple[EvidenceKind, ...] = ()
    rows: Mapping[str, tuple[Row, ...]]
    missing: Mapping[str, str]
    used: tuple[Assumption, ...]
    badges: tuple[Badge, ...]
    flip: Flip | None = None
    bars: tuple[Bar, ...] = ()
    note: str = ""
    as_of: date | None = None
    weak: bool = False


class Sensitivity:
    """Computes and caches verdicts on parts of claims after a change of one input.

    Args:
        shared: cache for parts that do not depend on a machine.
        own: cache for parts that depend on the machine of ``scenario``.
    """

    def __init__(self, scenario: Scenario, shared: Words, own: Words | None = None) -> None:
        self.scenario = scenario
        self._own: Words = {} if own is None else own
        self._shared = shared
        self._sweeps: dict[tuple[str, VerdictThresholds, str], Sweep] = {}

    def word(self, part: Part, name: str, step: float) -> ClaimVerdict:
        """The verdict on ``part`` after the input ``name`` changed by ``step`` (`Flip.step`).

        Raises:
            NoData: an input of ``part`` has no value.
        """
        assert part.thresholds is not None
        key = (part.statistic, part.thresholds, name, step)
        known = self._own if reads_machine(part) else self._shared
        if key not in known:
            known[key] = self._computed(part.statistic, part.thresholds, name, step)
        return known[key]

    def _computed(
        self, statistic: str, thresholds: VerdictThresholds, name: str, step: float
    ) -> ClaimVerdict:
        compute = STATISTICS[statistic]
        if name not in MONOTONE.get(statistic, ()):
            return word_of(compute(self.scenario.moved(name, step)), thresholds)
        of_input = (statistic, thresholds, name)
        if of_input not in self._sweeps:
            self._sweeps[of_input] = Sweep(
                lambda size: words_of(compute(self.scenario.moved(name, size)), thresholds)
            )
        return self._sweeps[of_input].word(step)


def reads_machine(part: Part) -> bool:
    return bool(part.measurements or part.device)


def judge_part(
    part: Part, scenario: Scenario, entries: Assumptions, moved: Sensitivity | None = None
) -> PartVerdict:
    """The verdict on ``part`` in ``scenario``. ``moved`` caches verdicts; None for a new cache."""
    names = names_of(part, scenario)
    rows = {name: scenario.rows[name] for name in part.measurements if name in scenario.rows}
    substituted = [
        name for name in part.measurements if name in scenario.values and name not in scenario.rows
    ]
    read = [*names, *(f"{SUBSTITUTE}{name}" for name in substituted)]
    used = tuple(entries[name] for name in read if name in entries)
    worn = [
        *badges(row for several in rows.values() for row in several),
        *([Badge.SUBSTITUTED] if substituted else []),
        *([Badge.OVERRIDDEN] if any(entry.own for entry in used) else []),
    ]
    missing = {
        name: scenario.missing.get(name, tr("no data"))
        for name in part.measurements
        if name not in scenario.values
    }

    def found(word: ClaimVerdict, reason: str, why: str = "") -> PartVerdict:
        return PartVerdict(
            part=part,
            word=word,
            reason=reason,
            why=why,
            rows=rows,
            missing=missing,
            used=used,
            badges=tuple(worn),
            kinds=kinds_read(part, names, rows, entries),
            as_of=_as_of(rows, used),
        )

    if part.thresholds is None:
        return found(ClaimVerdict.NOT_TESTABLE, part.waits_for)
    try:
        drawn = STATISTICS[part.statistic](scenario)
    except NoData as lack:
        if lack.why == "no record" and part.waits_for:
            return found(ClaimVerdict.INCONCLUSIVE, part.waits_for, lack.why)
        reason = clauses(dict.fromkeys(missing.values())) or lack.reason
        return found(ClaimVerdict.INCONCLUSIVE, reason, lack.why)
    blank = found(ClaimVerdict.INCONCLUSIVE, "")
    return _judged(part, moved or Sensitivity(scenario, {}), entries, drawn, names, blank)


def word_in(part: Part, scenario: Scenario, entries: Assumptions) -> ClaimVerdict:
    """The verdict that `judge_part` would give, computed in less time."""
    if part.thresholds is None:
        return ClaimVerdict.NOT_TESTABLE
    rows = {name: scenario.rows[name] for name in part.measurements if name in scenario.rows}
    try:
        word = word_of(STATISTICS[part.statistic](scenario), part.thresholds)
    except NoData:
        return ClaimVerdict.INCONCLUSIVE
    return ClaimVerdict.INCONCLUSIVE if weak(part, rows, entries) else word


def _as_of(rows: Mapping[str, Sequence[Row]], used: Iterable[Assumption]) -> date | None:
    days = [entry.date for entry in used]
    days += [
        date.fromisoformat(row.started[:10])
        for several in rows.values()
        for row in several
        if row.started
    ]
    return max(days, default=None)


def _judged(
    part: Part,
    moved: Sensitivity,
    entries: Assumptions,
    drawn: Mapping[str, Floats],
    names: Sequence[str],
    blank: PartVerdict,
) -> PartVerdict:
    assert part.thresholds is not None
    thresholds, scenario = part.thresholds, moved.scenario
    whole = outcome(drawn, thresholds)
    lack = weak(part, blank.rows, entries)
    capped = lack is not None and whole.word is not ClaimVerdict.INCONCLUSIVE
    present = [name for name in names if name in scenario.values]

    bars = tornado(STATISTICS[part.statistic], scenario, present, _ranges(entries, present))
    # Search the most influential input first: a small step that is found early shortens the search.
    first = dict.fromkeys([*(bar.name for bar in bars), *present])

    def flipped(name: str, step: float) -> ClaimVerdict:
        return moved.word(part, name, step)

    reason = _reason(part, whole.pooled)
    why = ""
    if apart := disagreeing(whole.strata):
        why = STRATA_DISAGREE
        reason = clauses((strata_words(whole.strata, apart), _pooled(reason)))
    elif capped:
        assert lack is not None
        why = lack
        reason = clauses((reason, ALONE_MEANS[lack]))
    return replace(
        blank,
        word=ClaimVerdict.INCONCLUSIVE if capped else whole.word,
        why=why,
        reason=reason,
        judgement=whole.pooled,
        variants=tuple(
            VariantDraws(name, draws, own)
            for (name, draws), own in zip(drawn.items(), whole.variants, strict=True)
        ),
        strata=whole.strata,
        # If the evidence is too weak, no change of a value changes the verdict.
        flip=None
        if lack is not None
        else smallest_flip(flipped, first, whole.word, limits(entries, present)),
        bars=bars,
        note=_note(part, scenario),
        weak=lack is not None,
    )


STRATA_DISAGREE = tr("strata disagree")


def _pooled(reason: str) -> Message:
    return tr("all variants together: {reason}", reason=reason)


def _note(part: Part, scenario: Scenario) -> str:
    lines = [scenario.pair_note] if "pair-rate" in part.measurements and scenario.pair_note else []
    lines += [
        tr("{case} comes from {machine}.", case=row.case, machine=row.machine)
        for name in part.measurements
        if name in scenario.borrowed
        for row in scenario.rows[name][:1]
    ]
    return sentences(lines)


def names_of(part: Part, scenario: Scenario) -> tuple[str, ...]:
    """All inputs that ``part`` uses, by their names in ``scenario``."""
    devices = [device_key(scenario.device, what) for what in part.device] if scenario.device else []
    return (*part.measurements, *devices, *part.assumptions)


def _ranges(entries: Assumptions, names: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    found = {}
    for name in names:
        if entry := entries.get(name):
            found[name] = (
                entry.low * entry.scale,
                entry.value * entry.scale,
                entry.high * entry.scale,
            )
    return found


def limits(entries: Assumptions, names: Iterable[str]) -> dict[str, float]:
    """Name -> largest step (`Flip.step`), for each of ``names`` that is a share.

    The largest step moves the high end of the share's range to 1.
    """
    return {
        name: -math.log(entries[name].high) * (1 - 1e-9)  # rounding must not exceed 1
        for name in names
        if name in entries and entries[name].unit == "share"
    }


def _reason(part: Part, found: Judgement) -> str:
    rule = part.thresholds
    assert rule is not None
    higher = rule.direction == "higher"
    supports, contradicts = (
        amount(f"{value:g}", part.unit) for value in (rule.supports, rule.contradicts)
    )
    share, other = _percent(rule.share), _percent(rule.contradicting_share)
    if found.word is ClaimVerdict.CONTRADICTED:
        against = _draws(found.contradicting, contradicts, least=not higher)
        return clauses((against, tr("{share} % are needed", share=other)))
    for_it = _draws(found.supporting, supports, least=higher)
    if found.word is ClaimVerdict.SUPPORTED:
        return clauses((for_it, tr("{share} % are needed", share=share)))
    params = {"share": _percent(found.contradicting), "value": contradicts}
    against = (
        tr("{share} % are at most {value}", **params)
        if higher
        else tr("{share} % are at least {value}", **params)
    )
    needed = tr("{share} % are needed", share=share)
    if rule.contradicting_share != rule.share:
        needed = tr(
            "{share} % are needed to support the claim, and {other} % to contradict it",
            share=share,
            other=other,
        )
    return clauses((listed((for_it, against)), needed))


def _draws(share: float, value: str, *, least: bool) -> Message:
    params = {"share": _percent(share), "value": value}
    if least:
        return tr("{share} % of the draws are at least {value}", **params)
    return tr("{share} % of the draws are at most {value}", **params)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")
