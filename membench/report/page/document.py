"""The classes for the content of a report; `html` and `markdown` turn a `Document` into text.

Texts may come from results files, which are untrusted, so a renderer must escape every text.
Translatable texts are messages (`membench.core.messages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

from membench.core.messages import tr
from membench.core.record import record


@record
class Code:
    """Text that is not translated, such as a case id, a command or a file name."""

    text: str

    def __str__(self) -> str:
        return self.text


@record
class English:
    """Text that stays English on a page in another language, such as the title of a source."""

    text: str

    def __str__(self) -> str:
        return self.text


@record
class Strong:
    text: str

    def __str__(self) -> str:
        return self.text


@record
class Link:
    """A link to the section of the same document with the id ``anchor``."""

    text: str
    anchor: str

    def __str__(self) -> str:
        return self.text


Inline: TypeAlias = str | Code | English | Strong | Link
Line: TypeAlias = tuple[Inline, ...]

_COMMA = tr(", ")


def joined(parts: Sequence[Line], between: str = _COMMA, end: str = "") -> Line:
    """``parts`` as one line: ``between`` separates the parts, and ``end`` follows the last part."""
    line: list[Inline] = []
    for part in parts:
        line += [*([between] if line else []), *part]
    return (*line, end) if end else tuple(line)


@record
class Paragraph:
    line: Line


@record
class Alert:
    title: str
    line: Line


@record
class Bullets:
    items: tuple[Line, ...]


@record
class Definitions:
    items: tuple[tuple[str, Line], ...]


@record
class Column:
    title: str
    numeric: bool = False
    prose: bool = False


@record
class Table:
    """A table whose rows have one cell per column; ``()`` is an empty cell."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Line, ...], ...]


class Drawing(Protocol):
    """A picture as data; `svg` draws the picture.

    A drawing is a dataclass, so that `membench.report.locale.in_language` finds its messages.
    """

    def svg(self) -> str:
        """The picture as an ``<svg>`` element; colours are CSS variables with a default."""
        ...


@record
class Figure:
    """A plot, with a description and a table for readers who cannot see the plot.

    Attributes:
        slug: a unique name for ids and file names.
        description: the axes, units and marks of the plot.
    """

    slug: str
    title: str
    caption: str
    description: str
    drawing: Drawing
    table: Table


@record
class Picture:
    """A small drawing without a table; the text next to it has the same content."""

    drawing: Drawing


@record
class Quote:
    """A quotation; ``language`` is a BCP 47 tag such as ``zh-Hant-TW``."""

    text: str
    language: str


@record
class Command:
    text: str


@record
class Attachment:
    """A file that an HTML report contains; Markdown shows only the name and the note."""

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


@record
class Section:
    """A heading with blocks and subsections.

    Attributes:
        anchor: the id for links.
        folded: whether the content is hidden until the reader unfolds the section.
    """

    anchor: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    folded: bool = False


@record
class Document:
    """A whole page.

    Attributes:
        lead: one line below the heading.
        generator: name and version of the program that made the page.
        language: a BCP 47 tag.
    """

    title: str
    lead: Line
    generator: str
    alerts: tuple[Alert, ...]
    sections: tuple[Section, ...]
    language: str = "en"


class ThesisDetail(StrEnum):
    """The amount of detail on the claims of the thesis."""

    FULL = "full"
    """Every claim with its evidence."""
    SUMMARY = "summary"
    """A table of verdicts; the reader can unfold the claims."""
    NONE = "none"
    """No verdicts on claims."""
