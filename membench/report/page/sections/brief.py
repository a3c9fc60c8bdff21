"""The section with the main verdicts on the thesis, for HBM, DDR and SSD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from membench.core.messages import clauses, listed, sentence, sentences, tr
from membench.core.terms import ClaimVerdict, Metric, Tier
from membench.core.units import significant
from membench.report.page.document import (
    Block,
    Bullets,
    Code,
    Column,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.claims import anchor, verdict_line
from membench.report.page.sections.headline import JudgedRun
from membench.report.screens.judged import best_text
from membench.report.screens.serving import serving, serving_sentence
from membench.thesis.claims.amounts import amount
from membench.thesis.claims.judging import PartVerdict, reads_machine
from membench.thesis.claims.verdicts import ClaimResult, Subject, Verdicts
from membench.thesis.claims.wording import verdict_words

LEADING = {Tier.HBM: "C13", Tier.DDR: "C17", Tier.SSD: "C15"}
"""The main claim of the thesis about each tier.

C13: HBM stays indispensable. C17: DDR only coordinates. C15: SSD benefits most.
"""

_THESIS = tr(
    "The thesis under test is that inference moves the demand for memory from HBM to DDR and SSD. "
    "The section {section} explains the claims and the verdicts.",
    section=Link(tr("Thesis: demand for HBM, DDR and SSD"), "thesis"),
)
_RATES = (Metric.BANDWIDTH, Metric.LATENCY)


def section(judged: Sequence[JudgedRun], found: Verdicts) -> Section:
    """A table of verdicts, and for each machine a sentence on serving a model."""
    last = {one.run.rows[0].machine: one for one in judged}
    subjects = [one for one in found.subjects if one.machine in last]
    several = len(subjects) > 1
    blocks: list[Block] = [Paragraph((_THESIS,))]
    if several:
        blocks.append(_beside(subjects, last))
    elif subjects:
        blocks.append(_alone(subjects[0], last[subjects[0].machine]))
    blocks += _of_several(judged)
    told = [_serving(one.run, found, named=several) for one in last.values()]
    blocks.append(Bullets(tuple((one,) for one in told)))
    title = (
        tr("What the results of these machines say about the thesis")
        if several
        else tr("What the results of this machine say about the thesis")
    )
    return Section("machine-and-thesis", title, tuple(blocks))


def _of_several(judged: Sequence[JudgedRun]) -> Iterator[Paragraph]:
    """For each machine with several runs, a paragraph that names the run whose values are shown."""
    runs: dict[str, list[Run]] = {}
    for one in judged:
        runs.setdefault(one.run.rows[0].machine, []).append(one.run)
    for machine, own in runs.items():
        if len(own) > 1:
            text = tr(
                "The numbers of {machine} come from {run}, the last of {count} runs. The verdicts "
                "use all {count} runs together.",
                machine=machine,
                run=Code(own[-1].label),
                count=len(own),
            )
            yield Paragraph((text,))


def _alone(subject: Subject, judged: JudgedRun) -> Table:
    rows: list[tuple[Line, ...]] = []
    for tier, name in LEADING.items():
        result = _claim(subject, name)
        rows.append(
            (
                (str(tier).upper(),),
                (_own_number(tier, judged),),
                (
                    tr(
                        "{run}: {told}",
                        run=Link(name, anchor(result.claim)),
                        told=result.claim.english,
                    ),
                ),
                verdict_line(result),
                (_because(result),),
            )
        )
    columns = (
        Column(tr("tier")),
        Column(tr("this machine"), numeric=True),
        Column(tr("claim of the thesis"), prose=True),
        Column(tr("verdict")),
        Column(tr("propositions about the machine"), prose=True),
    )
    return Table(tr("HBM, DDR and SSD"), columns, tuple(rows))


def _beside(subjects: Sequence[Subject], last: Mapping[str, JudgedRun]) -> Table:
    rows: list[tuple[Line, ...]] = [
        (
            (subject.machine,),
            *(
                (
                    tr("{title}: ", title=_beside_verdict(tier, last[subject.machine], result)),
                    *verdict_line(result),
                )
                for tier, name in LEADING.items()
                for result in (_claim(subject, name),)
            ),
        )
        for subject in subjects
    ]
    first = subjects[0]
    heads = (Column(f"{str(tier).upper()} ({name})", prose=True) for tier, name in LEADING.items())
    said = clauses(
        tr(
            "{tier} ({claim}): {text}",
            tier=str(tier).upper(),
            claim=name,
            text=_claim(first, name).claim.english,
        )
        for tier, name in LEADING.items()
    )
    caption = tr("Verdicts on the thesis. {claims}", claims=sentence(said))
    return Table(caption, (Column(tr("machine")), *heads), tuple(rows))


def _claim(subject: Subject, name: str) -> ClaimResult:
    return next(result for result in subject.claims if result.claim.id == name)


def _own_number(tier: Tier, judged: JudgedRun) -> str:
    best = next((one.rung.best for one in judged.rungs if one.rung.tier is tier), {})
    values = [best_text(best[metric]) for metric in _RATES if metric in best]
    if values:
        return listed(values)
    cited = all(row.cited for row in judged.run.rows)
    return tr("no published value") if cited else tr("not measured")


def _beside_verdict(tier: Tier, judged: JudgedRun, result: ClaimResult) -> str:
    """The best values of ``tier``, or a text such as ``not measured``.

    A note follows if other values decided the verdict.
    """
    number = _own_number(tier, judged)
    decided = result.word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
    if decided and not any(one.rung.tier is tier for one in judged.rungs):
        return tr("{number}, other values decide", number=number)
    return number


def _because(result: ClaimResult) -> str:
    return sentences(_part(part) for part in result.parts if reads_machine(part.part))


def _part(verdict: PartVerdict) -> str:
    """A text such as ``C15b contradicted (0.13 x): An SSD of this machine reads ...``."""
    told = verdict_words(verdict)
    if verdict.judgement is not None:
        drawn = np.concatenate([variant.draws for variant in verdict.variants])
        middle = amount(significant(float(np.median(drawn)), 3), verdict.part.unit)
        told = tr("{verdict} ({value})", verdict=told, value=middle)
    told = tr("{part} {verdict}", part=verdict.part.id, verdict=told)
    return tr("{verdict}: {reason}", verdict=told, reason=verdict.part.proposition)


def _serving(run: Run, found: Verdicts, *, named: bool) -> str:
    told = serving_sentence(serving(run.rows, run.machine, found.entries))
    return sentence(tr("{run}: {told}", run=run.label, told=told) if named else told)
