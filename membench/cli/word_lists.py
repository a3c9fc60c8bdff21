"""Options whose value is a list of words, separated by commas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from membench.cli.mistakes import BadValue
from membench.core.near import did_you_mean


def words_of(
    allowed: Sequence[str],
) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...]]:
    """A click callback that splits an option's value at commas and drops repeated words.

    It raises `BadValue` if a word is not in ``allowed``, and returns () for None.
    """

    def words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
        if value is None:
            return ()
        found = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
        for word in found:
            if word not in allowed:
                message = f"'{word}' is not one of {', '.join(allowed)}"
                hint = did_you_mean(word, allowed, f"{ctx.command_path} --help")
                raise BadValue(message, ctx, param, hint)
        return found

    return words
