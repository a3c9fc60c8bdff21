"""`membench advise` on a screen."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.units import about_size, significant
from membench.report.screens.advice_words import BOUNDS, facts, verdict
from membench.report.screens.console import is_terminal
from membench.thesis.advise.plan import Advice
from membench.thesis.claims.wording import BADGE_MEANING
from membench.thesis.models.catalogue import Model
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token, constant_bytes


def print_advice(console: Console, found: Advice) -> None:
    """The answer first, what it stands on, then what is missing."""
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
        console.print(f"\\[{badge}] {BADGE_MEANING[badge]}", soft_wrap=True)
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


def print_models(console: Console, known: Iterable[Model]) -> None:
    """The names that ``--model`` takes."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", no_wrap=True)
    for title in ("weights", "KV a token, fp16", "constant"):
        table.add_column(title, no_wrap=True, justify="right")
    for model in known:
        weights = model.parameters
        constant = constant_bytes(model.shape, KvDtype.FP16)
        table.add_row(
            model.slug,
            "" if weights is None else f"{significant(weights.total / 1e9, 3)} B",
            about_size(bytes_per_token(model.shape)),
            about_size(constant) if constant else "",
        )
    console.print(table)
    console.print("Any other by the path of its config.json.", style="dim")
