"""The section that explains the verdict on each claim.

It shows the evidence, and the facts that would change the verdict.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from membench.core.messages import clauses, listed, listed_up_to, sentence, span, tr, tr_n
from membench.core.terms import ClaimClass, ClaimVerdict
from membench.core.units import format_value, significant
from membench.report.page.document import (
    Alert,
    Block,
    Bullets,
    Code,
    Column,
    Definitions,
    English,
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
from membench.report.page.sections.words import origin
from membench.report.plots import verdict_matrix
from membench.report.plots.strip import draw as draw_strip
from membench.thesis.claims.amounts import amount, entry_range, rounded_number
from membench.thesis.claims.assumptions import Assumption, EntryKind, is_old
from membench.thesis.claims.badge_words import BADGE_MEANING
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.ledger import Claim
from membench.thesis.claims.strata import Stratum, StratumAxis
from membench.thesis.claims.verdict_words import AXES, KINDS, VERDICTS, kind_words
from membench.thesis.claims.verdicts import ClaimResult, Subject, Verdicts
from membench.thesis.claims.wording import (
    claim_reason,
    claim_words,
    flip_name,
    flip_words,
    rule_words,
    verdict_words,
    worn_text,
)

CLASSES = {
    ClaimClass.MEASURED: tr("measurement"),
    ClaimClass.MODELLED: tr("a model whose inputs are measurements and assumptions"),
    ClaimClass.RECORD: tr("dated public records"),
    ClaimClass.OUT_OF_SCOPE: tr("no benchmark, because the claim is out of scope"),
}

_MOST_NAMES = 6  # maximum number of variants to name
_KINDS = {
    EntryKind.SPEC: tr("spec"),
    EntryKind.PRICE: tr("price"),
    EntryKind.WORKLOAD: tr("workload"),
    EntryKind.DERIVED: tr("derived"),
    EntryKind.RECORD: tr("record"),
}

_WHAT_A_BENCHMARK_DECIDES = tr(
    "The thesis under test is that inference moves the demand for memory from HBM to DDR and "
    "SSD. A benchmark can show whether this works on a machine, but not whether the market "
    "follows: only public records decide claims about prices and revenues. A single machine "
    "also cannot test NVLink domains, RDMA fabrics, ICMS software, or sharing between racks."
)
_WHAT_A_VERDICT_IS = tr(
    "membench computes every statistic many times for each model or baseline. Each computation, "
    "called a draw, uses random values from the measured rounds and from the ranges of the "
    "assumptions. If enough draws are beyond the supporting threshold, the verdict is "
    "supported. If enough draws are beyond the contradicting threshold, the verdict is "
    "contradicted. Otherwise the verdict is inconclusive. membench also judges generations of "
    "models, classes of GPU, traces and baselines separately. If these groups disagree, the "
    "verdict is inconclusive. Vendor figures or forecasts alone decide no verdict. A "
    "specification replaces a missing measurement only in C13: without measured matrix "
    "products, the peaks of two GPUs show whether their compute is equal. A claim is "
    "contradicted if one of its propositions is contradicted, and supported if all propositions "
    "are supported."
)
_NO_DATA = frozenset({"no data", "no record", "one machine"})
"""Values of `PartVerdict.why` for a proposition without data."""


def section(found: Verdicts, *, full: bool) -> Section:
    """A table of verdicts, then every claim with its evidence, folded unless ``full``."""
    told = found.ledger
    quoted = tr(
        "All quotes are from {source}, {date}.",
        source=tr(told.source),
        date=told.date.isoformat(),
    )
    about: list[Block] = [Paragraph((_WHAT_A_VERDICT_IS,)), Paragraph((quoted,))]
    matrix = verdict_matrix.draw(found)
    if isinstance(matrix, Figure):
        about.append(matrix)
    claims = tuple(_claim(claim, found) for claim in told.claims)
    glance: list[Block] = [
        Paragraph((_WHAT_A_BENCHMARK_DECIDES,)),
        *_badges(found),
        *(_summary(found) if full or len(found.subjects) == 1 else []),
        _overview(found),
    ]
    title = tr("Thesis: demand for HBM, DDR and SSD")
    if full:
        return Section("thesis", title, (*glance, *about), (*claims, _assumptions(found)))
    folded = (*(replace(claim, folded=True) for claim in claims), _assumptions(found))
    details = Section(
        "thesis-claims", tr("Every claim and its evidence"), tuple(about), folded, folded=True
    )
    return Section("thesis", title, tuple(glance), (details,))


_FACTS = {
    ClaimVerdict.SUPPORTED: tr("Supported"),
    ClaimVerdict.CONTRADICTED: tr("Contradicted"),
    ClaimVerdict.INCONCLUSIVE: tr("Inconclusive"),
    ClaimVerdict.NOT_TESTABLE: tr("Not testable here"),
}


def _summary(found: Verdicts) -> list[Block]:
    """For each machine and verdict, the ids of the claims with this verdict."""
    blocks: list[Block] = []
    for subject in found.subjects:
        by_word: dict[ClaimVerdict, list[Line]] = {}
        lacking: list[Line] = []
        for result in subject.claims:
            link = (Link(result.claim.id, anchor(result.claim)),)
            whys = {part.why for part in result.parts if part.word is ClaimVerdict.INCONCLUSIVE}
            if result.word is ClaimVerdict.INCONCLUSIVE and whys <= _NO_DATA:
                lacking.append(link)
            else:
                by_word.setdefault(result.word, []).append(link)
        items: list[tuple[str, Line]] = [
            (_FACTS[word], joined(by_word[word])) for word in ClaimVerdict if word in by_word
        ]
        if lacking:
            items.append((tr("Inconclusive because data is missing"), joined(lacking)))
        if len(found.subjects) > 1:
            blocks.append(Paragraph((Strong(subject.machine),)))
        blocks.append(Definitions(tuple(items)))
    return blocks


def _badges(found: Verdicts) -> list[Block]:
    worn = dict.fromkeys(badge for subject in found.subjects for badge in subject.badges)
    if not worn:
        return []
    parts: list[Line] = [
        (
            tr(
                "{badge} {meaning}",
                badge=Strong(worn_text((badge,))),
                meaning=BADGE_MEANING[badge],
            ),
        )
        for badge in worn
    ]
    line = joined(parts, tr("; "), tr("."))
    return [Alert(tr("Some values were not measured by membench"), line)]


def _of(found: Verdicts, claim: Claim) -> list[tuple[str, ClaimResult]]:
    """Pairs (machine, result of ``claim``); the machine is empty in a report on one machine."""
    several = len(found.subjects) > 1
    return [
        (subject.machine if several else "", result)
        for subject in found.subjects
        for result in subject.claims
        if result.claim.id == claim.id
    ]


def _overview(found: Verdicts) -> Table:
    def head(subject: Subject) -> str:
        if len(found.subjects) > 1:
            return tr("verdict on {machine}", machine=subject.machine)
        return tr("verdict")

    columns = (
        Column(tr("claim")),
        Column(tr("statement"), prose=True),
        *(Column(head(subject), prose=True) for subject in found.subjects),
        Column(tr("decided by"), prose=True),
    )
    rows: list[tuple[Line, ...]] = []
    for claim in found.ledger.claims:
        words: list[Line] = [verdict_line(result) for _, result in _of(found, claim)]
        classes = " ".join(claim.classes)
        rows.append(((Link(claim.id, anchor(claim)),), (claim.english,), *words, (classes,)))
    return Table(
        tr("Claims and verdicts (M measured, D modelled, P public records, X out of scope)"),
        columns,
        tuple(rows),
    )


def verdict_line(result: ClaimResult) -> Line:
    words = claim_words(result)
    decided = result.word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
    return (Strong(words),) if decided else (words,)


def anchor(claim: Claim) -> str:
    return f"claim-{claim.id.lower()}"


def _claim(claim: Claim, found: Verdicts) -> Section:
    items: list[tuple[str, Line]] = []
    results = _of(found, claim)
    if len({_told(result, found) for _, result in results}) == 1:
        results = [("", results[0][1])]  # the verdict is the same on all machines
    for machine, result in results:
        verdict, flip = _told(result, found)
        items.append((_on(tr("Verdict"), machine), _because(verdict, claim_reason(result))))
        if any(part.judgement for part in result.parts):
            items.append((_on(tr("What would change the verdict"), machine), (sentence(flip),)))
    items += [(tr("Note"), (note,)) for note in claim.notes]
    items.append((tr("Claimed"), (sentence(claim.quantity),)))
    for machine, result in results:
        items += [(_on(title, machine), line) for title, line in _commands(result)]
    blocks: list[Block] = [
        Quote(claim.quote, "zh-Hant-TW"),
        Quote(str(claim.english), "en"),
        Definitions(tuple(items)),
    ]
    if claim.contrary:
        blocks.append(Paragraph((Strong(tr("Contrary evidence")),)))
        blocks.append(Bullets(tuple((text,) for text in claim.contrary)))
    if claim.not_found:
        blocks.append(Paragraph((Strong(tr("Evidence that was searched for, but not found")),)))
        blocks.append(Bullets(tuple((text,) for text in claim.not_found)))
    for place, part in enumerate(claim.parts):
        several = _of(found, claim)
        if not (part.measurements or part.device):
            several = [("", several[0][1])]
        for machine, result in several:
            blocks += _part(result.parts[place], found, machine, single=len(claim.parts) == 1)
    tiers = listed(tier.upper() for tier in claim.tiers)
    title = tr("{claim} {tiers}", claim=claim.id, tiers=tiers) if tiers else claim.id
    return Section(anchor(claim), title, tuple(blocks))


def _commands(result: ClaimResult) -> list[tuple[str, Line]]:
    found: list[tuple[str, Line]] = []
    if result.measure:
        found.append(
            (tr("To measure the inputs"), joined([(Code(line),) for line in result.measure]))
        )
    if (assume := result.assume) is not None:
        becomes = tr(
            "{claim} becomes {verdict}", claim=assume.moves, verdict=VERDICTS[assume.becomes]
        )
        found.append(
            (
                tr("To change the assumption"),
                (tr("{run}: {told}", run=Code(assume.command), told=sentence(becomes)),),
            )
        )
    elif result.measure:
        nothing = tr("membench found no assumption that changes this verdict.")
        found.append((tr("To change the assumption"), (nothing,)))
    return found


def _on(text: str, machine: str) -> str:
    return tr("{what} on {machine}", what=text, machine=machine) if machine else text


def _because(verdict: str, reason: str) -> Line:
    return (tr("{verdict}: {reason}", verdict=Strong(verdict), reason=sentence(reason)),)


def _told(result: ClaimResult, found: Verdicts) -> tuple[str, str]:
    drawn = [part for part in result.parts if part.judgement]
    weak = all(part.weak for part in drawn)
    lacking = any(part.why in _NO_DATA for part in result.parts)
    return claim_words(result), flip_words(result.flip, found, weak=weak, lacking=lacking)


def _part(verdict: PartVerdict, found: Verdicts, machine: str, *, single: bool) -> list[Block]:
    part = verdict.part
    items: list[tuple[str, Line]] = [
        (tr("Proposition"), (part.proposition,)),
        (tr("Tested by"), (sentence(CLASSES[part.cls]),)),
    ]
    if part.thresholds:
        rule = rule_words(part.thresholds, part.unit)
        items.append((tr("Decided by"), (sentence(clauses((part.decided_by, rule))),)))
    if not single:
        items.append((tr("Verdict"), _because(verdict_words(verdict), verdict.reason)))
        if verdict.judgement:
            items.append(
                (
                    tr("What would change the verdict"),
                    (sentence(flip_words(verdict.flip, found, weak=verdict.weak)),),
                )
            )
    items += _details(verdict, found)
    names = {name: need.what for name, need in found.ledger.inputs.items()}
    slug = "-".join(("draws", part.id.lower(), *re.findall("[a-z0-9]+", machine.lower())))
    strip = draw_strip(verdict, slug, names)
    picture: list[Block] = [] if strip is None else [Picture(strip)]
    title = _on(part.id, machine) if not single or machine else tr("Rule of the decision")
    return [Paragraph((Strong(title),)), *picture, Definitions(tuple(items))]


def _details(verdict: PartVerdict, found: Verdicts) -> list[tuple[str, Line]]:
    items: list[tuple[str, Line]] = []
    if verdict.variants:
        items.append((tr("Values"), (sentence(_draws(verdict)),)))
    items += [
        (tr("By {axis}", axis=AXES[axis]), (sentence(text),)) for axis, text in _strata(verdict)
    ]
    if verdict.kinds and verdict.judgement:
        kinds = kind_words(verdict.kinds)
        if verdict.as_of is not None:
            kinds = tr("{kinds}; as of {date}", kinds=kinds, date=verdict.as_of.isoformat())
        items.append((tr("Kinds of evidence"), (sentence(kinds),)))
    if verdict.rows:
        items.append((tr("Evidence"), _evidence(verdict, found)))
    if verdict.missing and verdict.judgement:
        lacking = clauses(dict.fromkeys(verdict.missing.values()))
        items.append((tr("Missing"), (sentence(lacking),)))
    if verdict.note:
        items.append((tr("Note"), (verdict.note,)))
    if verdict.used and verdict.judgement:
        items.append((tr("Assumed"), _assumed(verdict)))
    if verdict.bars:
        moved = listed(
            tr(
                "{value} ({range})",
                value=flip_name(bar.name, found),
                range=span(
                    rounded_number(bar.at_low, verdict.part.unit),
                    rounded_number(bar.at_high, verdict.part.unit),
                ),
            )
            for bar in verdict.bars[:5]
        )
        items.append((tr("Strongest influence"), (sentence(moved),)))
    return items


def _draws(verdict: PartVerdict) -> str:
    """Text with the median and the 5th and 95th percentile of all draws.

    If there are several variants, the text also has their separate verdicts.
    """
    grid = np.concatenate([variant.draws for variant in verdict.variants])
    low, middle, high = (float(value) for value in np.percentile(grid, (5, 50, 95)))
    unit = verdict.part.unit
    text = tr(
        "median {median}, 5 to 95 %: {range}",
        median=amount(rounded_number(middle, unit), unit),
        range=span(rounded_number(low, unit), rounded_number(high, unit)),
    )
    if len(verdict.variants) == 1:
        return text
    counts: dict[ClaimVerdict, list[str]] = {}
    for variant in verdict.variants:
        counts.setdefault(variant.judgement.word, []).append(variant.name)
    grouped = any(one.variants > 1 for one in verdict.strata)
    several = clauses(
        tr(
            "{verdict} for {names}",
            verdict=VERDICTS[word],
            names=tr_n("{count} variant", "{count} variants", len(names))
            if grouped
            else listed_up_to(_MOST_NAMES, names),
        )
        for word, names in sorted(counts.items())
    )
    return clauses((text, tr("separately: {verdicts}", verdicts=several)))


def _strata(verdict: PartVerdict) -> list[tuple[StratumAxis, str]]:
    """Pairs (axis, text with the verdict on each group of variants along this axis).

    An axis is left out if each of its groups has only one variant.
    """
    found: dict[StratumAxis, list[Stratum]] = {}
    for stratum in verdict.strata:
        found.setdefault(stratum.axis, []).append(stratum)
    return [
        (axis, listed(map(_stratum, several)))
        for axis, several in found.items()
        if any(one.variants > 1 for one in several)
    ]


def _stratum(one: Stratum) -> str:
    return tr(
        "{name} {verdict} ({share} % of the draws support, {other} % contradict)",
        name=one.name,
        verdict=VERDICTS[one.judgement.word],
        share=_number(100 * one.judgement.supporting),
        other=_number(100 * one.judgement.contradicting),
    )


def _number(value: float) -> str:
    return significant(value, 3)


def _evidence(verdict: PartVerdict, found: Verdicts) -> Line:
    parts: list[Line] = []
    for name, rows in verdict.rows.items():
        for row in rows:
            value = format_value(row.metric, row.value or 0.0)
            where = origin(row) if row.cited else row.machine
            parts.append(
                (
                    tr(
                        "{input} {value} ({case}, {where})",
                        input=flip_name(name, found),
                        value=value,
                        case=Code(row.case),
                        where=where,
                    ),
                )
            )
    return joined(parts, tr("; "), tr("."))


def _assumed(verdict: PartVerdict) -> Line:
    parts: list[Line] = [(Code(entry.name), " ", entry_range(entry)) for entry in verdict.used]
    return joined(parts, end=tr("."))


def _day(entry: Assumption, found: Verdicts) -> str:
    """The date of the assumption, with a mark if `is_old` is true."""
    day = entry.date.isoformat()
    return tr("{date} (old)", date=day) if is_old(entry, found.day) else day


def _assumptions(found: Verdicts) -> Section:
    used = {
        entry.name: entry
        for subject in found.subjects
        for result in subject.claims
        for part in result.parts
        for entry in part.used
    }
    columns = (
        Column(tr("name")),
        Column(tr("value (range)")),
        Column(tr("kind")),
        Column(tr("date")),
        Column(tr("evidence")),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (Code(entry.name),),
            (entry_range(entry),),
            (tr("{kind}, own", kind=_KINDS[entry.kind]) if entry.own else _KINDS[entry.kind],),
            (_day(entry, found),),
            (KINDS[entry.evidence_kind],),
            (English(entry.source),),
        )
        for _, entry in sorted(used.items())
    ]
    table = Table(
        tr("Assumptions and records in use"),
        (*columns, Column(tr("source"), prose=True)),
        tuple(rows),
    )
    return Section("thesis-assumptions", tr("Assumptions and records"), (table,))
