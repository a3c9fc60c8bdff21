"""The command `membench advise`: parses options, and prints the advice and the plan of tiers."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

from membench.cli import completion
from membench.cli.kv_options import TIME_FORMS, kv_dtype, parse_seconds, parse_tiers
from membench.cli.mistakes import BadValue
from membench.cli.ranges import FiniteRange, Tokens

if TYPE_CHECKING:
    from membench.core.snapshot import Machine
    from membench.results.schema import Row
    from membench.thesis.advise.plan import Advice
    from membench.thesis.replay.answer import TierAsked
    from membench.thesis.tiers.plan import Drive, TierWork

_MOST_TOKENS = 2**24
_MOST_SECONDS = 1e9
_MOST_PER_SECOND = 1e9
_LIST = "list"
_RATE = re.compile(r"(\d+(?:\.\d+)?(?:[eE]\d+)?) ?(T|G|P|)(?:FLOP/s|FLOPS|flops|)")
_PREFIX = {"": 1.0, "G": 1e9, "T": 1e12, "P": 1e15}


def _flops(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    match = _RATE.fullmatch(value.strip())
    found = float(match[1]) * _PREFIX[match[2]] if match else 0.0
    if not 1e9 <= found <= 1e18:
        message = f"'{value}' is not a rate from 1GFLOP/s to 1000PFLOP/s"
        raise BadValue(message, ctx, param, "write a rate such as 700TFLOP/s")
    return found


def _contexts(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Parse context lengths, separated by commas, into numbers of tokens; return () for None."""
    lengths = Tokens(1, _MOST_TOKENS)
    words = value.split(",") if value is not None else ()
    return tuple(lengths.convert(word.strip(), param, ctx) for word in words)


