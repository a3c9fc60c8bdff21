"""The thesis, claim by claim: the verdicts, what they rest on and what would flip them."""

from __future__ import annotations

import re

import numpy as np

from membench.core.terms import ClaimClass, ClaimVerdict
from membench.core.units import format_value, significant
from membench.report.page.document import (
    Alert,
    Block,
    Bullets,
    Code,
    Column,
    Facts,
    Figure,
    Line,
    Link,
    Paragraph,
    Picture,
    Quote,
    Section,
    Strong,
    Table,
    joined,
)
from membench.report.plots import verdict_matrix
from membench.report.plots.strip import draw as draw_strip
from membench.thesis.claims.assumptions import Entry
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.ledger import Claim
from membench.thesis.claims.verdicts import ClaimResult, Subject, Verdicts
from membench.thesis.claims.wording import (
    BADGE_MEANING,
    claim_reason,
    claim_words,
    flip_name,
    flip_words,
    rule_words,
    unit_words,
    verdict_words,
)

CLASSES = {
    ClaimClass.MEASURED: "measurement",
    ClaimClass.MODELLED: "a model fed by measurements and assumptions",
    ClaimClass.RECORD: "dated public records",
    ClaimClass.OUT_OF_SCOPE: "nothing that is measured here",
}

_WHAT_A_BENCHMARK_DECIDES = (
    "The thesis under test says that inference moves the demand for memory from HBM outward to DDR "
    "and SSD. A benchmark can show whether the mechanism works on a machine. It can never show "
    "that a market follows: no verdict here is one on prices, revenues or stocks. One machine "
    "cannot test sharing between racks, NVLink domains, RDMA fabrics or ICMS software either."
)
_WHAT_A_VERDICT_IS = (
    "Every statistic is drawn many times, over the spread of the measured rounds and the ranges of "
    "the assumptions, and for every model or baseline. Where a stated share of all draws lies "
    "beyond the supporting threshold the verdict is supported, where it lies beyond the other one "
    "contradicted, else inconclusive. A measurement that is missing is never replaced by a "
    "specification. A claim is contradicted if one of its parts is, and supported if all are."
)


def section(found: Verdicts) -> Section:
    """An introduction that says what a benchmark cannot decide, the verdicts, then the claims."""
    told = found.ledger
    blocks: list[Block] = [
        Paragraph((_WHAT_A_BENCHMARK_DECIDES,)),
        Paragraph((_WHAT_A_VERDICT_IS,)),
        *_badges(found),
        Paragraph((f"All quotes are from {told.source}, {told.date.isoformat()}.",)),
        *_summary(found),
        _overview(found),
    ]
    matrix = verdict_matrix.draw(found)
    if isinstance(matrix, Figure):
        blocks.append(matrix)
    parts = (*(_claim(claim, found) for claim in told.claims), _assumptions(found))
    return Section("thesis", "Thesis: demand for HBM, DDR and SSD", tuple(blocks), parts)


_FACTS = {
    ClaimVerdict.SUPPORTED: "Supported",
    ClaimVerdict.CONTRADICTED: "Contradicted",
    ClaimVerdict.INCONCLUSIVE: "Inconclusive",
    ClaimVerdict.NOT_TESTABLE: "Not testable here",
}


def _summary(found: Verdicts) -> list[Block]:
    """The verdicts at a glance, each claim by its number; of several machines one after another."""
    blocks: list[Block] = []
    for subject in found.subjects:
        by_word: dict[ClaimVerdict, list[Line]] = {}
        lacking: list[Line] = []
        for result in subject.claims:
            link = (Link(result.claim.id, _anchor(result.claim)),)
            whys = {part.why for part in result.parts if part.word is ClaimVerdict.INCONCLUSIVE}
            if result.word is ClaimVerdict.INCONCLUSIVE and "" not in whys:
                lacking.append(link)
            else:
                by_word.setdefault(result.word, []).append(link)
        items: list[tuple[str, Line]] = [
            (_FACTS[word], joined(by_word[word])) for word in ClaimVerdict if word in by_word
        ]
        if lacking:
            items.append(("Inconclusive for want of data", joined(lacking)))
        if len(found.subjects) > 1:
            blocks.append(Paragraph((Strong(subject.machine),)))
        blocks.append(Facts(tuple(items)))
    return blocks


