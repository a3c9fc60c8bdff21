"""Print the results of `membench replay` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.text import counted
from membench.core.units import about_size, significant
from membench.thesis.models.economics import Shares
from membench.thesis.replay.amounts import show_amount
from membench.thesis.replay.answer import CachePoint, PolicyPoint, Replayed

_NAMES = {60.0: "1 min", 120.0: "2 min", 300.0: "5 min", 900.0: "15 min", 3600.0: "1 h"}


def print_replay(console: Console, results: Sequence[Replayed]) -> None:
    for number, result in enumerate(results):
        if number:
            console.print()
        _print_facts(console, result)
        console.print(_curve(result))
        if result.policies:
            console.print()
            console.print(Text("Other cache policies", "bold"))
            console.print(_policies(result))
        if result.tiers:
            console.print()
            console.print(Text("Tiers (a request touches its blocks in every tier)", "bold"))
            console.print(_tiers(result))
        if result.reread:
            console.print()
            unit = "object" if result.block_tokens is None else "token"
            console.print(
                Text(
                    f"Time between two uses: shares of the {unit}s, and of the idle time of all "
                    f"{unit}s",
                    "bold",
                )
            )
            console.print(_gaps(result))
    console.print()
    for line in _legend(results):
        console.print(Text(line, "dim"))
    console.print(
        Text(
            "A block is a hit if this block and all earlier blocks of the request are in the "
            "cache before the request. The whole traffic of a service needs a larger cache than "
            "a trace with a sample of this traffic.",
            "dim",
        )
    )


def _legend(results: Sequence[Replayed]) -> Iterator[str]:
    """Lines that explain columns of the tables."""
    points: list[CachePoint | PolicyPoint] = []
    for one in results:
        points += (*one.points, *one.policies)
    for name, meaning in _MEANINGS.items():
        if any(_value(point, name) for point in points):
            yield f"{_EXTRA[name]}: {meaning}"
    if any(one.reread for one in results):
        yield (
            "gap: the time between two uses of the same data; read again: the data that later "
            "requests would read from an unlimited cache"
        )
    if any(one.resting for one in results):
        yield (
            "context: the prompt and the answer of a request, which are idle until the next "
            "request of the session"
        )
    if any(one.reread for one in results):
        yield (
            "traffic: the share of the data with a gap in the range; residency: the share of "
            "the idle time of all data (data times gap) in the range"
        )


def _print_facts(console: Console, result: Replayed) -> None:
    console.print(Text(result.trace, "bold"))
    what = "sessions" if result.sessions else "requests"
    order = "one session after another" if result.sessions else "in the order of the file"
    if result.seed is not None:
        rate = result.arrivals.partition(":")[2]
        order = f"{what} start at random, {rate} a second, seed {result.seed}"
    if not result.timed:
        order += "; the trace has no times"
    blocks = "objects without tokens"
    if result.block_tokens is not None:
        blocks = f"blocks of {counted(result.block_tokens, 'token')}"
    console.print(
        Text(
            f"{counted(result.requests, 'request', ',')}, "
            f"{counted(result.references, 'reference', ',')} to {blocks} in "
            f"{counted(result.runs, 'range', ',')} of consecutive ids"
        )
    )
    console.print(Text(f"arrivals: {order}"))
    if result.full_blocks_only:
        console.print(
            Text("the trace has ids only for whole blocks, not for the last tokens of a request")
        )
    if result.warmup_s is not None:
        console.print(
            Text(f"the warm hit rate counts only requests after the first {_time(result.warmup_s)}")
        )
    if result.block_bytes is not None:
        console.print(
            Text(
                f"one block of {result.model} in {result.dtype} has "
                f"{about_size(result.block_bytes)} on average, including windows and recurrent "
                "state"
            )
        )


def _curve(result: Replayed) -> Table:
    table = _table()
    table.add_column("blocks", justify="right", no_wrap=True)
    tokens = result.block_tokens or 0
    if tokens:
        table.add_column("tokens", justify="right", no_wrap=True)
    if result.model is not None:
        heading = Text(f"GB {result.model} {result.dtype}", overflow="fold")
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("hit rate", justify="right", no_wrap=True)
    extra = [name for name in _EXTRA if any(_value(point, name) for point in result.points)]
    for name in extra:
        table.add_column(_EXTRA[name], justify="right")
    for point in result.points:
        cells = ["inf", *([""] if tokens else [])]
        if point.capacity is not None:
            held = [f"{point.capacity * tokens:,}"] if tokens else []
            cells = [f"{point.capacity:,}", *held]
        if result.model is not None:
            gigabytes = point.gigabytes if point.capacity is not None else None
            cells.append("" if gigabytes is None else significant(gigabytes, 3))
        table.add_row(*cells, f"{point.hit_rate:.6f}", *(_value(point, name) for name in extra))
    return table


_EXTRA = {
    "token_hit_rate": "by tokens",
    "warm_hit_rate": "warm",
    "full_after_s": "full after",
    "written_per_day": "written TB/day",
    "dwpd": "DWPD if flash",
}


_MEANINGS = {
    "token_hit_rate": "the share of tokens, not of blocks, that hit; the last block of a "
    "request can have fewer tokens",
    "full_after_s": "the time until the cache is full",
    "dwpd": "drive writes per day of a drive of this capacity",
}
_MOST_DWPD = 100  # above the endurance of every drive


def _value(point: CachePoint | PolicyPoint, name: str) -> str:
    value = getattr(point, name, None)
    if value is None:
        return ""
    if name == "full_after_s":
        return _time(round(float(value), 1))
    if name == "written_per_day":
        return significant(float(value) / 1e12, 3)
    return _dwpd(float(value)) if name == "dwpd" else f"{value:.6f}"


def _dwpd(value: float) -> str:
    return f"> {_MOST_DWPD}" if value > _MOST_DWPD else significant(value, 3)


def _policies(result: Replayed) -> Table:
    table = _table()
    for title in ("rule", "blocks", "hit rate"):
        table.add_column(title, justify="left" if title == "rule" else "right", no_wrap=True)
    shown = [name for name in _EXTRA if any(_value(point, name) for point in result.policies)]
    for name in shown:
        table.add_column(_EXTRA[name], justify="right")
    for point in result.policies:
        cells = [point.policy, f"{point.capacity:,}", f"{point.hit_rate:.6f}"]
        table.add_row(*cells, *(_value(point, name) for name in shown))
    return table


def _tiers(result: Replayed) -> Table:
    table = _table()
    table.add_column("tier", no_wrap=True)
    for title in ("capacity", "blocks", "hit rate"):
        table.add_column(title, justify="right", no_wrap=True)
    heads = ["read GB/s", "written GB/s", "written TB/day", "GB resident"]
    flash = any(one.dwpd is not None for one in result.tiers)
    heads += ["DWPD"] if flash else []
    timed = any(one.read_per_s is not None for one in result.tiers)
    for title in heads if timed else ():
        table.add_column(title, justify="right")
    for one in result.tiers:
        size, blocks = show_amount(one.capacity_bytes), f"{one.capacity_blocks:,}"
        cells = [one.name, size, blocks, f"{one.hit_rate:.6f}"]
        rates = (
            _scaled(one.read_per_s, 1e9),
            _scaled(one.written_per_s, 1e9),
            _scaled(one.written_per_day, 1e12),
            _scaled(one.mean_gigabytes, 1),
            *(("" if one.dwpd is None else _dwpd(one.dwpd),) if flash else ()),
        )
        table.add_row(*cells, *(rates if timed else ()))
    return table


def _scaled(value: float | None, unit: float) -> str:
    return "" if value is None else significant(value / unit, 3)


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
    return f"{_time(band.low)} to {_time(band.high)}" if band.low else f"<= {_time(band.high)}"


def _time(seconds: float) -> str:
    return "1 day" if seconds == 86400 else _NAMES.get(seconds, f"{seconds:g} s")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
