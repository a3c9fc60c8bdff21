"""Render a document as Markdown; the plots are separate files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from membench.core.messages import tr, tr_n
from membench.core.record import record
from membench.report.locale import of_tag
from membench.report.page.document import (
    Alert,
    Attachment,
    Block,
    Bullets,
    Code,
    Command,
    Definitions,
    Document,
    English,
    Figure,
    Inline,
    Line,
    Link,
    Paragraph,
    Picture,
    Quote,
    Section,
    Strong,
    Table,
)
from membench.report.page.markdown_text import code, escaped, fence, in_html

LIMIT = 1024 * 1024
"""Maximum size of a step summary on GitHub, in bytes."""


@record
class _Detail:
    """The amount of detail in the Markdown.

    ``rows`` is the maximum number of rows per table; None for all rows.
    """

    plot_tables: bool = True
    rows: int | None = None
    language: str = "en"


_DETAILS = (
    _Detail(),
    _Detail(plot_tables=False),
    *(_Detail(plot_tables=False, rows=rows) for rows in (1000, 300, 100, 30, 10, 3)),
)


def render(document: Document, images: Mapping[str, str], limit: int = LIMIT) -> str:
    """``document`` as Markdown, with as much detail as fits in ``limit`` bytes of UTF-8.

    If even the least detail does not fit, the text is longer than ``limit``. ``images`` maps the
    slug of a figure to the file name of the picture.
    """
    text = ""
    for level in _DETAILS:
        detail = replace(level, language=document.language)
        text = "\n\n".join(_document(document, images, detail)) + "\n"
        if len(text.encode()) <= limit:
            break
    return text


def _document(document: Document, images: Mapping[str, str], detail: _Detail) -> Iterator[str]:
    yield f"<!-- generator: {document.generator} -->"
    yield f"# {escaped(document.title)}"
    yield _line(document.lead)
    for alert in document.alerts:
        yield _alert(alert, detail)
    for section in document.sections:
        yield from _section(section, 2, images, detail)


def _section(
    section: Section, level: int, images: Mapping[str, str], detail: _Detail
) -> Iterator[str]:
    if section.folded:
        yield f"<details><summary>{in_html(section.title)}</summary>"
    else:
        yield f"{'#' * level} {escaped(section.title)}"
    for block in section.blocks:
        yield from _block(block, level + 1, images, detail)
    for inner in section.sections:
        yield from _section(inner, level + 1, images, detail)
    if section.folded:
        yield "</details>"


def _block(block: Block, level: int, images: Mapping[str, str], detail: _Detail) -> Iterator[str]:
    match block:
        case Figure():
            yield from _figure(block, level, images[block.slug], detail)
        case Table():
            yield from _table(block, detail)
        case Picture():
            pass  # the text next to the picture has the same content
        case _:
            yield _simple(block, detail)


def _simple(
    block: Paragraph | Alert | Bullets | Definitions | Quote | Command | Attachment, detail: _Detail
) -> str:
    match block:
        case Paragraph(line):
            return _line(line)
        case Alert():
            return _alert(block, detail)
        case Bullets(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Definitions(items):
            return "\n".join(
                f"- {_headed(escaped(term), detail)}{_line(line)}" for term, line in items
            )
        case Quote(text):
            return f"> {escaped(text)}"
        case Command(text):
            ticks = fence(text, 3)
            return f"{ticks}sh\n{text}\n{ticks}"
        case Attachment(name, note=note):
            return f"{code(name)}: {escaped(note)}"


def _figure(figure: Figure, level: int, image: str, detail: _Detail) -> Iterator[str]:
    yield f"{'#' * level} {escaped(figure.title)}"
    yield escaped(figure.caption)
    yield f"![{escaped(figure.title)}]({quote(image)})"
    if detail.plot_tables:
        data = tr("Data of this plot").said(of_tag(detail.language))
        yield f"<details><summary>{data}</summary>"
        yield from _table(figure.table, detail)
        yield "</details>"


def _alert(alert: Alert, detail: _Detail) -> str:
    return f"> **{_headed(escaped(alert.title), detail).rstrip()}** {_line(alert.line)}"


def _headed(title: str, detail: _Detail) -> str:
    """``title`` and a colon in the style of the language."""
    return tr("{title}: ", title=title).said(of_tag(detail.language))


def _table(table: Table, detail: _Detail) -> Iterator[str]:
    shown = table.rows if detail.rows is None else table.rows[: detail.rows]
    yield f"**{escaped(table.caption)}**"
    lines = [
        _cells([escaped(column.title) for column in table.columns]),
        _cells(["---:" if column.numeric else "---" for column in table.columns]),
        *(_cells([_line(cell, in_table=True) for cell in row]) for row in shown),
    ]
    yield "\n".join(lines)
    if len(shown) < len(table.rows):
        more = tr_n(
            "{count} more row: see the results file.",
            "{count} more rows: see the results file.",
            len(table.rows) - len(shown),
        )
        yield more.said(of_tag(detail.language))


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_SIGN = re.compile(r"[^\w\s*]\*\*$")


def _line(line: Line, *, in_table: bool = False) -> str:
    text = ""
    for part in line:
        told = _inline(part, in_table=in_table)
        # After emphasis that ends with a sign, a letter needs a space: CommonMark 0.31, 6.2.
        text += " " if _SIGN.search(text) and told[:1].isalnum() else ""
        text += told
    return text.strip()


def _inline(part: Inline, *, in_table: bool) -> str:
    match part:
        case Code(text):
            return code(text, in_table=in_table)
        case Strong(text):
            inner = escaped(text)
            # The closing ** must not follow a space: "**a: **b" is not strong.
            return f"**{inner.rstrip()}**{' ' if inner.endswith(' ') else ''}" if inner else ""
        case Link(text, anchor):
            return f"[{escaped(text)}](#{anchor})"
        case English(text):
            return escaped(text)
        case _:
            return escaped(part)
