"""Define the style of all plots, and convert Matplotlib's SVG to an SVG for a page.

Matplotlib draws in the colours of `LIGHT`. In the SVG, each colour becomes a CSS variable, so that
one picture fits light, dark and printed pages. The same data give the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from membench.core.kept import kept, key_of, load, sources_key, version_of
from membench.core.messages import tr
from membench.core.record import record
from membench.core.units import format_size
from membench.report.plots.loading import load_matplotlib
from membench.report.plots.sketch import Sketch, drawn_later
from membench.report.plots.widths import columns

if TYPE_CHECKING:  # takes half a second to load; only plots that are not cached need it
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import Locator

WIDTH = 376  # units of the viewBox; letters are then 9 px high on a phone
ROW = 17  # height of one line of text in a column

# Okabe and Ito's palette (2008), in an order in which neighbours differ most. The dark page uses
# lighter colours. Markers and line styles also distinguish the series.
LIGHT = {
    "plot-ink": "#1b2430",
    "plot-muted": "#5b6673",
    "plot-grid": "#e3e7ec",
    "plot-1": "#0072b2",
    "plot-2": "#d55e00",
    "plot-3": "#009e73",
    "plot-4": "#cc79a7",
    "plot-5": "#e69f00",
    "plot-6": "#56b4e9",
}
DARK = {
    "plot-ink": "#e4e9ef",
    "plot-muted": "#a3adb8",
    "plot-grid": "#2a323c",
    "plot-1": "#56b4e9",
    "plot-2": "#e69f00",
    "plot-3": "#00b386",
    "plot-4": "#cc79a7",
    "plot-5": "#f0e442",
    "plot-6": "#0091e0",
}
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), "-", (0, (5, 2)))
SERIES = len(MARKERS)
"""Maximum number of series in a plot, so that the plot stays readable."""

INK, MUTED, GRID = LIGHT["plot-ink"], LIGHT["plot-muted"], LIGHT["plot-grid"]

_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "membench",
    "text.parse_math": False,
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
}


@record
class NotDrawn:
    """A plot without enough data; ``reason`` names the missing data."""

    title: str
    reason: str


def colour(index: int) -> str:
    """The colour of series ``index`` on a light page."""
    return LIGHT[f"plot-{index % SERIES + 1}"]


def mark(index: int, *, cited: bool = False) -> dict[str, Any]:
    """Matplotlib's options for the medians of series ``index``; with ``cited``, hollow marks."""
    hollow = {"fillstyle": "none", "markeredgewidth": 1.3} if cited else {}
    return {"marker": MARKERS[index % SERIES], "color": colour(index), "linestyle": "none"} | hollow


def line(index: int, *, cited: bool = False) -> dict[str, Any]:
    """Matplotlib's options for the line of series ``index``; with ``cited``, a dotted line."""
    dash = CITED_DASH if cited else DASHES[index % SERIES]
    return {**mark(index, cited=cited), "linestyle": dash}


CITED_DASH = (0, (1, 2.2))
"""Dash pattern of lines for published values."""
ASSUMED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 3)), "linewidth": 1.1}
"""Style of lines for assumed values, such as specifications and prices."""


def note(axes: Axes, text: str, x: float, y: float, **place: Any) -> None:
    """Write ``text`` in small letters at the point (x, y); ``place`` changes the alignment."""
    axes.annotate(
        text,
        (x, y),
        **{
            "xytext": (3, -2),
            "textcoords": "offset points",
            "fontsize": 9,
            "color": MUTED,
            "va": "top",
            **place,
        },
    )


@drawn_later
def square(axes: Axes, x: float, y: float, side: float, **look: Any) -> None:
    """Draw a square with centre (x, y); ``side`` is the length in units of the axes."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x - side / 2, y - side / 2), side, side, **look))


def rounds(index: int) -> dict[str, Any]:
    """Matplotlib's options for the values of single rounds of series ``index``."""
    small = {"marker": "o", "markersize": 3.2, "fillstyle": "none", "markeredgewidth": 0.7}
    return {**small, "color": colour(index), "linestyle": "none"}