def _gap(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    found = None if value is None else parse_seconds(value)
    if value is not None and found is None:
        raise BadValue(f"'{value}' is not a time above 0", ctx, param, TIME_FORMS)
    return found


def _drive(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, float | None]:
    """Parse ``SIZE[:DWPD]`` into (capacity in bytes, drive writes per day or None)."""
    from membench.core.errors import UsageError
    from membench.thesis.replay.amounts import parse_amount

    size, _, rest = value.partition(":")
    try:
        dwpd = float(rest) if rest else None
        capacity = parse_amount(size)
    except (UsageError, ValueError):
        capacity, dwpd = 0.0, None
    if not capacity or (dwpd is not None and not 0 < dwpd < math.inf):
        message = f"'{value}' is neither SIZE nor SIZE:DWPD with numbers above 0"
        hint = "write a size and drive writes per day, such as 6.4TB:3"
        raise BadValue(message, ctx, param, hint)
    return capacity, dwpd


@click.command(name="advise")
@click.argument("file", required=False, shell_complete=completion.files_or_references)
@click.option(
    "--model",
    "name",
    required=True,
    metavar="NAME|config.json|list",
    shell_complete=completion.models,
    help="Name, Hugging Face id or config.json of the model; 'list' prints the known names.",
)
@click.option(
    "--context",
    "contexts",
    callback=_contexts,
    metavar="N,..",
    help="Context lengths in tokens, separated by commas; 32K is 32768, 32k is 32000.  "
    "[required, unless --model is list]",
)
@click.option(
    "--block-tokens",
    type=Tokens(1, 2**20),
    metavar="N",
    help="Tokens per block of the engine's KV cache.  [default: 16; for a compressed KV "
    "cache, the smallest multiple of 16 that splits no cache entry]",
)
@kv_dtype
@click.option(
    "--weights",
    type=click.Choice(["auto", "bf16", "fp8", "nvfp4", "mxfp4", "int8", "int4"]),
    default="auto",
    show_default=True,
    help="Precision of the weights; auto: the precision in the model's configuration.",
)
@click.option(
    "--tp",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of tensor-parallel ranks.",
)
@click.option(
    "--layout",
    type=click.Choice(["split", "joint", "whole"]),
    default="split",
    show_default=True,
    help="Layout of a KV block: K and V apart (split), K and V together (joint), or all layers "
    "in one piece (whole).",
)
@click.option(
    "--slo-ttft",
    "slo",
    type=FiniteRange(min=0, max=_MOST_SECONDS, min_open=True),
    metavar="S",
    help="Maximum time to first token in seconds.",
)
@click.option(
    "--gpu",
    "reference",
    metavar="ref:NAME",
    shell_complete=completion.references,
    help="Use the rates of this reference GPU instead of those of the GPU in FILE.",
)
@click.option(
    "--assume",
    "assumed",
    callback=_flops,
    metavar="FLOPS",
    help="Assumed FLOP/s of one GPU, such as 700TFLOP/s. This rate replaces a measured rate of "
    "matrix products.",
)
@click.option(
    "--trace",
    metavar="TRACE",
    shell_complete=completion.traces,
    help="Request trace for planning the tiers, in a format that `membench replay` reads.",
)
@click.option(
    "--requests-per-second",
    "per_second",
    type=FiniteRange(min=0, max=_MOST_PER_SECOND, min_open=True),
    metavar="R",
    help="Requests per second. Without a trace, membench plans the tiers only with this option.  "
    "[default: the rate of the trace]",
)
@click.option(
    "--output-tokens",
    type=Tokens(0, _MOST_TOKENS),
    default=0,
    show_default=True,
    metavar="N",
    help="Without a trace: output tokens per request.",
)
@click.option(
    "--reuse",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Without a trace: share of the input tokens that a later request reuses.",
)
@click.option(
    "--gap",
    callback=_gap,
    default="300s",
    show_default=True,
    metavar="TIME",
    help="Without a trace: mean time until a later request reuses the input tokens.",
)
@click.option(
    "--tiers",
    callback=parse_tiers,
    metavar="ddr=1TB,..",
    help="Cache tiers to plan, fastest first. A tier NAME=SIZE:second admits a block on the "
    "second request for this block.  [default: the machine's tiers]",
)
@click.option(
    "--drive",
    callback=_drive,
    default="7.68TB",
    metavar="SIZE[:DWPD]",
    help="Capacity and endurance (drive writes per day) of one SSD. Without DWPD, membench assumes "
    "1.  [default: 7.68TB]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    file: str | None,
    name: str,
    contexts: tuple[int, ...],
    block_tokens: int | None,
    dtype: str,
    weights: str,
    tp: int,
    layout: str,
    slo: float | None,
    reference: str | None,
    assumed: float | None,
    trace: str | None,
    per_second: float | None,
    output_tokens: int,
    reuse: float,
    gap: float,
    tiers: tuple[TierAsked, ...],
    drive: tuple[float, float | None],
    as_json: bool,
) -> None:
    """Recommend how to handle a model's KV cache on a measured machine.

    The advice is to restore the KV cache from host memory, to restore it from disk, or
    to recompute the KV cache. The command also prints the prefix length from which
    restoring is faster, the bandwidth that would change the advice, the contexts that
    fit, the copy method, and the values that were not measured. With --trace or
    --requests-per-second, the command prints size, load and wear of each tier, the
    number of drives, and settings for the engine.

    \b
    Examples:
      membench advise --model list
      membench advise mybox.csv --model llama-3.1-70b --context 32768 --tp 4
      membench advise mybox.csv --model ./config.json --context 8192 --json
      membench advise ref:h200-sxm --assume 700TFLOP/s --model glm-5.2 --context 32768
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.core.errors import UsageError

    if name == _LIST:
        _list(as_json)
        return
    from membench.thesis.models.catalogue import find_model
    from membench.thesis.models.weight_bits import WeightType

    model = find_model(name).held_as(WeightType(weights))
    source = file if file is not None else reference
    if source is None or not contexts:
        lacks = "a results file" if source is None else "--context"
        raise UsageError(
            f"advise needs {lacks}", "membench advise FILE --model NAME --context TOKENS"
        )
    from membench.thesis.advise.plan import Question, advise, usual_block
    from membench.thesis.claims.assumptions import assumptions
    from membench.thesis.models.kv_shape import BlockLayout, KvDtype

    rows, machine = _read(source)
    if reference is not None and file is not None:
        rows, machine = _with_gpu(rows, machine, reference)
    entries = assumptions()
    answers = [
        advise(
            Question(
                model=model,
                context=context,
                block_tokens=block_tokens or usual_block(model),
                dtype=KvDtype(dtype),
                tp=tp,
                layout=BlockLayout(layout),
                slo=slo,
                assumed=assumed,
            ),
            rows,
            machine,
            entries,
        )
        for context in contexts
    ]
    plan = None
    if trace is not None or per_second is not None:
        from membench.thesis.tiers.plan import Lengths, plan_of_lengths, plan_of_trace

        chosen = tiers or _tiers_of(answers[0])
        rated = _rated(drive, rows, entries["ssd.rating.dwpd"].value)
        if trace is not None:
            plan = plan_of_trace(trace, model, KvDtype(dtype), chosen, rated, per_second)
        else:
            assert per_second is not None
            lengths = Lengths(
                input_tokens=contexts[0], output_tokens=output_tokens, reuse=reuse, gap_s=gap
            )
            plan = plan_of_lengths(lengths, per_second, model, KvDtype(dtype), chosen, rated)
    _print(answers, plan, [_lines(one, tiers) for one in answers], as_json=as_json)


def _print(
    answers: list[Advice],
    plan: TierWork | None,
    lines: list[dict[str, tuple[str, ...]]],
    *,
    as_json: bool,
) -> None:
    """Print the answers and the plan; ``lines`` has the settings for engines of each answer."""
    if as_json:
        import json

        from membench.report.screens.advice_words import to_json

        click.echo(json.dumps(to_json(answers, plan, lines), indent=1))
        return
    from membench.report.screens.advice import print_advice, print_lines, print_plan
    from membench.report.screens.console import screen

    shown_on = screen()
    for number, answer in enumerate(answers):
        if number:
            shown_on.print()
        print_advice(shown_on, answer)
    if plan is not None:
        print_plan(shown_on, plan)
        print_lines(shown_on, next((one for one in lines if one), {}), answers[0])


def _with_gpu(
    rows: list[Row], machine: Machine | None, reference: str
) -> tuple[list[Row], Machine | None]:
    """Replace the GPU of ``rows`` and ``machine`` by the GPU of ``reference``."""
    from dataclasses import replace

    from membench.core.snapshot import Gpus
    from membench.core.terms import Tier
    from membench.results.reference_files import reference_name

    reference_name(reference)  # refuses any other file
    gpu = {Tier.SMEM, Tier.L1, Tier.L2, Tier.HBM, Tier.GPU, Tier.LINK}
    theirs, described = _read(reference)
    name = rows[0].machine if rows else reference
    others = [replace(row, machine=name) for row in theirs if row.tier in gpu]
    own = [row for row in rows if row.tier not in gpu and row.backend != "cuda"]
    if machine is not None:  # its GPUs are not those of the advice
        gpus = Gpus() if described is None else described.gpus
        machine = replace(machine, gpus=gpus)
    return own + others, machine


def _tiers_of(found: Advice) -> tuple[TierAsked, ...]:
    """The tiers of the machine that have room for KV caches, and the bytes that caches may use."""
    from membench.thesis.replay.answer import TierAsked

    return tuple(
        TierAsked(name=held.tier, capacity_bytes=held.usable)
        for held in found.capacities
        if held.usable > 0
    )


def _rated(drive: tuple[float, float | None], rows: list[Row], usual: float) -> Drive:
    """The drive of the option `--drive`, with the read and write rates of the measured disk.

    ``usual``: drive writes per day if the option contains no such number.
    """
    from membench.thesis.advise.paths import rate_of
    from membench.thesis.claims.ledger import ledger
    from membench.thesis.tiers.plan import Drive

    inputs = ledger().inputs
    read, write = (rate_of(inputs[key], rows).rate for key in ("ssd-read", "ssd-write"))
    return Drive(
        capacity_bytes=drive[0],
        dwpd=drive[1] or usual,
        read_per_s=None if read is None else read.value,
        write_per_s=None if write is None else write.value,
    )


def _lines(found: Advice, tiers: tuple[TierAsked, ...]) -> dict[str, tuple[str, ...]]:
    """Map names of inference engines to lines of settings for ``tiers``.

    If ``tiers`` is empty, the settings are for the tiers of the machine. The result is empty if the
    advice has no best choice, or if the weights and the context do not fit in the GPUs.
    """
    from membench.report.screens.engine_lines import engine_lines
    from membench.thesis.replay.tier_names import kind_of

    if found.best is None or found.fits is False:
        return {}
    chosen = tiers or _tiers_of(found)
    host, disk = (
        next((one for one in chosen if kind_of(one.name) == kind), None) for kind in ("ddr", "ssd")
    )
    asked = found.question
    return dict(
        engine_lines(
            dtype=asked.dtype,
            block_tokens=asked.block_tokens,
            tp=asked.tp,
            host_bytes=None if host is None else host.capacity_bytes,
            disk_bytes=None if disk is None else disk.capacity_bytes,
            second=disk is not None and disk.second,
        )
    )


def _read(file: str) -> tuple[list[Row], Machine | None]:
    """The rows of ``file`` (a path or ``ref:NAME``), and the first machine in their sidecars."""
    from membench.report.screens.console import warn
    from membench.results.magnitude import check_magnitude
    from membench.results.own_sidecar import own_sidecar
    from membench.results.reference_files import files_of
    from membench.results.table import read_rows

    rows: list[Row] = []
    machine: Machine | None = None
    for path in files_of([file]):
        found = read_rows(path)
        check_magnitude(found)
        own = own_sidecar(path, {row.run_id for row in found})
        if own.problem:
            warn(str(own.problem))
        rows += found
        machine = own.machine if machine is None else machine
    return rows, machine


def _list(as_json: bool) -> None:
    from membench.thesis.models.catalogue import models

    known = models()
    if as_json:
        import json

        click.echo(json.dumps([*known], indent=1))
        return
    from membench.report.screens.advice import print_models
    from membench.report.screens.console import screen

    print_models(screen(), known.values())
