"""Options that `membench replay` and `membench advise` share: KV cache format and cache tiers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from membench.cli.mistakes import BadValue

if TYPE_CHECKING:
    from membench.thesis.replay.answer import TierAsked

_Command = Callable[..., Any]
TIME_FORMS = "write a time such as 60s, 10min or 1h"
_FORM = "write NAME=SIZE,.. such as hbm=80GB,ddr=1TB,ssd=16TB:second,ssd2=16TB:ttl=1h"
_SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def kv_dtype(command: _Command) -> _Command:
    """Add the option `--kv-dtype`, the number format of the KV cache."""
    return click.option(
        "--kv-dtype",
        "dtype",
        type=click.Choice(["fp16", "bf16", "fp8", "fp8_ds_mla"]),
        default="fp16",
        show_default=True,
        help="Number format of the KV cache; fp8_ds_mla: vLLM's format for sparse latents.",
    )(command)


def parse_seconds(text: str) -> float | None:
    """Parse ``600``, ``600s``, ``10min``, ``1h`` or ``1d``; None if invalid or not above 0."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|d|)", text.strip())
    value = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    return value if value > 0 else None


def parse_tiers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[TierAsked, ...]:
    """Parse tiers ``NAME=SIZE[:second][:ttl=TIME]``, separated by commas; () for None.

    Raises:
        BadValue: a tier is malformed, or two tiers have the same name.
    """
    if value is None:  # the modules for tiers load NumPy
        return ()
    from membench.core.errors import UsageError
    from membench.thesis.replay.amounts import parse_amount
    from membench.thesis.replay.answer import TierAsked
    from membench.thesis.replay.tier_names import kind_of

    found: list[TierAsked] = []
    for word in value.split(","):
        name, _, rest = word.strip().partition("=")
        size, *flags = rest.split(":")
        ttl = math.inf
        if not name:
            raise BadValue(f"the tier '{word}' has no name", ctx, param, _FORM)
        try:
            kind_of(name)
        except UsageError as error:
            raise BadValue.of(error, ctx, param) from None
        try:
            capacity = parse_amount(size)
        except UsageError as error:
            raise BadValue(f"{name}: {error}", ctx, param, error.hint) from None
        for flag in flags:
            seconds = parse_seconds(flag.removeprefix("ttl=")) if flag.startswith("ttl=") else None
            if flag != "second" and seconds is None:
                raise BadValue(
                    f"'{flag}' of {name} is neither 'second' nor 'ttl=TIME'", ctx, param, _FORM
                )
            ttl = seconds if seconds is not None else ttl
        if name in [one.name for one in found]:
            hint = f"give one of the tiers another name, such as {name}2"
            raise BadValue(f"two tiers have the name {name}", ctx, param, hint)
        found.append(
            TierAsked(name=name, capacity_bytes=capacity, second="second" in flags, ttl=ttl)
        )
    return tuple(found)
