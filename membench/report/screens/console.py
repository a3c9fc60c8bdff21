"""The only way to write to a terminal or a pipe."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, cast

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from membench.core.text import one_line

_UNBOUNDED = 4096  # for a pipe, which has no width: Rich would wrap ids at 80 columns
_AT_ONCE = 1 << 16  # characters
_TRAILING = re.compile(r"(?<! ) ++(?=\n)")  # possessive: matches each run of blanks once


class _Trimmed:
    """A stream that removes blanks at the ends of lines, which Rich adds to the last column."""

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
    """A console that lets its caller handle a closed pipe."""

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
    """Print ``lines`` (possibly very many); a pipe gets them unchanged.

    Rich would measure and wrap each line again, which would take most of the time.
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


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print prose: broken between words on a terminal, in one line elsewhere, however long."""
    if console.is_terminal:
        console.print(Padding(Text(text, style), (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent + text, style), soft_wrap=True)


def say_command(console: Console, label: str, command: str, remark: str = "") -> None:
    """Print a command to paste, never broken; a remark that does not fit comes below it."""
    line = Text(f"{label}{one_line(command)}", "bold" if label.startswith("Next") else "")
    whole = f"{line.plain}    ({remark})" if remark else line.plain
    if console.is_terminal and remark and len(whole) > console.width:
        console.print(line, soft_wrap=True)
        say(console, f"({remark})", indent=len(label))
    else:
        console.print(Text(whole, line.style), soft_wrap=True)


def warn(message: str, hint: str = "") -> None:
    """Print ``message`` emphasised on standard error, and ``hint`` on the next line."""
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    errors.print(Text(f"Warning: {one_line(message)}", "bold yellow"))
    if hint:
        errors.print(Text(f"Hint: {one_line(hint)}"))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (standard output by default) is a terminal."""
    return (stream or sys.stdout).isatty()
