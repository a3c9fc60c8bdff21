"""The command `membench replay`: replays request traces, and prints the hit rates of caches."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

from membench.cli import completion
from membench.cli.kv_options import TIME_FORMS, kv_dtype, parse_seconds, parse_tiers
from membench.cli.mistakes import BadValue
from membench.cli.ranges import Tokens

if TYPE_CHECKING:
    from membench.thesis.replay.answer import TierAsked
    from membench.thesis.replay.policies import CachePolicy

_MOST_BLOCKS = 10**15


def _capacities(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """Parse capacities, separated by commas, into (blocks, bytes, shares of all hits).

    ``10000`` is a number of blocks, and ``80GB`` is a size in bytes. ``80%`` becomes 0.8, and means
    the smallest capacity with 80 % of all possible hits.
    """
    from membench.core.errors import UsageError
    from membench.thesis.replay.amounts import parse_amount

    blocks: list[int] = []
    sizes: list[float] = []
    shares: list[float] = []
    for word in value.split(",") if value is not None else ():
        text = word.strip()
        if text.isascii() and text.isdigit() and 0 < int(text[:20]) <= _MOST_BLOCKS:
            blocks.append(int(text))
            continue
        if (match := re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?) ?%", text)) is not None:
            shares.append(float(match[1]) / 100)
            if 0 < shares[-1] <= 1:
                continue
        try:
            sizes.append(parse_amount(text))
        except UsageError:
            message = f"'{text:.40}' is not a number of blocks, a size or a percentage"
            hint = f"write a number from 1 to {_MOST_BLOCKS}, a size (80GB) or a percentage (80%)"
            raise BadValue(message, ctx, param, hint) from None
    return tuple(blocks), tuple(sizes), tuple(shares)


def _arrivals(ctx: click.Context, param: click.Parameter, value: str) -> float | None:
    """The rate of random arrivals in 1/s from `--arrivals`; None for the times in the trace."""
    if value == "file":
        return None
    kind, _, text = value.partition(":")
    try:
        rate = float(text) if kind == "poisson" else math.nan
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        message = f"'{value}' is neither 'file' nor 'poisson:RATE' with a RATE above 0"
        raise BadValue(message, ctx, param, "write a rate per second, such as poisson:2")
    return rate


def _warmup(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = parse_seconds(value)
    if found is None:
        raise BadValue(f"'{value}' is not a time above 0", ctx, param, TIME_FORMS)
    return found


def _policies(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[CachePolicy, ...]:
    """Parse cache policies, separated by commas; leave out LRU, which every replay includes."""
    from membench.core.errors import UsageError
    from membench.thesis.replay.policies import EvictionRule, parse_policy

    try:
        asked = map(parse_policy, value.split(",")) if value is not None else ()
        return tuple(dict.fromkeys(one for one in asked if one.rule is not EvictionRule.LRU))
    except UsageError as error:
        raise BadValue.of(error, ctx, param) from None


@click.command(name="replay")
@click.argument("trace", required=False, shell_complete=completion.traces)
@click.option(
    "--capacity",
    "capacities",
    callback=_capacities,
    metavar="N|80GB|80%,..",
    help="Cache capacities: a number of blocks, a size (needs --model), or a percentage. 80% means "
    "the smallest capacity with 80% of all possible hits.  "
    "[default: where the hit-rate curve bends]",
)
@click.option(
    "--block-tokens",
    type=Tokens(1, 2**20),
    metavar="N",
    help="Tokens per block. For larger blocks, use a multiple of the trace's block size.  "
    "[default: the trace's block size, else 512]",
)
@click.option(
    "--arrivals",
    "rate",
    callback=_arrivals,
    default="file",
    show_default=True,
    metavar="file|poisson:RATE",
    help="Start times of sessions or requests: file (as in the trace), or poisson:RATE (random, "
    "RATE per second).",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of the random start times.",
)
@click.option(
    "--shared-prefix",
    type=Tokens(0, 2**40),
    default=0,
    show_default=True,
    metavar="TOKENS",
    help="Number of tokens in the prefix that all sessions share. Only for a trace that numbers "
    "the blocks of each session separately, and so hides the prefix.",
)
@click.option(
    "--warmup",
    callback=_warmup,
    metavar="TIME",
    help="Length of the warm-up, such as 600s, 10min or 1h. The warm hit rates count only later "
    "requests.",
)
@click.option(
    "--policy",
    "policies",
    callback=_policies,
    metavar="P,..",
    shell_complete=completion.policies,
    help="Cache policies in addition to LRU: fifo, s3fifo, leaf (evicts only blocks without a "
    "cached successor), second (stores a block at its second request), ttl:SECONDS, optimal "
    "(Belady).",
)
@click.option(
    "--tiers",
    callback=parse_tiers,
    metavar="hbm=80GB,..",
    help="Cache tiers, fastest first. A tier NAME=SIZE:second admits a block on the second "
    "request for this block. A tier NAME=SIZE:ttl=1h drops a block after 1 h without use.",
)
@click.option(
    "--model",
    metavar="NAME|config.json",
    shell_complete=completion.models,
    help="Name, Hugging Face id or config.json of the model that defines the bytes per block.",
)
@kv_dtype
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Output format.",
)
def command(
    trace: str | None,
    capacities: tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]],
    block_tokens: int | None,
    rate: float | None,
    seed: int,
    shared_prefix: int,
    warmup: float | None,
    policies: tuple[CachePolicy, ...],
    tiers: tuple[TierAsked, ...],
    model: str | None,
    dtype: str,
    form: str,
) -> None:
    """Replay a trace of requests and show the exact hit rate for each cache capacity.

    TRACE is a file of requests with block ids, a folder of sessions, or the name of a
    built-in trace: conversation or agent. Without TRACE, the command replays both
    built-in traces.

    \b
    Examples:
      membench replay conversation --model llama-3.1-70b --capacity 80GB,1TB,16TB
      membench replay trace.jsonl --model glm-5.2 --tiers hbm=80GB,ddr=1TB,ssd=16TB:second
      membench replay conversation --capacity 10000 --policy fifo,optimal --warmup 10min
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.thesis.models.catalogue import find_model
    from membench.thesis.models.kv_shape import KvDtype
    from membench.thesis.replay.answer import replay_source
    from membench.thesis.replay.traces import SHIPPED

    known = find_model(model) if model is not None else None
    blocks, sizes, shares = capacities
    results = [
        replay_source(
            source,
            capacities=blocks,
            sizes=sizes,
            shares=shares,
            block_tokens=block_tokens,
            shared_prefix=shared_prefix,
            rate=rate,
            seed=seed,
            model=known,
            dtype=KvDtype(dtype),
            warmup=warmup,
            policies=policies,
            tiers=tiers,
        )
        for source in ([trace] if trace is not None else [one.name for one in SHIPPED])
    ]
    if form == "csv":
        from membench.report.screens.replay_files import replay_csv

        click.echo(replay_csv(results, named=trace is None), nl=False)
    elif form == "json":
        from membench.report.screens.replay_files import replay_json

        click.echo(replay_json(results), nl=False)
    else:
        from membench.report.screens.console import console
        from membench.report.screens.replay import print_replay

        print_replay(console(), results)
