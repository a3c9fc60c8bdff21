"""Options that `membench replay` and `membench advise` share: a model, and how its cache is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_Command = Callable[..., Any]


def kv_dtype(command: _Command) -> _Command:
    """`--kv-dtype`: the layout of the cache."""
    return click.option(
        "--kv-dtype",
        "dtype",
        type=click.Choice(["fp16", "bf16", "fp8", "fp8_ds_mla"]),
        default="fp16",
        show_default=True,
        help="How the engine holds the cache, by its name in vLLM.",
    )(command)