def _badges(found: Verdicts) -> list[Block]:
    worn = dict.fromkeys(badge for subject in found.subjects for badge in subject.badges)
    if not worn:
        return []
    line = joined([(Strong(f"[{badge}]"), f" {BADGE_MEANING[badge]}") for badge in worn], "; ", ".")
    return [Alert("Not measured by membench alone", line)]


def _of(found: Verdicts, claim: Claim) -> list[tuple[str, ClaimResult]]:
    """The results on ``claim`` with the machine, which is empty where there is only one."""
    several = len(found.subjects) > 1
    return [
        (subject.machine if several else "", result)
        for subject in found.subjects
        for result in subject.claims
        if result.claim.id == claim.id
    ]


def _overview(found: Verdicts) -> Table:
    def head(subject: Subject) -> str:
        return f"verdict on {subject.machine}" if len(found.subjects) > 1 else "verdict"

    columns = (
        Column("claim"),
        Column("it says", prose=True),
        *(Column(head(subject), prose=True) for subject in found.subjects),
        Column("decided by", prose=True),
    )
    rows: list[tuple[Line, ...]] = []
    for claim in found.ledger.claims:
        words: list[Line] = [_verdict(result) for _, result in _of(found, claim)]
        classes = " ".join(claim.classes)
        rows.append(((Link(claim.id, _anchor(claim)),), (claim.english,), *words, (classes,)))
    return Table(
        "Claims and verdicts (M measured, D modelled, P public records, X out of scope)",
        columns,
        tuple(rows),
    )


def _verdict(result: ClaimResult) -> Line:
    words = claim_words(result)
    decided = result.word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
    return (Strong(words),) if decided else (words,)


def _anchor(claim: Claim) -> str:
    return f"claim-{claim.id.lower()}"


def _claim(claim: Claim, found: Verdicts) -> Section:
    items: list[tuple[str, Line]] = []
    results = _of(found, claim)
    if len({_told(result, found) for _, result in results}) == 1:
        results = [("", results[0][1])]  # the same on every machine
    for machine, result in results:
        on = f" on {machine}" if machine else ""
        verdict, flip = _told(result, found)
        items.append((f"Verdict{on}", (Strong(verdict), f": {_sentence(claim_reason(result))}")))
        if any(part.judgement for part in result.parts):
            items.append((f"What flips it{on}", (f"{flip}.",)))
    items += [("Note", (note,)) for note in claim.notes]
    items.append(("Claimed", (f"{claim.quantity}.",)))
    blocks: list[Block] = [
        Quote(claim.quote, "zh-Hant-TW"),
        Quote(claim.english, "en"),
        Facts(tuple(items)),
    ]
    if claim.contrary:
        blocks.append(Paragraph((Strong("Evidence to hold against it"),)))
        blocks.append(Bullets(tuple((text,) for text in claim.contrary)))
    for place, part in enumerate(claim.parts):
        several = _of(found, claim)
        if not (part.measurements or part.device):
            several = [("", several[0][1])]
        for machine, result in several:
            blocks += _part(result.parts[place], found, machine, single=len(claim.parts) == 1)
    tiers = f" {', '.join(tier.upper() for tier in claim.tiers)}" if claim.tiers else ""
    return Section(_anchor(claim), f"{claim.id}{tiers}", tuple(blocks))


def _told(result: ClaimResult, found: Verdicts) -> tuple[str, str]:
    """The verdict, and what flips it."""
    return claim_words(result), flip_words(result.flip, found)


