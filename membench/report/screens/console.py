"""The one way to write to a terminal or a pipe."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, cast

from rich.console import Console, Group
from rich.text import Text

from membench.core.text import one_line

_UNBOUNDED = 4096  # a pipe has no width: Rich would wrap ids at 80 columns
_AT_ONCE = 1 << 16  # characters
_TRAILING = re.compile(r"(?<! ) ++(?=\n)")  # possessive: matches each run of blanks once


class _Trimmed:
    """A stream that strips the trailing blanks of a table's last column."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write ``text`` without blanks at the ends of its lines."""
        return self._stream.write(_TRAILING.sub("", text) if " \n" in text else text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


class _Console(Console):
    """A console that leaves a closed pipe to its caller."""

    def on_broken_pipe(self) -> None:
        """Do nothing: Rich would exit the process here, and end a run with it."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output by default).

    A terminal keeps its width and colours (NO_COLOR and TERM=dumb are obeyed); a pipe gets plain
    text in lines of any length. All output of the project is ASCII, which every encoding can
    represent.
    """
    stream = stream or sys.stdout
    if stream.isatty():
        return _Console(file=stream, highlight=False, markup=False, emoji=False)
    trimmed = cast("TextIO", _Trimmed(stream))
    return _Console(
        file=trimmed,
        width=_UNBOUNDED,
        height=100,
        highlight=False,
        markup=False,  # a name may contain brackets
        emoji=False,
        no_color=True,
    )


def print_lines(console: Console, lines: Iterable[Text]) -> None:
    """Print ``lines``, possibly very many; a pipe gets them unchanged.

    Rich would measure and wrap each line again, which takes longer than everything else.
    """
    if console.is_terminal:
        console.print(Group(*lines))
        return
    for several in _batched(lines):
        plain = "\n".join(line.plain for line in several)
        if plain.isascii() and max(map(len, plain.split("\n"))) <= console.width:
            console.file.write(f"{plain}\n")
        else:
            console.print(Group(*several))


def _batched(lines: Iterable[Text]) -> Iterator[list[Text]]:
    several: list[Text] = []
    size = 0
    for line in lines:
        several.append(line)
        size += len(line.plain)
        if size > _AT_ONCE:
            yield several
            several, size = [], 0
    if several:
        yield several


def warn(message: str, hint: str = "") -> None:
    """Print ``message`` emphasised, and ``hint`` below it, one line each, on standard error."""
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    errors.print(Text(f"Warning: {one_line(message)}", "bold yellow"))
    if hint:
        errors.print(Text(f"Hint: {one_line(hint)}"))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (standard output by default) is a terminal."""
    return (stream or sys.stdout).isatty()