@record
class Plot:
    """A plot of `WIDTH` by ``height`` units of the viewBox.

    The texts, also those in ``sketch``, may be `Message` objects. The function
    `membench.report.locale.in_language` replaces the messages with plain text in one language.
    Before that, `svg` draws English.
    """

    slug: str
    title: str
    description: str
    height: float
    sketch: Sketch

    def svg(self) -> str:
        """The picture as an ``<svg>`` element, from the cache if possible."""

        def made() -> bytes:
            drawn = _drawn(self.height, self.sketch.draw)
            return _adopt(drawn, self.slug, *self._texts).encode()

        return kept(CACHE, self._key, made).decode()

    def is_cached(self) -> bool:
        return load(CACHE, self._key) is not None

    @property
    def _texts(self) -> tuple[str, str]:
        return str(self.title), str(self.description)

    @property
    def _key(self) -> str:
        versions = [version_of("matplotlib"), version_of("numpy"), sources_key(*_SOURCES)]
        calls = self.sketch.content()
        return key_of(versions, self.slug, *self._texts, float(self.height), calls)


def plot(
    slug: str, title: str, description: str, height: float, paint: Callable[[Canvas], None]
) -> Plot:
    """Record the drawing calls of ``paint`` as a plot of `WIDTH` by ``height`` units."""
    sketch = Sketch()
    paint(sketch.figure)
    return Plot(slug, title, description, height, sketch)


CACHE = "plots"
"""Name of the directory in the cache."""
_SOURCES = (Path(__file__).parent,)


