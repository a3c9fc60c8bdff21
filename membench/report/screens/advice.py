"""Print the output of `membench advise`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from membench.core.text import counted
from membench.core.units import about_size, significant
from membench.report.screens.advice_words import BOUNDS, facts, plan_rows, remedy, unfit, verdict
from membench.report.screens.console import Screen, say
from membench.report.screens.styled import Styled
from membench.report.screens.text_table import TextTable, print_facts, print_table
from membench.thesis.advise.plan import Advice
from membench.thesis.claims.badge_words import BADGE_MEANING
from membench.thesis.models.catalogue import Model
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token, constant_bytes
from membench.thesis.replay.amounts import show_amount

if TYPE_CHECKING:
    from membench.thesis.tiers.plan import Drive, TierWork


def print_advice(screen: Screen, found: Advice) -> None:
    """Print the recommendation, then the underlying values, then the missing values."""
    asked = found.question
    where = f" on {found.machine}" if found.machine else ""
    device = f" ({found.device})" if found.device else ""
    say(
        screen,
        f"{asked.model.name}, {counted(asked.context, 'token')}, KV in {asked.dtype}, "
        f"TP {asked.tp}{where}{device}",
        "bold",
    )
    if text := unfit(found):
        screen.print(Styled(f"{text} {remedy(found)}", "bold red"))
    for badge in found.badges:
        say(screen, f"[{badge}] {BADGE_MEANING[badge]}")
    screen.print(Styled(verdict(found), "bold"))
    for note in found.notes:
        screen.print(Styled(f"Note: {note}."))
    screen.print()
    print_facts(screen, facts(found), "dim")
    screen.print()
    screen.print(
        Styled(f"{BOUNDS}. Ranges go from the lowest to the highest value of the rounds.", "dim")
    )
    if found.missing:
        screen.print(Styled("Missing values:", "bold"))
        for line in found.missing:
            say(screen, line, indent=2)


def print_plan(screen: Screen, plan: TierWork) -> None:
    """Print the planned tiers: capacity, hit rate, load, wear and number of drives."""
    from rich.table import Table

    drive = plan.drive
    screen.print()
    screen.print(
        Styled(
            f"Tiers for {plan.source}: {significant(plan.requests_per_s, 3)} requests/s of "
            f"{plan.tokens_per_request:,.0f} tokens",
            "bold",
        )
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier", no_wrap=True)
    flash = any(tier.drives is not None for tier in plan.tiers)
    titles = ["capacity", "hit rate", "read GB/s", "written GB/s", "TB/day"]
    for title in [*titles, "DWPD"] if flash else titles:
        table.add_column(title, justify="right")
    if flash:
        table.add_column("drives")
    for cells in plan_rows(plan):
        table.add_row(*cells[: len(table.columns)])
    screen.print(table)
    if flash:
        _print_drive(screen, drive)
    for note in plan.notes:
        screen.print(Styled(f"Note: {note}."))


def _print_drive(screen: Screen, drive: Drive) -> None:
    rates = [
        f"{name} {significant(rate / 1e9, 3)} GB/s"
        for name, rate in (("reads", drive.read_per_s), ("writes", drive.write_per_s))
        if rate
    ]
    measured = f", {', '.join(rates)} (measured here)" if rates else ", with unknown rates"
    screen.print(
        Styled(
            f"One drive: {show_amount(drive.capacity_bytes)}, rated for {drive.dwpd:g} DWPD "
            f"(drive writes per day){measured}.",
            "dim",
        )
    )


def print_lines(screen: Screen, lines: Mapping[str, Sequence[str]], found: Advice) -> None:
    """Print the settings for each engine, or the reason why ``found`` allows no setting."""
    screen.print()
    if not lines:
        why = f"the weights and one context do not fit in {counted(found.question.tp, 'GPU')}"
        if found.best is None:
            why = "no recommendation is possible"
        screen.print(Styled(f"There are no settings for engines, because {why}."))
        return
    screen.print(Styled("Settings of the engines", "bold"))
    for engine, several in lines.items():
        screen.print(Styled(engine, "dim"))
        for line in several:
            screen.print(Styled(f"  {line}"), soft_wrap=True)


def print_models(screen: Screen, known: Iterable[Model]) -> None:
    titles = ("parameters", "precision", "size", "KV per token, fp16", "constant state")
    head = ("model", *titles, "on Hugging Face")
    print_table(screen, TextTable(None, head, tuple(map(_model_cells, known))))
    screen.print("For any other model, give --model the path of a config.json.", style="dim")


def _model_cells(model: Model) -> tuple[str, ...]:
    weights = model.parameters
    constant = constant_bytes(model.shape, KvDtype.FP16)
    return (
        model.slug,
        "" if weights is None else f"{significant(weights.total / 1e9, 3)} B",
        "" if model.weights is None else model.weights.label,
        "" if model.weights is None else show_amount(model.weights.stored),
        about_size(bytes_per_token(model.shape)),
        about_size(constant) if constant else "",
        model.ids[0] if model.ids else "",
    )
