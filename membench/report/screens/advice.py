"""Prints the output of `membench advise`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.units import about_size, significant
from membench.report.screens.advice_words import BOUNDS, facts, plan_rows, verdict
from membench.report.screens.console import is_terminal
from membench.thesis.advise.plan import Advice
from membench.thesis.claims.wording import BADGE_MEANING
from membench.thesis.models.catalogue import Model
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token, constant_bytes
from membench.thesis.replay.amounts import show_amount
from membench.thesis.tiers.plan import TierWork


def print_advice(console: Console, found: Advice) -> None:
    """Print the advice, then the facts it is based on, then the missing values."""
    asked = found.question
    where = f" on {found.machine}" if found.machine else ""
    device = f" ({found.device})" if found.device else ""
    console.print(
        Text(
            f"{asked.model.name}, {asked.context} tokens, KV in {asked.dtype}, "
            f"TP {asked.tp}{where}{device}",
            "bold",
        ),
        soft_wrap=not is_terminal(),
    )
    for badge in found.badges:
        console.print(Text(f"[{badge}] {BADGE_MEANING[badge]}"), soft_wrap=True)
    console.print(Text(verdict(found), "bold"))
    for note in found.notes:
        console.print(Text(f"Note: {note}."))
    console.print()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for term, text in facts(found):
        table.add_row(Text(term, "dim"), Text(text))
    console.print(table)
    console.print()
    console.print(Text(f"{BOUNDS}; ranges are those of the rounds.", "dim"))
    if found.missing:
        console.print(Text("Not known:", "bold"))
        for line in found.missing:
            console.print(Text(f"  {line}"), soft_wrap=not is_terminal())


def print_plan(console: Console, plan: TierWork) -> None:
    """Print the planned tiers: size, load, wear, and number of drives."""
    drive = plan.drive
    console.print()
    console.print(
        Text(
            f"Tiers for {plan.source}: {significant(plan.requests_per_s, 3)} requests/s of "
            f"{plan.tokens_per_request:,.0f} tokens",
            "bold",
        )
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier", no_wrap=True)
    for title in ("capacity", "hit rate", "read GB/s", "written GB/s", "TB/day", "DWPD"):
        table.add_column(title, justify="right")
    table.add_column("drives")
    for cells in plan_rows(plan):
        table.add_row(*cells)
    console.print(table)
    rates = [
        f"{name} {significant(rate / 1e9, 3)} GB/s"
        for name, rate in (("reads", drive.read_per_s), ("writes", drive.write_per_s))
        if rate
    ]
    measured = f", {', '.join(rates)} as measured here" if rates else ", with unknown rates"
    console.print(
        Text(
            f"Drives are counted as {show_amount(drive.capacity_bytes)} rated {drive.dwpd:g} "
            f"drive writes per day{measured}.",
            "dim",
        )
    )
    for note in plan.notes:
        console.print(Text(f"Note: {note}."))


def print_lines(console: Console, lines: Mapping[str, Sequence[str]]) -> None:
    """Print the settings for each engine."""
    console.print()
    console.print(Text("To set", "bold"))
    for engine, several in lines.items():
        console.print(Text(engine, "dim"))
        for line in several:
            console.print(Text(f"  {line}"), soft_wrap=True)


def print_models(console: Console, known: Iterable[Model]) -> None:
    """Print the model names for ``--model``."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", no_wrap=True)
    for title in ("weights", "held in", "stored", "KV a token, fp16", "constant"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("on Hugging Face", overflow="fold")
    for model in known:
        weights = model.parameters
        constant = constant_bytes(model.shape, KvDtype.FP16)
        table.add_row(
            model.slug,
            "" if weights is None else f"{significant(weights.total / 1e9, 3)} B",
            "" if model.weights is None else model.weights.label,
            "" if model.weights is None else show_amount(model.weights.stored),
            about_size(bytes_per_token(model.shape)),
            about_size(constant) if constant else "",
            model.ids[0] if model.ids else "",
        )
    console.print(table)
    console.print("Name any other model by the path of its config.json.", style="dim")