def _drawn(height: float, paint: Callable[[Canvas], None]) -> str:
    load_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    from membench.report.plots.svg_canvas import SvgCanvas

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        canvas = Canvas(figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained")
        backend = SvgCanvas(canvas)
        paint(canvas)
        return backend.svg()


@drawn_later
def legend(canvas: Canvas, axes: Axes) -> None:
    """Put the names of the series above the axes, in one to three columns."""
    handles, names = axes.get_legend_handles_labels()
    longest = max(map(columns, names), default=0)
    beside = max(1, min(3, len(names), 58 // (longest + 7)))
    canvas.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=beside,
        handlelength=2.6,
        columnspacing=1.4,
        borderaxespad=0.1,
    )


@record
class Lanes:
    """Vertical positions of the marks in a plot with named rows. A row has one lane per mark.

    The unit is the height of a lane.

    Attributes:
        places: for each row, the positions of the marks.
        centres: the positions of the row names.
        end: the lower end of the axis; the upper end is 0.
    """

    places: tuple[tuple[float, ...], ...]
    centres: tuple[float, ...]
    end: float

    @classmethod
    def of(cls, counts: Sequence[int]) -> Lanes:
        """Place the marks of all rows; ``counts`` has the number of marks in each row."""
        starts = [0.0]
        for count in counts:
            starts.append(starts[-1] + count + 0.6)
        places = tuple(
            tuple(start + 0.8 + lane for lane in range(count))
            for start, count in zip(starts, counts, strict=False)
        )
        return cls(places, tuple((row[0] + row[-1]) / 2 for row in places), starts[-1])

    @property
    def height(self) -> float:
        """The height of all rows in units of the viewBox."""
        return 13 * self.end


def row_axis(axes: Axes, lanes: Lanes, names: Sequence[str]) -> None:
    axes.set_yticks(lanes.centres, names)
    axes.set_ylim(lanes.end, 0)
    axes.tick_params(axis="y", length=0)


@drawn_later
def size_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """Set a logarithmic x axis (base 2) around ``sizes`` in bytes."""
    from matplotlib.ticker import FixedLocator

    low, high = math.floor(math.log2(min(sizes))), math.ceil(math.log2(max(sizes)))
    step = max(1, math.ceil((high - low) / 6))
    ticks = [2.0**power for power in range(low, high + 1, step)]
    axes.set_xscale("log", base=2)
    _ticks(axes.xaxis, FixedLocator(ticks), lambda size: format_size(int(size)))
    axes.set_xlim(min(sizes) / 1.3, max(sizes) * 1.3)


@drawn_later
def count_axis(axes: Axes, counts: Sequence[float]) -> None:
    """Set a logarithmic x axis (base 2) with a tick at each of ``counts``."""
    from matplotlib.ticker import FixedLocator

    axes.set_xscale("log", base=2)
    _ticks(axes.xaxis, FixedLocator(sorted(set(counts))), lambda count: f"{count:g}")
    axes.set_xlim(min(counts) / 1.2, max(counts) * 1.2)


@drawn_later
def log_axis(axes: Axes, which: str, values: Sequence[float], room: float = 1.0) -> None:
    """Set a logarithmic axis ``which`` (x or y) that spans ``values`` and at least a factor of 4.

    The upper end is multiplied by ``room``, to leave space for labels.
    """
    from matplotlib.ticker import LogLocator

    low, high = min(values), max(values)
    margin = max(1.15, (4 * low / high) ** 0.5)
    low, high = low / margin, high * margin * room
    span = high / low
    subs = _FINE if span < 8 else (1.0, 2.0, 5.0) if span < 2000 else (1.0,)
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    _ticks(
        axis,
        LogLocator(10, subs=subs, numticks=12),
        lambda value: f"{value:g}".replace("e+0", "e"),
    )
    axes.set(**{f"{which}lim": (low, high)})


def log_text(axis: str) -> str:
    """The label of a logarithmic axis."""
    return tr("{axis}, log scale", axis=axis)


@drawn_later
def time_axis(axes: Axes) -> None:
    """Label the ticks of a logarithmic x axis in ns with texts such as ``10 us``."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    def text(value: float, _: object) -> str:
        return next(f"{value / ns:g} {unit}" for ns, unit in _TIMES if value >= ns or ns == 1)

    low, high = axes.get_xlim()
    subs = (1.0,) if high / low > 50 else (1.0, 2.0, 5.0)  # the names are long
    axes.xaxis.set_major_locator(LogLocator(10, subs=subs, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(text))


_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns"))


@drawn_later
def zero_axis(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Set a linear axis from 0 to 1.08 times the largest of ``values``; ``which`` is x or y."""
    from matplotlib.ticker import MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(6))
    axes.set(**{f"{which}lim": (0, 1.08 * max(values))})


def _ticks(axis: Axis, locator: Locator, text: Callable[[float], str]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())


_FINE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
_NUMBERS = re.compile(r'\b(?:d|x|y|x1|x2|y1|y2|points|transform)="[^"<>]*"')
_LONG = re.compile(r"(-?\d+\.\d\d)\d+")
_ID = re.compile(r'\s+id="([^"]*)"')
_USED = re.compile(r'(?:xlink:href="#|url\(#)([^")]*)')


def _adopt(svg: str, slug: str, title: str, description: str) -> str:
    """``svg`` with title, description, CSS colours, and coordinates cut after two decimals."""
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _NUMBERS.sub(lambda match: _LONG.sub(r"\1", match[0]), svg)
    used = set(_USED.findall(svg))
    svg = _ID.sub(lambda match: f' id="{slug}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{slug}-", svg)
    for name, value in LIGHT.items():
        svg = svg.replace(value, f"var(--{name}, {value})")
    head, _, body = svg.partition(">")
    head = re.sub(r'\s(?:width|height|version)="[^"]*"', "", head)
    return (
        f'{head} role="img" aria-labelledby="{slug}-title {slug}-desc">'
        f'\n <title id="{slug}-title">{escape(title)}</title>'
        f'\n <desc id="{slug}-desc">{escape(description)}</desc>{body}'
    )
