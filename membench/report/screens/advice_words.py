"""Advice as text and as data, the same on the screen, on the page and in `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from membench.core.messages import clauses, sentence, span, tr, tr_n
from membench.core.text import counted
from membench.core.units import about_size, format_size, significant
from membench.thesis.advise.paths import Choice, Rate, gb_per_s
from membench.thesis.advise.plan import Advice
from membench.thesis.replay.amounts import show_amount
from membench.thesis.tiers.plan import TierWork

CHOICES = {
    "recompute": tr("recompute it"),
    "ddr": tr("restore it from host memory (DDR)"),
    "ssd": tr("restore it from the disk (SSD)"),
}
"""Choice -> the instruction for a serving engine."""

_ORDERS = {
    "recompute": tr("Recompute it"),
    "ddr": tr("Restore it from host memory (DDR)"),
    "ssd": tr("Restore it from the disk (SSD)"),
}

BOUNDS = tr(
    "Times are lower bounds from the measured rates of the largest measured block that fits in a "
    "piece; engines take longer"
)
"""The basis of the times, as a sentence; the source of their ranges is added to it."""


def seconds(value: float) -> str:
    """``82.0 ms``, ``1.64 s``."""
    return f"{significant(value * 1e3, 3)} ms" if value < 1 else f"{significant(value, 3)} s"


def interval(rate: Rate) -> str:
    """A time with its range over the rounds."""
    if rate.low == rate.high:
        return tr("{time} (a single value)", time=seconds(rate.value))
    ends = span(seconds(rate.low), seconds(rate.high))
    return tr("{value} ({range})", value=seconds(rate.value), range=ends)


def speed(choice: Choice) -> str:
    """The rate that a choice is based on, with its unit."""
    if choice.name == "recompute":
        return f"{significant(choice.rate.value / 1e12, 3)} TFLOP/s"
    return f"{significant(gb_per_s(choice.rate.value), 3)} GB/s"


def verdict(found: Advice) -> str:
    """The recommendation as a sentence."""
    best = found.best
    if best is None:
        return tr("No choice is possible: see the missing values.")
    second = found.choices[1]
    text = tr(
        "{what}: first token after {time} at that rate, {factor} times faster than to {other}",
        what=_ORDERS[best.name],
        time=interval(best.ttft),
        factor=significant(second.ttft.value / best.ttft.value, 2),
        other=CHOICES[second.name],
    )
    return sentence(text if found.clear else clauses((text, tr("their ranges overlap"))))


def unfit(found: Advice) -> str:
    """That the weights do not fit the requested ranks; empty if they do, or if that is unknown."""
    if found.fits is not False:
        return ""
    return tr_n(
        "Does not fit 1 GPU: the weights need {needed}. Times are for 1 GPU all the same.",
        "Does not fit {count} GPUs: the weights need {needed}. Times are for {count} all the same.",
        found.question.tp,
        needed=found.gpus,
    )


def crossover(choice: Choice) -> str:
    """The prefix length from which restoring is faster, and the break-even bandwidth."""
    if choice.flips_at is None:
        return tr("unknown: the rate of recomputing was not measured")
    if choice.crossover is None:
        where = tr("never faster")
    elif choice.crossover == 1:
        where = tr("faster at every prefix length")
    else:
        where = tr("faster from {tokens} tokens on", tokens=choice.crossover)
    even = tr(
        "break-even at this context is {rate} GB/s (x{factor} of the measured rate)",
        rate=significant(gb_per_s(choice.flips_at), 3),
        factor=significant(choice.flips_at / choice.rate.value, 3),
    )
    return clauses((where, even))


def slo(found: Advice) -> str:
    """Whether the limit on the time to first token can be met; empty if there is no limit."""
    limit = found.question.slo
    if limit is None:
        return ""
    meets = [choice.name for choice in found.choices if choice.ttft.high <= limit]
    if not found.choices:
        return f"{seconds(limit)}: not known"
    if not meets:
        return f"{seconds(limit)}: no method here meets it"
    return f"{seconds(limit)}: met by {', '.join(meets)} (engines take longer than these rates)"


def facts(found: Advice) -> Iterator[tuple[str, str]]:
    """Pairs of term and text, in reading order."""
    asked = found.question
    ranks = f", {about_size(found.rank_bytes)} a rank" if asked.tp > 1 else ""
    yield "KV cache", f"{about_size(found.kv_bytes)} for {counted(asked.context, 'token')}{ranks}"
    yield moved(found)
    if found.weight_bytes is not None:
        need = "" if found.gpus is None else f", {counted(found.gpus, 'GPU')} needed"
        yield "Weights", f"{about_size(found.weight_bytes)} in {found.weights}{need}"
    yield "Precision", precision(found)
    for choice in found.choices:
        text = f"{interval(choice.ttft)} at {speed(choice)}"
        if choice.rate.contiguous:
            text += ", the rate of one large copy, not of an engine's blocks"
        yield f"TTFT, {choice.name}", text
    for choice in found.choices:
        if choice.name != "recompute":
            yield f"Restore, {choice.name}", crossover(choice)
    if found.method is not None:
        yield "Copy method", method(found)
    if found.staging is not None:
        yield "SSD to DDR", f"{interval(found.staging)} to bring the context into host memory"
    for held in found.capacities:
        count = counted(held.contexts, "context")
        sizes = f"{about_size(held.usable)} of {about_size(held.bytes)}"
        yield f"Fit in {held.tier}", f"{count} in {sizes} ({held.counted})"
    if limit := slo(found):
        yield "Accepted TTFT", limit


def moved(found: Advice) -> tuple[str, str]:
    """Term and text for the unit of a copy: a block, or a state if the model has no blocks."""
    asked = found.question
    pieces = f"{counted(found.piece.number, 'piece')} of {format_size(found.piece.bytes)}"
    if asked.model.shape.groups:
        return "One block", f"{asked.block_tokens} tokens are {pieces} on a rank ({asked.layout})"
    return "State", f"{pieces} on a rank ({asked.layout}), whatever the context"


def precision(found: Advice) -> str:
    """Weights, cache and arithmetic in one line."""
    weights = f"weights in {found.weights}" if found.weights else "weights not known"
    words = {"assumed": "at the assumed rate", "": "not measured"}
    how = words.get(found.arithmetic, f"in {found.arithmetic}")
    return f"{weights}, KV in {found.question.dtype}, recomputing {how}"


def method(found: Advice) -> str:
    """Fastest copy method for the pieces of the model, and a block size that is large enough."""
    best = found.method
    assert best is not None
    text = (
        f"{best.name} at {format_size(best.block)}: "
        f"{significant(best.row.value or 0.0, 3)} GB/s (measured nearest to the piece)"
    )
    if best.enough > best.block:
        text += (
            f"; blocks of {format_size(best.enough)} reach "
            f"{significant(best.enough_row.value or 0.0, 3)} GB/s"
        )
    return text


def plan_json(plan: TierWork) -> dict[str, Any]:
    """The plan in SI units: bytes, bytes per second, bytes per day."""
    return asdict(plan)


def plan_rows(plan: TierWork) -> Iterator[tuple[str, ...]]:
    """Cells of a tier: name, capacity, hit rate, read and write GB/s, TB per day, DWPD, drives."""
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


def to_json(found: Advice) -> dict[str, Any]:
    """``found`` as plain values in SI units: bytes, seconds, bytes or FLOPs per second."""

    def span(rate: Rate) -> dict[str, Any]:
        return {"low": rate.low, "value": rate.value, "high": rate.high}

    asked = found.question
    return {
        "schema": "membench.advice/1",
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
