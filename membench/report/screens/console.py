"""Functions that write to a terminal or a pipe.

On a pipe, the result of `screen` loads Rich only for text that Rich must lay out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Protocol, TextIO, cast

from membench.core.text import counted, one_line, shell_word
from membench.report.screens.styled import Styled

if TYPE_CHECKING:
    from rich.console import Console

_UNBOUNDED = 4096  # width for a pipe: without this number, Rich would wrap case ids at 80 columns
_WARNINGS = 3  # maximum number of warnings of one kind
_AT_ONCE = 1 << 16  # characters
_TRAILING = re.compile(r"(?<! ) ++(?=\n)")  # possessive: matches each run of blanks once


class _Trimmed:
    """A stream that removes blanks at line ends, because Rich pads the last column of a table."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(_TRAILING.sub("", text) if " \n" in text else text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


class Screen(Protocol):
    """A console of Rich, or a pipe."""

    @property
    def file(self) -> IO[str]: ...
    @property
    def is_terminal(self) -> bool: ...
    @property
    def width(self) -> int: ...
    def print(
        self, *objects: Any, style: str | None = None, soft_wrap: bool | None = None
    ) -> None: ...


class _Pipe:
    """A screen on a pipe. It prints short, printable ASCII text without Rich."""

    is_terminal = False
    width = _UNBOUNDED

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.file: IO[str] = cast("TextIO", _Trimmed(stream))

    def print(self, *objects: Any, style: str | None = None, soft_wrap: bool | None = None) -> None:
        text = objects[0] if objects else ""
        plain = text.plain if isinstance(text, Styled) else text
        if len(objects) > 1 or not isinstance(plain, str) or not _as_is(plain):
            console(self._stream).print(*objects, style=style, soft_wrap=soft_wrap)
            return
        self.file.write(f"{plain}\n")
        self.file.flush()


def _as_is(plain: str) -> bool:
    return is_simple(plain) and len(plain) <= _UNBOUNDED


def is_simple(text: str) -> bool:
    """Whether each character of ``text`` takes one column and is printed without a change."""
    return text.isascii() and text.isprintable()


def screen(stream: TextIO | None = None) -> Screen:
    """A screen on ``stream`` (standard output by default); for a pipe, usually without Rich."""
    stream = stream or sys.stdout
    return console(stream) if stream.isatty() else _Pipe(stream)


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output by default).

    A terminal gets colours and wrapped lines; Rich obeys NO_COLOR and TERM=dumb. A pipe gets plain
    text, wrapped only at `_UNBOUNDED` characters.
    """
    from membench.report.screens.terminal import Terminal

    stream = stream or sys.stdout
    if stream.isatty():
        return Terminal(file=stream, highlight=False, markup=False, emoji=False)
    trimmed = cast("TextIO", _Trimmed(stream))
    return Terminal(
        file=trimmed,
        width=_UNBOUNDED,
        height=100,
        highlight=False,
        markup=False,  # a name may contain brackets
        emoji=False,
        no_color=True,
        force_terminal=False,  # even with FORCE_COLOR
    )


def print_lines(screen: Screen, lines: Iterable[Styled]) -> None:
    """Print ``lines``; on a pipe, without Rich if possible.

    Rich would measure and wrap each line again, which would take most of the time.
    """
    if screen.is_terminal:
        _print_by_rich(screen, lines)
        return
    for several in _batched(lines):
        plain = "\n".join(line.plain for line in several)
        if plain.isascii() and max(map(len, plain.split("\n"))) <= screen.width:
            screen.file.write(f"{plain}\n")
        else:
            _print_by_rich(screen, several)


def _print_by_rich(screen: Screen, lines: Iterable[Styled]) -> None:
    from rich.console import Group

    screen.print(Group(*lines))


def _batched(lines: Iterable[Styled]) -> Iterator[list[Styled]]:
    several: list[Styled] = []
    size = 0
    for line in lines:
        several.append(line)
        size += len(line.plain)
        if size > _AT_ONCE:
            yield several
            several, size = [], 0
    if several:
        yield several


def say(screen: Screen, text: str, style: str = "", indent: int = 0) -> None:
    """Print prose: wrapped between words on a terminal, in one line on a pipe."""
    if screen.is_terminal:
        from rich.padding import Padding

        screen.print(Padding(Styled(text, style), (0, 0, 0, indent), expand=False))
    else:
        screen.print(Styled(" " * indent + text, style), soft_wrap=True)


def say_command(screen: Screen, label: str, command: str, remark: str = "") -> None:
    """Print ``label``, a command to paste, and a remark as a comment of the shell.

    If the shell does not find this membench by its name, the command has the path with which the
    user started membench. The command is never wrapped. On a terminal, a remark that does not fit
    gets the next line.
    """
    first, blank, others = command.partition(" ")
    if first == "membench":
        command = f"{_program(sys.argv[0])}{blank}{others}"
    line = Styled(f"{label}{one_line(command)}", "bold" if label.startswith("Next") else "")
    whole = f"{line.plain}    # {remark}" if remark else line.plain
    if screen.is_terminal and remark and len(whole) > screen.width:
        screen.print(line, soft_wrap=True)
        say(screen, f"# {remark}", indent=len(label))
    else:
        screen.print(Styled(whole, line.style), soft_wrap=True)


def _program(started: str) -> str:
    import shutil
    from pathlib import Path

    path = Path(started)
    if path.name != "membench":  # such as python -m membench
        return "membench"
    found = shutil.which("membench")
    with suppress(OSError):
        if found is not None and path.samefile(found):
            return "membench"
    return shell_word(started)


def warn(message: str, hint: str = "") -> None:
    """Print ``Warning: message`` and then ``Hint: hint`` on standard error."""
    from rich.console import Console

    errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    errors.print(Styled(f"Warning: {one_line(message)}", "bold yellow"))
    if hint:
        errors.print(Styled(f"Hint: {one_line(hint)}"))


def warn_some(messages: Sequence[str]) -> None:
    """Print the first of ``messages`` as warnings, and the number of the other messages."""
    for message in messages[:_WARNINGS]:
        warn(message)
    if len(messages) > _WARNINGS:
        warn(f"{counted(len(messages) - _WARNINGS, 'more file')} with such a problem")


def is_terminal(stream: TextIO | None = None) -> bool:
    return (stream or sys.stdout).isatty()
