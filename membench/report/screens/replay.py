"""Replayed traces on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.units import significant
from membench.thesis.models.economics import Shares
from membench.thesis.replay.answer import Replayed

_NAMES = {60.0: "1 min", 120.0: "2 min", 300.0: "5 min", 900.0: "15 min", 3600.0: "1 h"}


def print_replay(console: Console, results: Sequence[Replayed]) -> None:
    """A curve a trace, and how long its cache rests between uses."""
    for number, result in enumerate(results):
        if number:
            console.print()
        _print_facts(console, result)
        console.print(_curve(result))
        console.print()
        console.print(Text("Time between two uses, share of tokens and of token-seconds", "bold"))
        console.print(_gaps(result))
    console.print()
    console.print(
        Text(
            "Hits are judged before a request changes the cache, and count up to its first"
            " missing block. A trace that is a sample of the traffic understates the"
            " capacity that all of it needs.",
            "dim",
        )
    )


def _print_facts(console: Console, result: Replayed) -> None:
    console.print(Text(result.trace, "bold"))
    what = "sessions" if result.sessions else "requests"
    order = "one session after the other" if result.sessions else "in the order of the file"
    if result.seed is not None:
        rate = result.arrivals.partition(":")[2]
        order = f"{what} start at random, {rate} a second, seed {result.seed}"
    console.print(
        Text(
            f"{result.requests:,} requests, {result.references:,} references to blocks of"
            f" {result.block_tokens} tokens, {result.runs:,} runs"
        )
    )
    console.print(Text(f"arrivals: {order}"))


def _curve(result: Replayed) -> Table:
    table = _table()
    table.add_column("blocks", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    if result.model is not None:
        heading = Text(f"GB {result.model} {result.dtype}", overflow="fold")
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("hit rate", justify="right", no_wrap=True)
    for point in result.points:
        cells = ["inf", ""]
        if point.capacity is not None:
            cells = [f"{point.capacity:,}", f"{point.capacity * result.block_tokens:,}"]
        if result.model is not None:
            held = point.gigabytes if point.capacity is not None else None
            cells.append("" if held is None else significant(held, 3))
        table.add_row(*cells, f"{point.hit_rate:.6f}")
    return table


def _gaps(result: Replayed) -> Table:
    table = _table()
    table.add_column("gap", no_wrap=True)
    for kind in ("read again", *(["context"] if result.resting else [])):
        table.add_column(f"{kind}: traffic", justify="right")
        table.add_column("residency", justify="right")
    resting: Sequence[Shares | None] = result.resting or [None] * len(result.reread)
    for again, whole in zip(result.reread, resting, strict=True):
        cells = [_share(again.traffic), _share(again.residency)]
        if whole is not None:
            cells += [_share(whole.traffic), _share(whole.residency)]
        table.add_row(_span(again), *cells)
    return table


def _span(band: Shares) -> str:
    if band.high == float("inf"):
        return f"> {_time(band.low)}"
    return f"<= {_time(band.high)}"


def _time(seconds: float) -> str:
    return "1 day" if seconds == 86400 else _NAMES.get(seconds, f"{seconds:g} s")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
