"""Options whose values are lists of words, separated by commas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click


def words_of(
    allowed: Sequence[str],
) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...]]:
    """A callback that splits an option's value into ``allowed`` words and drops repetitions."""

    def words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
        if value is None:
            return ()
        found = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
        for word in found:
            if word not in allowed:
                message = f"'{word}' is not one of {', '.join(allowed)}"
                raise click.BadParameter(message, ctx, param)
        return found

    return words
