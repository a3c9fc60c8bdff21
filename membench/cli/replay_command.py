"""`membench replay`."""

from __future__ import annotations

import math

import click

_MOST_BLOCKS = 10**15


def _capacities(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Numbers of blocks with commas between them."""
    if value is None:
        return ()
    found = []
    for word in value.split(","):
        text = word.strip()
        if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= _MOST_BLOCKS:
            raise click.BadParameter(
                f"'{text}' is no number of blocks from 1 to {_MOST_BLOCKS}", ctx, param
            )
        found.append(int(text))
    return tuple(found)


def _arrivals(ctx: click.Context, param: click.Parameter, value: str) -> float | None:
    """None for the file's, else the rate of random arrivals a second."""
    if value == "file":
        return None
    kind, _, text = value.partition(":")
    try:
        rate = float(text) if kind == "poisson" else math.nan
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise click.BadParameter(
            f"'{value}' is neither 'file' nor 'poisson:RATE' with a rate above 0", ctx, param
        )
    return rate


@click.command(name="replay")
@click.argument("trace", required=False)
@click.option(
    "--capacity",
    "capacities",
    callback=_capacities,
    metavar="N,..",
    help="Cache sizes in blocks.  [default: where the curve bends]",
)
@click.option(
    "--block-tokens",
    type=click.IntRange(1, 2**20),
    metavar="N",
    help="Tokens of a block.  [default: as the trace says, else 512]",
)
@click.option(
    "--arrivals",
    "rate",
    callback=_arrivals,
    default="file",
    show_default=True,
    metavar="file|poisson:RATE",
    help="When sessions (or requests) start: as in the file, or at random, RATE a second.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of random arrivals.",
)
@click.option(
    "--shared-prefix",
    type=click.IntRange(0, 2**40),
    default=0,
    show_default=True,
    metavar="TOKENS",
    help="Let sessions with ids of their own share so much of their begin.",
)
@click.option(
    "--model",
    metavar="NAME|config.json",
    help="Whose cache it is, to show capacities in GB.",
)
@click.option(
    "--kv-dtype",
    "dtype",
    type=click.Choice(["fp16", "fp8"]),
    default="fp16",
    show_default=True,
    help="The type of that cache.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
def command(
    trace: str | None,
    capacities: tuple[int, ...],
    block_tokens: int | None,
    rate: float | None,
    seed: int,
    shared_prefix: int,
    model: str | None,
    dtype: str,
    form: str,
) -> None:
    """Replay a trace of requests: hit rate against cache capacity, exactly.

    TRACE is a file of the Mooncake form (JSONL) or of the agent form, or a trace that
    comes with membench: conversation, agent. Without it, both of these.
    """
    from membench.thesis.models.catalogue import find_model
    from membench.thesis.models.kv_shape import KvDtype
    from membench.thesis.replay.answer import replay_source
    from membench.thesis.replay.traces import SHIPPED

    known = find_model(model) if model is not None else None
    results = [
        replay_source(
            source,
            capacities=capacities,
            block_tokens=block_tokens,
            shared_prefix=shared_prefix,
            rate=rate,
            seed=seed,
            model=known,
            dtype=KvDtype(dtype),
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
