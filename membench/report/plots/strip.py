"""Draw the statistic of a proposition: its range, the thresholds, and the strongest inputs.

A report has dozens of these small drawings. This module writes the SVG directly, because
Matplotlib would take longer and write larger files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from membench.core.messages import span, tr
from membench.core.record import record
from membench.core.terms import ClaimVerdict
from membench.report.plots.style import LIGHT, WIDTH
from membench.report.plots.widths import shortened
from membench.thesis.claims.amounts import amount, rounded_number
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.rule import VerdictThresholds
from membench.thesis.claims.tornado import Bar
from membench.thesis.claims.verdict_words import VERDICTS

_LEFT, _RIGHT, _ROW, _TOP = 128, 16, 17, 30
_LOG_FROM = 20.0
"""Ratio of the largest to the smallest value above which the axis is logarithmic."""
BARS = 4
_MOST = 22
"""Maximum width of the name of an input, in letters; a longer name is cut."""


@record
class Label:
    """Text at a point.

    Attributes:
        x, y: the point in units of the viewBox.
        anchor: ``start`` if the text begins at the point, ``end`` if the text ends there.
        colour: a key of `style.LIGHT`.
        most: maximum width of the text in letters.
    """

    x: float
    y: float
    text: str
    anchor: str
    colour: str
    most: int = 99

    def __str__(self) -> str:
        text = escape(shortened(self.text, self.most))
        return (
            f'<text x="{self.x:.1f}" y="{self.y:.1f}" text-anchor="{self.anchor}" '
            f'font-size="9.5" fill="{_var(self.colour)}">{text}</text>'
        )


@record
class Strip:
    """A drawing with a description.

    Attributes:
        slug: a name that is unique in the page.
        height: height in units of the viewBox.
        marks: the labels, and all other elements as SVG text.
    """

    slug: str
    description: str
    height: float
    marks: tuple[Label | str, ...]

    def svg(self) -> str:
        body = "\n".join(map(str, self.marks))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
            f'role="img" aria-labelledby="{self.slug}-title">'
            f'<title id="{self.slug}-title">{escape(self.description)}</title>\n{body}\n</svg>'
        )


@record
class _Axis:
    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, values: Sequence[float]) -> _Axis:
        low, high = min(values), max(values)
        log = low > 0 and high / low > _LOG_FROM
        if log:
            return cls(low / 1.15, high * 1.15, log=True)
        room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - room, high + room, log=False)

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, self.low))
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def draw(verdict: PartVerdict, slug: str, names: dict[str, str]) -> Strip | None:
    """Draw the statistic of ``verdict`` on a scale with the thresholds.

    The result is None without thresholds or without a computed statistic.
    ``names`` maps inputs to readable names; an input without an entry keeps its name.
    """
    rule = verdict.part.thresholds
    if rule is None or not verdict.variants:
        return None
    grid = np.concatenate([np.ravel(variant.draws) for variant in verdict.variants])
    low, middle, high = (float(value) for value in np.percentile(grid, (5, 50, 95)))
    bars = [bar for bar in verdict.bars[:BARS] if math.isfinite(bar.at_low + bar.at_high)]
    shown = [low, middle, high, rule.supports, rule.contradicts]
    axis = _Axis.around([*shown, *(end for bar in bars for end in (bar.at_low, bar.at_high))])
    unit = verdict.part.unit
    description = tr(
        "The 5th to 95th percentiles of the draws are {range}, and the median is {median}. The "
        "supporting threshold is {supports}, and the contradicting threshold is {contradicts}",
        range=span(_number(low, unit), amount(_number(high, unit), unit)),
        median=_number(middle, unit),
        supports=_number(rule.supports, unit),
        contradicts=_number(rule.contradicts, unit),
    )
    height = _TOP + _ROW * (1 + len(bars)) + 18
    marks = (
        *_thresholds(axis, rule, height, unit),
        *_draws(axis, low, middle, high),
        *_bars(axis, bars, names),
        *_ends(axis, height, unit),
    )
    return Strip(slug, description, height, marks)


def _draws(axis: _Axis, low: float, middle: float, high: float) -> Iterator[Label | str]:
    y = _TOP + _ROW / 2
    left, right = axis.place(low), axis.place(high)
    width = max(2.0, right - left)
    yield Label(_LEFT - 6, y + 3.5, tr("values, P5 to P95"), "end", "plot-ink")
    yield (
        f'<rect x="{left:.1f}" y="{y - 5:.1f}" width="{width:.1f}" height="10" '
        f'fill="{_var("plot-1")}"/>'
    )
    place = axis.place(middle)
    yield _line(place, y - 7, place, y + 7, "plot-ink", 'stroke-width="2"')


def _bars(axis: _Axis, bars: Sequence[Bar], names: dict[str, str]) -> Iterator[Label | str]:
    for number, bar in enumerate(bars, 1):
        y = _TOP + _ROW * (number + 0.5)
        left, right = sorted((axis.place(bar.at_low), axis.place(bar.at_high)))
        name = names.get(bar.name, bar.name)
        yield Label(_LEFT - 6, y + 3.5, name, "end", "plot-muted", _MOST)
        yield (
            f'<rect x="{left:.1f}" y="{y - 3:.1f}" width="{max(1.5, right - left):.1f}" '
            f'height="6" fill="none" stroke="{_var("plot-muted")}"/>'
        )


def _thresholds(
    axis: _Axis, rule: VerdictThresholds, height: float, unit: str
) -> Iterator[Label | str]:
    supports, contradicts = axis.place(rule.supports), axis.place(rule.contradicts)
    for y, place, word, colour, extra in (
        (10, supports, ClaimVerdict.SUPPORTED, "plot-3", ""),
        (22, contradicts, ClaimVerdict.CONTRADICTED, "plot-2", 'stroke-dasharray="4 3"'),
    ):
        # Labels on two lines never overlap.
        yield _line(place, y - 8, place, height - 16, colour, f'stroke-width="1.4" {extra}'.strip())
        value = rule.supports if colour == "plot-3" else rule.contradicts
        anchor, shift = ("end", -3) if place > WIDTH - 100 else ("start", 3)
        text = tr("{verdict} {value}", verdict=VERDICTS[word], value=_number(value, unit))
        yield Label(place + shift, y, text, anchor, "plot-ink")


def _ends(axis: _Axis, height: float, unit: str) -> Iterator[Label | str]:
    yield _line(_LEFT, height - 15, WIDTH - _RIGHT, height - 15, "plot-grid", 'stroke-width="1"')
    yield Label(_LEFT, height - 3, _number(axis.low, unit), "start", "plot-muted")
    high: str = amount(_number(axis.high, unit), unit)
    if axis.log:
        high = tr("{end}, logarithmic", end=high)
    yield Label(WIDTH - _RIGHT, height - 3, high, "end", "plot-muted")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, extra: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{_var(colour)}" {extra}/>'
    )


def _var(name: str) -> str:
    return f"var(--{name}, {LIGHT[name]})"


def _number(value: float, unit: str) -> str:
    return rounded_number(value, unit) if abs(value) < 1e6 else f"{value:.3g}"
