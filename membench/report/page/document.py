"""The report as plain content: what both HTML and Markdown are made from.

Text here is untrusted (it comes from results files): a renderer escapes all of
it.  A section knows nothing of how it will look, nor of the reader's language: it
writes messages (`membench.core.messages`), around a case id or a link too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from membench.core.messages import tr


@dataclass(frozen=True)
class Code:
    """A case id, a command, a file name: never translated, wraps after slashes."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Strong:
    """What must be seen first."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Link:
    """``anchor`` is the id of a section of this document."""

    text: str
    anchor: str

    def __str__(self) -> str:
        return self.text


Inline: TypeAlias = str | Code | Strong | Link
Line: TypeAlias = tuple[Inline, ...]

_COMMA = tr(", ")


def joined(parts: Sequence[Line], between: str = _COMMA, end: str = "") -> Line:
    """``parts`` as one line."""
    line: list[Inline] = []
    for part in parts:
        line += [*([between] if line else []), *part]
    return (*line, end) if end else tuple(line)


@dataclass(frozen=True)
class Paragraph:
    line: Line


@dataclass(frozen=True)
class Alert:
    """Something that changes how the rest must be read."""

    title: str
    line: Line


@dataclass(frozen=True)
class Bullets:
    items: tuple[Line, ...]


@dataclass(frozen=True)
class Definitions:
    """Terms, and what each is."""

    items: tuple[tuple[str, Line], ...]


@dataclass(frozen=True)
class Column:
    """``numeric`` columns are set to the right, ``prose`` ones hold sentences."""

    title: str
    numeric: bool = False
    prose: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; an empty cell is ``()``."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A plot with everything that a reader who cannot see it needs.

    Attributes:
        slug: unique, for ids and file names.
        caption: the finding, computed from the data.
        description: what is drawn: axes, units, marks.
        svg: an ``<svg>`` element; colours are CSS variables with a fallback.
    """

    slug: str
    title: str
    caption: str
    description: str
    svg: str
    table: Table


@dataclass(frozen=True)
class Picture:
    """A small drawing beside text that says the same: no heading, no table of its own."""

    svg: str


@dataclass(frozen=True)
class Quote:
    """Somebody's words; ``language`` is a BCP 47 tag."""

    text: str
    language: str


@dataclass(frozen=True)
class Command:
    """A line for a shell."""

    text: str


@dataclass(frozen=True)
class Attachment:
    """A file that travels with the report where the format can carry it."""

    name: str
    media: str
    data: bytes
    note: str


Block: TypeAlias = (
    Paragraph
    | Alert
    | Bullets
    | Definitions
    | Table
    | Figure
    | Picture
    | Quote
    | Command
    | Attachment
)


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; ``folded``: shown when the reader asks for it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """The whole report; ``alerts`` come before everything else, ``language`` is a BCP 47 tag."""

    title: str
    lead: Line
    generator: str
    alerts: tuple[Alert, ...]
    sections: tuple[Section, ...]
    language: str = "en"
