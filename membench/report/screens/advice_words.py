"""The recommendations of `membench advise` as text and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from membench.core.messages import clauses, sentence, span, tr, tr_n
from membench.core.text import counted
from membench.core.units import about_size, format_size, significant
from membench.thesis.advise.paths import Choice, Rate, gb_per_s
from membench.thesis.advise.plan import Advice
from membench.thesis.replay.amounts import show_amount

if TYPE_CHECKING:
    from membench.thesis.tiers.plan import TierWork

SCHEMA = "membench.advice/2"

CHOICES = {
    "recompute": tr("recomputing"),
    "ddr": tr("restoring from host memory (DDR)"),
    "ssd": tr("restoring from the disk (SSD)"),
}
"""Name of a choice -> name of the way to the KV cache of a prefix, as the end of a sentence."""

_ORDERS = {
    "recompute": tr("Recompute the KV cache"),
    "ddr": tr("Restore the KV cache from host memory (DDR)"),
    "ssd": tr("Restore the KV cache from the disk (SSD)"),
}

BOUNDS = tr("Times are lower bounds; engines take longer")
"""The basis of the times, as a sentence without a full stop, because callers add a clause."""


def seconds(value: float) -> str:
    """A text such as ``82.0 ms`` or ``1.64 s``."""
    return f"{significant(value * 1e3, 3)} ms" if value < 1 else f"{significant(value, 3)} s"


def interval(rate: Rate) -> str:
    """A text such as ``1.64 s (1.60 s to 1.70 s)``: a time with the range over the rounds."""
    if rate.low == rate.high:
        return tr("{time} (a single value)", time=seconds(rate.value))
    ends = span(seconds(rate.low), seconds(rate.high))
    return tr("{value} ({range})", value=seconds(rate.value), range=ends)


def speed(choice: Choice) -> str:
    """The rate on which the time of a choice is based, in TFLOP/s or GB/s."""
    if choice.name == "recompute":
        return f"{significant(choice.rate.value / 1e12, 3)} TFLOP/s"
    return f"{significant(gb_per_s(choice.rate.value), 3)} GB/s"


def verdict(found: Advice) -> str:
    """The recommendation as a sentence."""
    best = found.best
    if best is None:
        return tr("No recommendation is possible: see the missing values.")
    second = found.choices[1]
    text = tr(
        "{what}: first token after {time}, {factor} times as fast as {other}",
        what=_ORDERS[best.name],
        time=interval(best.ttft),
        factor=significant(second.ttft.value / best.ttft.value, 2),
        other=CHOICES[second.name],
    )
    return sentence(text if found.clear else clauses((text, tr("the two ranges overlap"))))


def unfit(found: Advice) -> str:
    """A sentence if the weights and one context do not fit the GPUs.

    The text is empty if they fit, or if a size is unknown.
    """
    if found.fits is not False:
        return ""
    ranks = found.question.tp
    if found.gpus is None:
        return tr_n(
            "The weights and one context do not fit in 1 GPU, or in any power of two of GPUs that "
            "divides the attention heads. The times are still for 1 GPU.",
            "The weights and one context do not fit in {count} GPUs, or in any power of two of "
            "GPUs that divides the attention heads. The times are still for {count} GPUs.",
            ranks,
        )
    if found.weights_gpus is not None and found.weights_gpus > ranks:
        return tr_n(
            "The weights do not fit in 1 GPU; weights and one context need {needed} GPUs. The "
            "times are still for 1 GPU.",
            "The weights do not fit in {count} GPUs; weights and one context need {needed} GPUs. "
            "The times are still for {count} GPUs.",
            ranks,
            needed=found.gpus,
        )
    return tr_n(
        "The context does not fit in 1 GPU beside the weights; weights and one context need "
        "{needed} GPUs. The times are still for 1 GPU.",
        "The context does not fit in {count} GPUs beside the weights; weights and one context need "
        "{needed} GPUs. The times are still for {count} GPUs.",
        ranks,
        needed=found.gpus,
    )


def remedy(found: Advice) -> str:
    """A sentence with the options that make an unfit context (`unfit`) fit."""
    if found.gpus is None:
        return "Use a shorter context, or smaller weights (--weights)."
    if found.weights_gpus is not None and found.weights_gpus > found.question.tp:
        return f"Use enough GPUs: --tp {found.gpus}."
    return f"Use enough GPUs (--tp {found.gpus}) or a shorter context."


def crossover(choice: Choice) -> str:
    """The prefix length from which restoring is faster, and the break-even bandwidth, as text."""
    if choice.flips_at is None:
        return tr("unknown, because the time to recompute is unknown")
    if choice.crossover is None:
        where = tr("not faster than recomputing at any prefix length")
    elif choice.crossover == 1:
        where = tr("faster than recomputing at every prefix length")
    else:
        where = tr(
            "faster than recomputing for prefixes of {tokens} tokens or more",
            tokens=choice.crossover,
        )
    even = tr(
        "for this context, restoring at {rate} GB/s ({factor} times the measured rate) is as fast "
        "as recomputing",
        rate=significant(gb_per_s(choice.flips_at), 3),
        factor=significant(choice.flips_at / choice.rate.value, 3),
    )
    return clauses((where, even))


def slo(found: Advice) -> str:
    """Text with the choices that meet the limit on the time to first token; empty without one."""
    limit = found.question.slo
    if limit is None:
        return ""
    meets = [choice.name for choice in found.choices if choice.ttft.high <= limit]
    if not found.choices:
        return f"{seconds(limit)}: unknown, because no rate was measured"
    if not meets:
        return f"{seconds(limit)}: no choice with a known rate is fast enough"
    return f"{seconds(limit)}: met by {', '.join(meets)} (engines take longer)"


def facts(found: Advice) -> Iterator[tuple[str, str]]:
    """The values behind the recommendation as pairs (term, text)."""
    asked = found.question
    ranks = f", {about_size(found.rank_bytes)} a rank" if asked.tp > 1 else ""
    yield "KV cache", f"{about_size(found.kv_bytes)} for {counted(asked.context, 'token')}{ranks}"
    yield moved(found)
    if found.weight_bytes is not None:
        yield "Weights", f"{about_size(found.weight_bytes)} in {found.weights}{_need(found)}"
    yield "Precision", precision(found)
    for choice in found.choices:
        text = f"{interval(choice.ttft)} at {speed(choice)}"
        if choice.rate.contiguous:
            text += ", measured with one large copy, not with an engine's blocks"
        yield f"TTFT, {choice.name}", text
    for choice in found.choices:
        if choice.name != "recompute":
            yield f"Restore, {choice.name}", crossover(choice)
    if found.method is not None:
        yield "Copy method", method(found)
    if found.staging is not None:
        how = "to bring the context into host memory, in whole blocks of all layers"
        yield "SSD to DDR", f"{interval(found.staging)} {how}"
    for held in found.capacities:
        count = counted(held.contexts, "context")
        sizes = f"{about_size(held.usable)} of {about_size(held.bytes)}"
        yield f"Fit in {held.tier}", f"{count} in {sizes} ({held.counted})"
    if limit := slo(found):
        yield "Accepted TTFT", limit


def _need(found: Advice) -> str:
    """A text such as ``, 2 GPUs needed; 4 GPUs with one context``; empty if unknown."""
    if found.weights_gpus is None:
        return ""
    need = f", {counted(found.weights_gpus, 'GPU')} needed"
    if found.gpus is not None and found.gpus > found.weights_gpus:
        need += f"; {counted(found.gpus, 'GPU')} with one context"
    return need


def moved(found: Advice) -> tuple[str, str]:
    """A pair (term, text) about the pieces of a KV block.

    If the model has no blocks, the pair is about its state.
    """
    asked = found.question
    pieces = f"{counted(found.piece.number, 'piece')} of {format_size(found.piece.bytes)}"
    if asked.model.shape.groups:
        return (
            "One block",
            f"{asked.block_tokens} tokens are {pieces} per rank ({asked.layout} layout)",
        )
    return "State", f"{pieces} per rank ({asked.layout} layout), for any context length"


def precision(found: Advice) -> str:
    weights = f"weights in {found.weights}" if found.weights else "precision of weights unknown"
    words = {"assumed": "at the assumed rate", "": "not measured"}
    how = words.get(found.arithmetic, f"in {found.arithmetic}")
    return f"{weights}, KV in {found.question.dtype}, recomputing {how}"


def method(found: Advice) -> str:
    """The fastest copy method for the pieces of the model's KV cache, with the rate.

    If `Method.enough` is larger than `Method.block`, the text also has the rate at
    `Method.enough`.
    """
    best = found.method
    assert best is not None
    piece = found.piece.bytes
    basis = ""
    if best.block < piece:
        basis = f" (the largest measured size below a piece of {format_size(piece)})"
    elif best.block > piece:
        basis = f" (the smallest measured size; a piece has {format_size(piece)})"
    rate = significant(best.row.value or 0.0, 3)
    text = f"{best.name}, {rate} GB/s with blocks of {format_size(best.block)}{basis}"
    if best.enough > best.block:
        text += (
            f"; blocks of {format_size(best.enough)} reach "
            f"{significant(best.enough_row.value or 0.0, 3)} GB/s"
        )
    return text


def plan_rows(plan: TierWork) -> Iterator[tuple[str, ...]]:
    """For each tier: name, capacity, hit rate, GB/s read and written, TB/day, DWPD, drives."""
    for tier in plan.tiers:
        drives = "" if tier.drives is None else f"{tier.drives} ({tier.decided_by})"
        yield (
            tier.name,
            show_amount(tier.capacity_bytes),
            f"{100 * tier.hit_rate:.1f} %",
            significant(tier.read_per_s / 1e9, 3),
            significant(tier.written_per_s / 1e9, 3),
            significant(tier.written_per_day / 1e12, 3),
            "" if tier.dwpd is None else significant(tier.dwpd, 3),
            drives,
        )


def to_json(
    answers: Sequence[Advice],
    plan: TierWork | None,
    lines: Sequence[Mapping[str, Sequence[str]]],
) -> dict[str, Any]:
    """The document with the schema `SCHEMA`, in bytes, seconds, B/s and FLOP/s.

    An absent value is None.

    Args:
        lines: for each answer, the settings of each engine.
    """
    return {
        "schema": SCHEMA,
        "answers": [
            {**_answer(one), "engine_lines": {engine: list(several) for engine, several in own}}
            for one, own in zip(answers, (each.items() for each in lines), strict=True)
        ],
        "plan": None if plan is None else asdict(plan),
    }


def _answer(found: Advice) -> dict[str, Any]:
    def span(rate: Rate) -> dict[str, Any]:
        return {"low": rate.low, "value": rate.value, "high": rate.high}

    asked = found.question
    return {
        "machine": found.machine,
        "device": found.device,
        "model": asked.model.slug,
        "context_tokens": asked.context,
        "block_tokens": asked.block_tokens,
        "kv_dtype": str(asked.dtype),
        "tp": asked.tp,
        "layout": str(asked.layout),
        "kv_bytes": found.kv_bytes,
        "kv_bytes_rank": found.rank_bytes,
        "weight_bytes": found.weight_bytes,
        "weights": found.weights or None,
        "arithmetic": found.arithmetic or None,
        "gpus_for_weights": found.weights_gpus,
        "gpus_needed": found.gpus,
        "fits": found.fits,
        "piece": {"bytes": found.piece.bytes, "number": found.piece.number},
        "best": found.best.name if found.best else None,
        "clear": found.clear,
        "choices": [
            {
                "name": choice.name,
                "ttft_s": span(choice.ttft),
                "rate": span(choice.rate),
                "crossover_tokens": choice.crossover,
                "break_even_bytes_per_s": choice.flips_at,
                "contiguous": choice.rate.contiguous,
                "cases": list(dict.fromkeys(row.case for row in choice.rate.rows)),
            }
            for choice in found.choices
        ],
        "copy_method": found.method
        and {
            "name": found.method.name,
            "block_bytes": found.method.block,
            "case": found.method.row.case,
            "enough_block_bytes": found.method.enough,
        },
        "ssd_to_ddr_s": found.staging and span(found.staging),
        "contexts": {held.tier: held.contexts for held in found.capacities},
        "usable_bytes": {held.tier: held.usable for held in found.capacities},
        "slo_ttft_s": asked.slo,
        "badges": [str(badge) for badge in found.badges],
        "missing": list(found.missing),
        "notes": list(found.notes),
    }
