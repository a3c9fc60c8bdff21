"""The content of the report, from which HTML and Markdown are made.

Its text is untrusted, because it comes from results files, so a renderer escapes all of it. The
content does not depend on the format or on the reader's language. Sections write messages
(`membench.core.messages`), also around a case id or a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from membench.core.messages import tr


@dataclass(frozen=True)
class Code:
    """A case id, a command or a file name; never translated, and may be wrapped after slashes."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class English:
    """Text that is English on a page of any language, such as the title of a source."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Strong:
    """Emphasised text."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Link:
    """A link; ``anchor`` is the id of a section of this document."""

    text: str
    anchor: str

    def __str__(self) -> str:
        return self.text


Inline: TypeAlias = str | Code | English | Strong | Link
Line: TypeAlias = tuple[Inline, ...]

_COMMA = tr(", ")


def joined(parts: Sequence[Line], between: str = _COMMA, end: str = "") -> Line:
    """Join ``parts`` to one line."""
    line: list[Inline] = []
    for part in parts:
        line += [*([between] if line else []), *part]
    return (*line, end) if end else tuple(line)


@dataclass(frozen=True)
class Paragraph:
    line: Line


@dataclass(frozen=True)
class Alert:
    """A warning that changes the meaning of the rest of the document."""

    title: str
    line: Line


@dataclass(frozen=True)
class Bullets:
    items: tuple[Line, ...]


@dataclass(frozen=True)
class Definitions:
    """Terms with their definitions."""

    items: tuple[tuple[str, Line], ...]


@dataclass(frozen=True)
class Column:
    """A column: ``numeric`` ones are right-aligned, ``prose`` ones contain sentences."""

    title: str
    numeric: bool = False
    prose: bool = False


@dataclass(frozen=True)
class Table:
    """Rows with one cell per column; an empty cell is ``()``."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Line, ...], ...]


class Drawing(Protocol):
    """A picture that is drawn when a page shows it, in the language of the page.

    A dataclass whose texts are messages: translating the document translates them.
    """

    def svg(self) -> str:
        """An ``<svg>`` element; colours are CSS variables with a fallback."""
        ...


@dataclass(frozen=True)
class Figure:
    """A plot, with text for readers who cannot see it.

    Attributes:
        slug: a unique name for ids and file names.
        caption: the finding, computed from the data.
        description: the axes, units and marks of the plot.
    """

    slug: str
    title: str
    caption: str
    description: str
    drawing: Drawing
    table: Table


@dataclass(frozen=True)
class Picture:
    """A small drawing without heading or table; the text next to it has the same content."""

    drawing: Drawing


@dataclass(frozen=True)
class Quote:
    """A quotation; ``language`` is a BCP 47 tag."""

    text: str
    language: str


@dataclass(frozen=True)
class Command:
    """A shell command."""

    text: str


@dataclass(frozen=True)
class Attachment:
    """A file embedded in the report, if the format supports that."""

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
    """A heading and its content; ``folded`` content is hidden until the reader opens it."""

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