def _part(verdict: PartVerdict, found: Verdicts, machine: str, *, single: bool) -> list[Block]:
    part = verdict.part
    on = f" on {machine}" if machine else ""
    items: list[tuple[str, Line]] = [
        ("Proposition", (part.proposition,)),
        ("Tested by", (f"{CLASSES[part.cls]}.",)),
    ]
    if part.thresholds:
        rule = rule_words(part.thresholds, part.unit)
        items.append(("Decided by", (f"{part.decided_by}; {rule}.",)))
    if not single:
        items.append(
            ("Verdict", (Strong(verdict_words(verdict)), f": {_sentence(verdict.reason)}"))
        )
        if verdict.judgement:
            items.append(("What flips it", (f"{flip_words(verdict.flip, found)}.",)))
    if verdict.variants:
        items.append(("Draws", (f"{_draws(verdict)}.",)))
    if verdict.rows:
        items.append(("Evidence", _evidence(verdict, found)))
    if verdict.missing and verdict.judgement:
        items.append(("Missing", (f"{'; '.join(dict.fromkeys(verdict.missing.values()))}.",)))
    if verdict.note:
        items.append(("Note", (verdict.note,)))
    if verdict.used and verdict.judgement:
        items.append(("Assumed", _assumed(verdict)))
    if verdict.bars:
        moved = [
            (f"{flip_name(bar.name, found)} ({_number(bar.at_low)} to {_number(bar.at_high)})",)
            for bar in verdict.bars[:5]
        ]
        items.append(("Moved most by", joined([tuple(line) for line in moved], ", ", ".")))
    names = {name: need.what for name, need in found.ledger.inputs.items()}
    slug = "-".join(("draws", part.id.lower(), *re.findall("[a-z0-9]+", machine.lower())))
    strip = draw_strip(verdict, slug, names)
    picture: list[Block] = [] if strip is None else [Picture(strip.svg)]
    title = f"{part.id}{on}" if not single or on else "How it is decided"
    return [Paragraph((Strong(title),)), *picture, Facts(tuple(items))]


def _draws(verdict: PartVerdict) -> str:
    """Median and 5th to 95th percentile over all variants, and the verdicts of each."""
    grid = np.concatenate([variant.draws for variant in verdict.variants])
    low, middle, high = (float(value) for value in np.percentile(grid, (5, 50, 95)))
    unit = f" {verdict.part.unit}" if verdict.part.unit not in ("", "share") else ""
    text = f"median {_number(middle)}{unit}, 5 to 95 %: {_number(low)} to {_number(high)}"
    if len(verdict.variants) == 1:
        return text
    counts: dict[ClaimVerdict, list[str]] = {}
    for variant in verdict.variants:
        counts.setdefault(variant.judgement.word, []).append(variant.name)
    several = [f"{word} for {_names(names)}" for word, names in sorted(counts.items())]
    return f"{text}; each by itself: {'; '.join(several)}"


def _names(names: list[str]) -> str:
    more = len(names) - 6
    return ", ".join(names[:6]) + (f" and {more} more" if more > 0 else "")


def _number(value: float) -> str:
    return significant(value, 3)


def _evidence(verdict: PartVerdict, found: Verdicts) -> Line:
    parts: list[Line] = []
    for name, rows in verdict.rows.items():
        for row in rows:
            value = format_value(row.metric, row.value or 0.0)
            where = row.backend if row.cited else row.machine
            parts.append((flip_name(name, found), f" {value} (", Code(row.case), f", {where})"))
    return joined(parts, "; ", ".")


def _assumed(verdict: PartVerdict) -> Line:
    parts: list[Line] = [(Code(entry.name), f" {_range(entry)}") for entry in verdict.used]
    return joined(parts, ", ", ".")


def _range(entry: Entry) -> str:
    unit = unit_words(entry.unit)
    if entry.low == entry.high:
        return f"{entry.value:.6g}{unit}"
    return f"{entry.value:.6g} ({entry.low:.6g} to {entry.high:.6g}){unit}"


def _assumptions(found: Verdicts) -> Section:
    """Whatever some part read, with where it is from."""
    used = {
        entry.name: entry
        for subject in found.subjects
        for result in subject.claims
        for part in result.parts
        for entry in part.used
    }
    columns = (Column("name"), Column("value (range)"), Column("kind"), Column("date"))
    rows: list[tuple[Line, ...]] = [
        (
            (Code(entry.name),),
            (_range(entry),),
            (f"{entry.kind}, own" if entry.own else str(entry.kind),),
            (entry.date.isoformat(),),
            (entry.source,),
        )
        for _, entry in sorted(used.items())
    ]
    table = Table(
        "Assumptions and records that were read",
        (*columns, Column("source", prose=True, verbatim=True)),
        tuple(rows),
    )
    return Section("thesis-assumptions", "Assumptions and records", (table,))


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
