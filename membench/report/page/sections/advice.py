"""The section with recommendations for the KV cache of several models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from membench.core.messages import clauses, sentence, sentences, tr
from membench.core.units import about_size
from membench.report.page.document import (
    Alert,
    Block,
    Bullets,
    Column,
    Command,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run, by_machine
from membench.report.page.sections.demand import SHOWN
from membench.report.screens.advice_words import BOUNDS, crossover, interval, unfit, verdict
from membench.thesis.advise.plan import Advice, Question, advise, missing_of, usual_block
from membench.thesis.claims.assumptions import Assumptions
from membench.thesis.claims.badge_words import BADGE_MEANING
from membench.thesis.claims.wording import worn_text
from membench.thesis.models.catalogue import Model, models

CONTEXT = 32768
_ABOUT = tr(
    "The values are for one GPU, a context of {tokens} tokens, and a KV cache in fp16. "
    "{bounds}. A range goes from the lowest to the highest value of the rounds. For any other "
    "model, context, number of GPUs or layout of the KV cache, use this command:",
    tokens=CONTEXT,
    bounds=BOUNDS,
)

_SEVERAL = tr(
    "For a machine with several runs, the rates of each bench come from the newest run that "
    "measured the bench."
)


def section(runs: Sequence[Run], entries: Assumptions) -> Section:
    """The section with a table of advice for each machine, folded if there are several."""
    blocks: list[Block] = [
        Paragraph((_ABOUT,)),
        Command(f"membench advise FILE --model llama-3.1-70b --context {CONTEXT} --tp 4"),
    ]
    parts: list[Section] = []
    machines = by_machine(runs)
    if len(machines) < len(runs):
        blocks.append(Paragraph((_SEVERAL,)))
    for run in machines:
        answers = [
            advise(_question(models()[slug]), run.rows, run.machine, entries) for slug in SHOWN
        ]
        if len(machines) > 1:
            made = _machine(run, answers)
            parts.append(
                Section(f"advice-{len(parts)}", run.rows[0].machine, tuple(made), folded=True)
            )
        else:
            blocks += _machine(run, answers)
    return Section("advice", tr("Advice"), tuple(blocks), tuple(parts))


def _question(model: Model) -> Question:
    return Question(model=model, context=CONTEXT, block_tokens=usual_block(model))


def _machine(run: Run, answers: Sequence[Advice]) -> list[Block]:
    worn = dict.fromkeys(badge for one in answers for badge in one.badges)
    blocks: list[Block] = [
        Alert(worn_text((badge,)), (sentence(BADGE_MEANING[badge]),)) for badge in worn
    ]
    blocks.append(_table(tr("Advice for {run}", run=run.rows[0].machine), answers))
    missing = missing_of(answers)
    if missing:
        blocks.append(Paragraph((Strong(tr("Missing values:")),)))
        blocks.append(Bullets(tuple((sentence(line),) for line in missing)))
    return blocks


def _table(caption: str, answers: Sequence[Advice]) -> Table:
    """One row per model; columns without any known value are left out."""
    paths = {(choice.name, choice.rate.contiguous) for one in answers for choice in one.choices}
    columns: list[tuple[Column, Callable[[Advice], Line]]] = [
        (Column(tr("model")), lambda one: (one.question.model.slug,))
    ]
    if any(one.best for one in answers):
        columns.append(
            (
                Column(tr("recommendation"), prose=True),
                lambda one: (Strong(sentences((unfit(one), verdict(one)))),),
            )
        )
    for name, title, large in (
        ("ddr", tr("restore from DDR"), tr("restore from DDR, at the rate of one large copy")),
        ("ssd", tr("restore from SSD"), tr("restore from SSD, at the rate of one large copy")),
    ):
        for contiguous in (False, True):
            if (name, contiguous) in paths:
                head = large if contiguous else title
                read = partial(_path, name=name, contiguous=contiguous)
                columns.append((Column(head, prose=True), read))
    columns.append((Column(tr("KV cache"), numeric=True), lambda one: (about_size(one.kv_bytes),)))
    for tier in ("hbm", "ddr", "ssd"):
        if any(held.tier == tier for one in answers for held in one.capacities):
            title = tr("contexts in {tier}", tier=tier.upper())
            columns.append((Column(title, numeric=True), partial(_held, tier=tier)))
    if any(one.gpus for one in answers):
        title = tr("GPUs for the weights and one context")
        columns.append((Column(title, numeric=True), lambda one: (str(one.gpus or "?"),)))
    return Table(
        caption,
        tuple(column for column, _ in columns),
        tuple(tuple(cell(one) for _, cell in columns) for one in answers),
    )


def _path(one: Advice, name: str, *, contiguous: bool) -> Line:
    found = next((choice for choice in one.choices if choice.name == name), None)
    if found is None:
        return (tr("not known"),)
    if found.rate.contiguous is not contiguous:
        return ("",)  # the value is in another column: a rate of blocks is not a rate of one copy
    known = [crossover(found)] if found.flips_at is not None else []
    return (clauses([interval(found.ttft), *known]),)


def _held(one: Advice, tier: str) -> Line:
    return (next((str(held.contexts) for held in one.capacities if held.tier == tier), "?"),)
