"""Types of command-line options: finite numbers, and numbers of tokens."""

from __future__ import annotations

import math
from typing import Any

import click

from membench.cli.mistakes import BadValue


class FiniteRange(click.FloatRange):
    """A `click.FloatRange` that also rejects ``inf`` and ``nan``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert ``value``; raises `click.BadParameter`."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Tokens(click.IntRange):
    """A whole number of tokens within limits, written as 32768, 32K (32768) or 32k (32000)."""

    name = "tokens"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert ``value``; raises `BadValue`."""
        from membench.thesis.replay.amounts import LENGTH_FORMS, parse_tokens

        found = value if isinstance(value, int) else parse_tokens(value)
        if found is None or not (self.min or 0) <= found <= (self.max or found):
            span = f"from {self.min} to {self.max}"
            raise BadValue(f"'{value}' is not a number of tokens {span}", ctx, param, LENGTH_FORMS)
        return found
