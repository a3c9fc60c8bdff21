"""The section with the main verdicts on the thesis, for HBM, DDR and SSD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from membench.core.messages import Message, clauses, listed, sentence, sentences, tr
from membench.core.terms import ClaimVerdict, Metric, Tier
from membench.core.units import significant
from membench.report.page.document import (
    Block,
    Bullets,
    Column,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
)
from membench.report.page.runs import Run, by_machine, runs_of_machines
from membench.report.page.sections.claims import anchor, verdict_line
from membench.report.page.sections.headline import JudgedRun, judge
from membench.report.screens.judged import best_text
from membench.report.screens.serving import serving, serving_sentence
from membench.results.schema import Row
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
    own = _of_machines(judged)
    subjects = [one for one in found.subjects if one.machine in own]
    several = len(subjects) > 1
    blocks: list[Block] = [Paragraph((_THESIS,))]
    if several:
        blocks.append(_beside(subjects, own))
    elif subjects:
        blocks.append(_alone(subjects[0], own[subjects[0].machine]))
    blocks += _of_several(judged, own)
    told = [_serving(one.run, found, name if several else "") for name, one in own.items()]
    if told:
        blocks.append(Bullets(tuple((one,) for one in told)))
    title = (
        tr("What the results of these machines say about the thesis")
        if several
        else tr("What the results of this machine say about the thesis")
    )
    return Section("machine-and-thesis", title, tuple(blocks))


def _of_machines(judged: Sequence[JudgedRun]) -> dict[str, JudgedRun]:
    """Machine -> the run of `by_machine`, with its best results."""
    found = {}
    for run in by_machine(one.run for one in judged):
        known = next((one for one in judged if one.run is run), None)
        found[run.rows[0].machine] = known or judge([run])[0]
    return found


def _of_several(judged: Sequence[JudgedRun], own: Mapping[str, JudgedRun]) -> Iterator[Paragraph]:
    """For each machine with several runs, a paragraph that names the runs of the values shown."""
    for machine, runs in runs_of_machines(one.run for one in judged).items():
        if len(runs) == 1:
            continue
        text = tr(
            "{machine} has {count} runs. The verdicts use all {count} runs together. The values of "
            "each bench come from the newest run that measured the bench",
            machine=machine,
            count=len(runs),
        )
        if sources := [*_sources(own[machine], runs)]:
            text = tr("{before}: {item}", before=text, item=clauses(sources))
        yield Paragraph((sentence(text),))


def _sources(own: JudgedRun, runs: Sequence[Run]) -> Iterator[Message]:
    """For each tier with a value, a text such as ``DDR from b.csv``."""
    labels = {run.rows[0].run_id: run.label for run in reversed(runs)}
    for tier in LEADING:
        names = dict.fromkeys(labels[row.run_id] for row in _best(tier, own))
        if names:
            yield tr("{tier} from {run}", tier=str(tier).upper(), run=listed(names))


def _best(tier: Tier, own: JudgedRun) -> list[Row]:
    """The rows with the best bandwidth and the best latency of ``tier``."""
    best = next((one.rung.best for one in own.rungs if one.rung.tier is tier), {})
    return [best[metric] for metric in _RATES if metric in best]


def _alone(subject: Subject, own: JudgedRun) -> Table:
    rows: list[tuple[Line, ...]] = []
    for tier, name in LEADING.items():
        result = _claim(subject, name)
        rows.append(
            (
                (str(tier).upper(),),
                (_own_number(tier, own),),
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


def _beside(subjects: Sequence[Subject], own: Mapping[str, JudgedRun]) -> Table:
    rows: list[tuple[Line, ...]] = [
        (
            (subject.machine,),
            *(
                (
                    tr("{title}: ", title=_beside_verdict(tier, own[subject.machine], result)),
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


def _own_number(tier: Tier, own: JudgedRun) -> str:
    values = [best_text(row) for row in _best(tier, own)]
    if values:
        return listed(values)
    cited = all(row.cited for row in own.run.rows)
    return tr("no published value") if cited else tr("not measured")


def _beside_verdict(tier: Tier, own: JudgedRun, result: ClaimResult) -> str:
    """The best values of ``tier``, or a text such as ``not measured``.

    A note follows if other values decided the verdict.
    """
    number = _own_number(tier, own)
    decided = result.word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
    if decided and not any(one.rung.tier is tier for one in own.rungs):
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


def _serving(run: Run, found: Verdicts, machine: str) -> str:
    told = serving_sentence(serving(run.rows, run.machine, found.entries))
    return sentence(tr("{run}: {told}", run=machine, told=told) if machine else told)
