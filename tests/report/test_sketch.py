"""Plots as recorded drawing commands: equal commands give equal pictures, and vice versa."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from membench.report.plots import style
from membench.report.plots.sketch import Sketch
from membench.report.plots.widths import columns, shortened


def _paint(canvas: Any, top: float = 5.0, label: str = "a") -> None:
    panels = canvas.subplots(2, 1, sharex=True, squeeze=False)[:, 0]
    panels[0].plot([1, 2, 3], np.array([1.0, 4.0, top]), label=label, **style.line(0))
    style.log_axis(panels[0], "y", [1, top])
    style.size_axis(panels[1], [1024.0, 4096.0])
    style.square(panels[1], 2048, 0.5, 0.1, facecolor="none")
    style.note(panels[0], "peak", 2, panels[0].get_ylim()[1])
    style.legend(canvas, panels[0])


def _notes(paint: Callable[[Any], None]) -> list[Any]:
    sketch = Sketch()
    paint(sketch.figure)
    return sketch.content()


def test_what_is_drawn_from_notes_is_what_would_be_drawn_at_once() -> None:
    sketch = Sketch()
    _paint(sketch.figure)
    drawn = [style._drawn(200, paint) for paint in (_paint, sketch.draw)]
    assert drawn[0] == drawn[1]
    assert drawn[0].count("<path") > 10


def test_one_drawing_gives_what_savefig_gives(tmp_path: Any) -> None:
    """Matplotlib's savefig draws everything twice."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style._RC)
        canvas = Figure(figsize=(style.WIDTH / 72, 200 / 72), layout="constrained")
        FigureCanvasSVG(canvas)
        _paint(canvas)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(tmp_path / "whole.svg", metadata=nothing)
    assert style._drawn(200, _paint) == (tmp_path / "whole.svg").read_text()


def test_equal_plots_have_equal_notes_and_others_not() -> None:
    notes = [
        _notes(_paint),
        _notes(lambda canvas: _paint(canvas, top=6.0)),
        _notes(lambda canvas: _paint(canvas, label="b")),
    ]
    assert _notes(_paint) == notes[0]
    assert notes[0] != notes[1] != notes[2] != notes[0]


def test_a_picture_is_drawn_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first = style.plot("slug", "title", "description", 200, _paint).svg()

    def fail(*_: Any) -> str:
        raise AssertionError("it was drawn again")

    monkeypatch.setattr(style, "_drawn", fail)
    assert style.plot("slug", "title", "description", 200, _paint).svg() == first
    for title, points in (("other", 200), ("title", 201)):
        with pytest.raises(AssertionError, match="drawn again"):
            style.plot("slug", title, "description", points, _paint).svg()

    def higher(canvas: Any) -> None:
        _paint(canvas, top=6.0)

    with pytest.raises(AssertionError, match="drawn again"):
        style.plot("slug", "title", "description", 200, higher).svg()


def test_what_cannot_be_noted_is_refused() -> None:
    sketch = Sketch()
    sketch.figure.subplots().plot(object())
    with pytest.raises(TypeError, match="object"):
        sketch.content()
    with pytest.raises(TypeError):
        _low, _high = sketch.figure.subplots().get_xlim()


def test_chinese_letters_are_measured_as_wide_as_they_are_high() -> None:
    """Matplotlib's font has no Chinese letters, and the reader's font is unknown."""
    from matplotlib.font_manager import FontProperties

    from membench.report.plots.svg_canvas import SvgCanvas

    renderer = SvgCanvas(Figure(dpi=72)).get_renderer()
    font = FontProperties(size=10)
    for text, least, most in (("延遲", 19, 21), ("延遲 ns", 33, 38), ("nsns", 20, 26)):
        width, *_ = renderer.get_text_width_height_descent(text, font, ismath=False)
        assert least < width < most, text


def test_a_name_is_shortened_by_its_width() -> None:
    assert columns("延遲 ns") == 7
    assert shortened("延遲 ns", 7) == "延遲 ns"
    assert shortened("主機記憶體的延遲", 12) == "...體的延遲"
    assert columns(shortened("workload.agent.shared", 12)) == 12


def test_a_row_of_a_plot_is_as_high_as_it_has_marks() -> None:
    lanes = style.Lanes.of([1, 3])
    first, second = (list(row) for row in lanes.places)
    assert first == pytest.approx([0.8])
    assert second == pytest.approx([2.4, 3.4, 4.4])
    assert list(lanes.centres) == pytest.approx([0.8, 3.4])
    assert lanes.end == pytest.approx(5.2)
    assert style.Lanes.of([1, 1]).height < lanes.height
