"""The functions with which all commands write to a terminal or a pipe."""

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

_UNBOUNDED = 4096  # width for a pipe: without this number, Rich would wrap case ids at 80 columns
_AT_ONCE = 1 << 16  # characters
_TRAILING = re.compile(r"(?<! ) ++(?=\n)")  # possessive: matches each run of blanks once


class _Trimmed:
    """A stream that removes blanks at line ends, because Rich pads the last column of a table."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write ``text`` without blanks at line ends."""
        return self._stream.write(_TRAILING.sub("", text) if " \n" in text else text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


class _Console(Console):
    """A console that raises `BrokenPipeError` on a closed pipe; Rich would exit the process."""

    def on_broken_pipe(self) -> None:
        """Raise `BrokenPipeError`, because the exit of the process would end a run."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output by default).

    A terminal gets colours and lines of at most its width (NO_COLOR and TERM=dumb are obeyed). A
    pipe gets plain text in lines of any length.
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
    """Print ``lines``, which may be very many. Lines of ASCII are written to a pipe without Rich.

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
    """Print prose: wrapped between words on a terminal, in one line on a pipe.

    ``indent`` is the number of blanks before each line.
    """
    if console.is_terminal:
        console.print(Padding(Text(text, style), (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent + text, style), soft_wrap=True)


def say_command(console: Console, label: str, command: str, remark: str = "") -> None:
    """Print ``label``, a command to paste and a remark in parentheses.

    The command is never wrapped. A remark that does not fit in the line gets the next line.
    """
    line = Text(f"{label}{one_line(command)}", "bold" if label.startswith("Next") else "")
    whole = f"{line.plain}    ({remark})" if remark else line.plain
    if console.is_terminal and remark and len(whole) > console.width:
        console.print(line, soft_wrap=True)
        say(console, f"({remark})", indent=len(label))
    else:
        console.print(Text(whole, line.style), soft_wrap=True)


def warn(message: str, hint: str = "") -> None:
    """Print ``Warning: message`` in bold on standard error, and ``Hint: hint`` on the next line."""
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    errors.print(Text(f"Warning: {one_line(message)}", "bold yellow"))
    if hint:
        errors.print(Text(f"Hint: {one_line(hint)}"))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (standard output by default) is a terminal."""
    return (stream or sys.stdout).isatty()
