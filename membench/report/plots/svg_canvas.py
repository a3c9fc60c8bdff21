"""A variant of Matplotlib's SVG backend, which leaves the choice of the font to the reader.

Text stays text in the SVG, and Matplotlib only measures it. The measuring font has no Chinese
characters, so this backend measures the character `EM` instead of each Chinese character.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure

from membench.report.plots.widths import WIDE

EM = "@"
"""A character with a width about equal to the font size, like a Chinese character."""


_MEASURED: dict[tuple[str, int, Any], tuple[float, float, float]] = {}
"""(text, hash of the font's properties, mathematics) -> width, height and descent.

Matplotlib measures most texts several times: for the layout, for the drawing, and in each plot.
"""


class _Renderer(RendererSVG):
    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        key = s, hash(prop), ismath
        if key not in _MEASURED:
            _MEASURED[key] = super().get_text_width_height_descent(  # type: ignore[no-untyped-call]
                WIDE.sub(EM, s), prop, ismath
            )
        return _MEASURED[key]


class SvgCanvas(FigureCanvasSVG):
    """The canvas of a figure with 72 dots per inch."""

    def get_renderer(self) -> _Renderer:
        """The renderer that measures text for the layout."""
        return self._renderer(io.StringIO())

    def svg(self) -> str:
        """The figure as SVG, drawn only once; `savefig` would draw the figure twice."""
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
