"""Say in one sentence how a machine should get a KV cache back when it serves a model.

The machine can restore the cache from DDR, restore it from SSD, or recompute it.
"""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import clauses, listed, tr
from membench.core.snapshot import Machine
from membench.report.screens.advice_words import seconds
from membench.results.schema import Row
from membench.thesis.advise.plan import Advice, Question, advise, usual_block
from membench.thesis.claims.assumptions import Assumptions, assumptions
from membench.thesis.claims.wording import worn_text
from membench.thesis.models.catalogue import models

LARGE, SMALL = "llama-3.1-70b", "llama-3.1-8b"
"""The usual model, and the model for machines whose GPUs are too small for the usual model."""
CONTEXT = 32768
_RANKS = (1, 2, 4, 8)

_RESTORED = {
    "ddr": tr("restored from DDR in {time}"),
    "ssd": tr("restored from SSD in {time}"),
    "recompute": tr("recomputed in {time}"),
}
_LACKING = {
    "ddr": tr("restoring from DDR"),
    "ssd": tr("restoring from SSD"),
    "recompute": tr("recomputing"),
}
_ORDERS = {
    "ddr": tr("keep the KV cache in DDR"),
    "ssd": tr("keep the KV cache on SSD"),
    "recompute": tr("recompute the KV cache"),
}


def serving(
    rows: Sequence[Row], machine: Machine | None, entries: Assumptions | None = None
) -> Advice:
    """The advice for the model `LARGE` on the fewest GPUs (1, 2, 4 or 8) that are enough.

    If it is unknown how many GPUs the weights and the context need, the advice is for one GPU. If
    the machine has too few GPUs, the advice is for the model `SMALL` on one GPU.
    """
    known = assumptions() if entries is None else entries
    count = len(machine.gpus.devices) if machine is not None else 1

    def asked(slug: str, ranks: int) -> Advice:
        model = models()[slug]
        block = usual_block(model)
        question = Question(model=model, context=CONTEXT, block_tokens=block, tp=ranks)
        return advise(question, rows, machine, known)

    large = asked(LARGE, 1)
    if large.gpus is None or large.gpus == 1:
        return large
    ranks = next((one for one in _RANKS if large.gpus <= one <= count), None)
    return asked(SMALL, 1) if ranks is None else asked(LARGE, ranks)


def serving_sentence(found: Advice) -> str:
    """Text such as ``KV cache of Llama 3.1 70B at 32k tokens: restored from DDR in 200 ms``."""
    known = {choice.name: choice for choice in found.choices}
    told = [
        tr(form.msgid, time=seconds(known[name].ttft.value))
        for name, form in _RESTORED.items()
        if name in known
    ]
    if {"ddr", "ssd"} <= known.keys():  # write "restored" once
        told[1] = tr("from SSD in {time}", time=seconds(known["ssd"].ttft.value))
    if "ssd" not in known and found.staging is not None:
        told.append(tr("brought from SSD to DDR in {time}", time=seconds(found.staging.value)))
    lacking = [text for name, text in _LACKING.items() if name not in known]
    parts = [listed(told)] if told else []
    if lacking:
        parts.append(tr("not measured: {what}", what=listed(lacking)))
    model, tokens = found.question.model.name, f"{CONTEXT // 1024}k"
    about = tr("KV cache of {model} at {tokens} tokens", model=model, tokens=tokens)
    if found.question.tp > 1:
        about = tr("{about} on {count} GPUs", about=about, count=found.question.tp)
    if found.badges:
        about = tr("{before} {item}", before=about, item=worn_text(found.badges))
    text = tr("{about}: {parts}", about=about, parts=clauses(parts))
    if found.best is None:
        return text
    order = _ORDERS[found.best.name]
    if not found.clear:
        order = tr("{order} (the ranges overlap)", order=order)
    return tr("{text}; best: {order}", text=text, order=order)
