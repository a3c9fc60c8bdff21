"""Turn an error in the command line into a message with the problem and a hint with the remedy."""

from __future__ import annotations

import re

import click

from membench.core.errors import MembenchError
from membench.core.near import asked_back, did_you_mean

_NO_CHOICE = re.compile(r"'(.*?)' is not one of ", re.DOTALL)
_PLAIN = {"a valid integer range": "a whole number", "a valid float range": "a number"}
_SUGGESTED = re.compile(r" (?:Did you mean .*\?|\(Possible [a-z]+: .*\))$", re.DOTALL)
"""The suggestion that newer versions of click append to a message; the hint replaces it."""
_NO_COMMAND = re.compile(r"No such command '(.*)'", re.DOTALL)


_SAME = {  # (command, option of another command) -> the option that means the same
    ("check", "--against"): "--expect",
    ("check", "--ref"): "--expect",
    ("compare", "--expect"): "--against",
    ("report", "--against"): "a second FILE or ref:NAME",
    ("report", "--expect"): "a second FILE or ref:NAME",
}


class BadValue(click.BadParameter):
    """An invalid value of an option or argument; ``hint`` is the remedy."""

    def __init__(
        self, message: str, ctx: click.Context | None, param: click.Parameter | None, hint: str = ""
    ) -> None:
        super().__init__(message, ctx, param)
        self.hint = hint

    @classmethod
    def of(
        cls, error: MembenchError, ctx: click.Context | None, param: click.Parameter | None
    ) -> BadValue:
        """A `BadValue` with the message and the hint of ``error``."""
        return cls(str(error), ctx, param, error.hint)


def option_of(ctx: click.Context, name: str) -> str:
    """The option (such as ``--rounds``) that fills the parameter ``name`` of the command."""
    return next(one.opts[0] for one in ctx.command.params if one.name == name)


def described(error: click.UsageError, command: str) -> tuple[str, str]:
    """The message and the hint for ``error``.

    ``command`` is the start of the command line, such as ``membench run``. The hint is that of a
    `BadValue`, or names a similar option, command or value, or else ``--help``.
    """
    usual = f"{error.ctx.command_path if error.ctx else command} --help"
    message = _SUGGESTED.sub("", error.format_message()).rstrip(".")
    for of_click, plain in _PLAIN.items():
        message = message.replace(of_click, plain)
    if isinstance(error, BadValue) and error.hint:
        return message, error.hint
    if isinstance(error, click.NoSuchOption):
        same = _SAME.get((error.ctx.info_name or "", error.option_name)) if error.ctx else None
        hint = f"use {same}" if same else asked_back(error.possibilities or ()) or usual
        return f"No such option '{error.option_name}'", hint
    known: tuple[str, ...] = ()
    if isinstance(error, click.BadParameter) and error.param is not None:
        choices = getattr(error.param.type, "choices", ())
        known, form = tuple(map(str, choices)), _NO_CHOICE
    elif error.ctx is not None and isinstance(error.ctx.command, click.Group):
        known, form = tuple(error.ctx.command.list_commands(error.ctx)), _NO_COMMAND
    word = form.search(message) if known else None
    return message, usual if word is None else did_you_mean(word[1], known, usual)
