"""`membench advise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.cli.ranges import FiniteRange

if TYPE_CHECKING:
    from membench.core.snapshot import Machine
    from membench.results.schema import Row

_MOST_TOKENS = 2**24
_LIST = "list"


@click.command(name="advise")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "name",
    required=True,
    metavar="NAME|config.json|list",
    help="The model, or the path of its configuration; list shows the names.",
)
@click.option(
    "--context",
    type=click.IntRange(1, _MOST_TOKENS),
    metavar="N",
    help="Tokens whose cache is kept.",
)
@click.option(
    "--block-tokens",
    type=click.IntRange(1, 2**20),
    default=16,
    show_default=True,
    metavar="N",
    help="Tokens of a block of the engine's cache.",
)
@click.option(
    "--kv-dtype",
    "dtype",
    type=click.Choice(["fp16", "bf16", "fp8"]),
    default="fp16",
    show_default=True,
)
@click.option(
    "--tp",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Ranks of tensor parallelism.",
)
@click.option(
    "--layout",
    type=click.Choice(["split", "joint", "whole"]),
    default="split",
    show_default=True,
    help="How the engine lays out a block: K and V apart, together, or all layers in one piece.",
)
@click.option(
    "--slo-ttft",
    "slo",
    type=FiniteRange(min=0, max=1e9, min_open=True),
    metavar="S",
    help="Seconds to the first token that are accepted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    file: Path | None,
    name: str,
    context: int | None,
    block_tokens: int,
    dtype: str,
    tp: int,
    layout: str,
    slo: float | None,
    as_json: bool,
) -> None:
    """Say what a measured machine should do with a model's KV cache.

    Restore it from host memory, from the disk, or recompute it: with the prefix from
    which on restoring wins, the bandwidth that would flip it, the contexts that fit,
    and how to copy. Times are bounds. What is not measured is named.

    \b
    Examples:
      membench advise --model list
      membench advise mybox.csv --model llama-3.1-70b --context 32768 --tp 4
      membench advise mybox.csv --model ./config.json --context 8192 --json
    """  # noqa: D301 - click wants the very character \b to keep the lines below it apart
    from membench.core.errors import UsageError

    if name == _LIST:
        _list(as_json)
        return
    if file is None or context is None:
        lacks = "a results file" if file is None else "--context"
        raise UsageError(
            f"advice takes {lacks}", "membench advise FILE --model NAME --context TOKENS"
        )
    from membench.thesis.advise.plan import Question, advise
    from membench.thesis.claims.assumptions import assumptions
    from membench.thesis.models.catalogue import find_model
    from membench.thesis.models.kv_shape import KvDtype, Layout

    question = Question(
        model=find_model(name),
        context=context,
        block_tokens=block_tokens,
        dtype=KvDtype(dtype),
        tp=tp,
        layout=Layout(layout),
        slo=slo,
    )
    rows, machine = _read(file)
    found = advise(question, rows, machine, assumptions())
    if as_json:
        import json

        from membench.report.screens.advice_words import to_json

        click.echo(json.dumps(to_json(found), indent=1))
        return
    from membench.report.screens.advice import print_advice
    from membench.report.screens.console import console

    print_advice(console(), found)


def _read(file: Path) -> tuple[list[Row], Machine | None]:
    """The rows of ``file``, and the machine of its sidecar where there is one."""
    from membench.core.plain import load
    from membench.core.snapshot import Machine
    from membench.results.magnitude import check_magnitude
    from membench.results.sidecar import read_sidecar
    from membench.results.table import read_rows

    rows = read_rows(file)
    check_magnitude(rows)
    sidecar = read_sidecar(file) if file.is_file() else None
    return rows, None if sidecar is None else load(Machine, sidecar.machine)


def _list(as_json: bool) -> None:
    from membench.thesis.models.catalogue import models

    known = models()
    if as_json:
        import json

        click.echo(json.dumps([*known], indent=1))
        return
    from membench.report.screens.advice import print_models
    from membench.report.screens.console import console

    print_models(console(), known.values())
