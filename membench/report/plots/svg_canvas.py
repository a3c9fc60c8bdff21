"""Matplotlib's SVG backend, for text in fonts that only the reader has.

Text stays text in the SVG, and the page chooses the font. Matplotlib only measures it, with its own
font, which has no Chinese characters: each of them counts as the `EM` of that font.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure

from membench.report.plots.widths import WIDE

EM = "@"
"""A character that is as wide as the font is high, like every Chinese character."""


class _Renderer(RendererSVG):
    """Measures the characters that Matplotlib's font lacks by their width in any other font."""

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        measured: tuple[float, float, float] = super().get_text_width_height_descent(  # type: ignore[no-untyped-call]
            WIDE.sub(EM, s), prop, ismath
        )
        return measured


class SvgCanvas(FigureCanvasSVG):
    """The canvas of a figure of 72 dots an inch."""

    def get_renderer(self) -> _Renderer:
        """A renderer that measures for the layout."""
        return self._renderer(io.StringIO())

    def svg(self) -> str:
        """The figure, drawn once: `savefig` would draw it first only for the layout."""
        figure: Figure = self.figure
        layout = figure.get_layout_engine()
        assert layout is not None
        layout.execute(figure)
        figure.set_layout_engine("none")
        stream = io.StringIO()
        renderer = self._renderer(stream)
        figure.draw(renderer)
        renderer.finalize()  # type: ignore[no-untyped-call]
        return stream.getvalue()

    def _renderer(self, stream: io.StringIO) -> _Renderer:
        width, height = 72 * self.figure.get_size_inches()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        return _Renderer(width, height, stream, image_dpi=72, metadata=nothing)  # type: ignore[no-untyped-call]
