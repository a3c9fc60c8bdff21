"""Render a document as one self-contained HTML file."""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from membench.core.record import record
from membench.report.locale import of_tag
from membench.report.page.document import (
    Attachment,
    Block,
    Code,
    Column,
    Document,
    Drawing,
    English,
    Figure,
    Inline,
    Line,
    Link,
    Strong,
)
from membench.report.plots.style import DARK, LIGHT

if TYPE_CHECKING:
    from jinja2 import Template

_PLAIN_BYTES = 256 * 1024
"""Largest attachment in bytes that is embedded without compression."""
_LEVEL = 6
"""Level of gzip; a higher level takes longer and saves few bytes."""


_PLOT = Markup("<!--plot-->")
"""Placeholder for a plot. All texts are escaped, so no text contains it."""


@record
class Layout:
    """A page without its plots: ``parts`` are the HTML before, between and after the plots."""

    parts: tuple[str, ...]
    plots: tuple[Drawing, ...]

    def page(self) -> str:
        """Draw the plots and return the whole page."""
        first, *rest = self.parts
        pictures = (f"{plot.svg()}{text}" for plot, text in zip(self.plots, rest, strict=True))
        return "".join((first, *pictures))


def render(document: Document) -> str:
    """``document`` as HTML; all texts are escaped."""
    return lay_out(document).page()


def lay_out(document: Document) -> Layout:
    """``document`` as HTML, without drawing the plots of its figures."""
    plots: list[Drawing] = []

    def later(plot: Drawing) -> Markup:
        plots.append(plot)
        return _PLOT

    say = of_tag(document.language).gettext
    page = _template().render(
        document=document, light=LIGHT, dark=DARK, _=say, region=_region_names(), plot=later
    )
    return Layout(tuple(f"{page}\n".split(_PLOT)), tuple(plots))


def _region_names() -> Callable[[str], str]:
    """A function that makes a unique name from the caption of a table.

    The second table with the caption ``Results`` gets the name ``Results #2``. Screen readers list
    the regions of a page by name (WAI-ARIA 1.2, landmark regions).
    """
    seen: Counter[str] = Counter()

    def name(caption: str) -> str:
        seen[caption] += 1
        return caption if seen[caption] == 1 else f"{caption} #{seen[caption]}"

    return name


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("membench.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = line
    environment.filters["wrapping"] = wrapping
    environment.filters["download"] = download
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["cell_class"] = _cell_class
    environment.filters["grouped"] = _grouped
    environment.filters["svg"] = Markup  # our own plots, which escape their input
    return environment.get_template("report.html.j2")


def _cell_class(column: Column) -> Markup:
    if column.numeric:
        return Markup(' class="n"')
    return Markup(' class="p"') if column.prose else Markup()


def _grouped(blocks: Iterable[Block]) -> list[tuple[bool, list[Block]]]:
    """Split ``blocks`` into groups of neighbouring figures and groups of other blocks.

    Returns pairs (whether the group has figures, its blocks). Figures of a group share a grid.
    """
    groups = groupby(blocks, lambda block: isinstance(block, Figure))
    return [(figures, list(several)) for figures, several in groups]


def line(parts: Line) -> Markup:
    return Markup().join(_inline(part) for part in parts)


def _inline(part: Inline) -> Markup:
    match part:
        case Code(text):
            return Markup("<code>{}</code>").format(wrapping(text))
        case English(text):
            return Markup('<span lang="en">{}</span>').format(text)
        case Strong(text):
            return Markup("<strong>{}</strong>").format(text)
        case Link(text, anchor):
            return Markup('<a href="#{}">{}</a>').format(anchor, text)
        case _:
            return escape(part)


def wrapping(text: str) -> Markup:
    """``text``, such as a case id, as HTML that may break after each slash."""
    return Markup("/<wbr>").join(text.split("/"))


def download(attachment: Attachment) -> dict[str, str]:
    """The file name and the ``data:`` URL of ``attachment``; a large file is compressed."""
    name, media, data = attachment.name, attachment.media, attachment.data
    if len(data) > _PLAIN_BYTES:
        name, media, data = f"{name}.gz", "application/gzip", gzip.compress(data, _LEVEL, mtime=0)
    return {"name": name, "href": f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"}
