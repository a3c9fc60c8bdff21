"""The cells of a comparison table as ASCII text, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import MappingProxyType

from membench.analysis.comparison import Mean
from membench.analysis.differences import Differences
from membench.analysis.figures import Figures
from membench.analysis.finding import Difference
from membench.analysis.verdict import Reason, Verdict
from membench.core.messages import listed, tr
from membench.core.text import counted
from membench.core.units import Scale, significant, significant_rows, significant_texts
from membench.results.compact.row import Measurement

GLYPH: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.BETTER: "^",
        Verdict.WORSE: "v",
        Verdict.SAME: "=",
        Verdict.UNCLEAR: "?",
        Verdict.NA: "-",
    }
)


_WORDS: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.BETTER: tr("better"),
        Verdict.WORSE: tr("worse"),
        Verdict.SAME: tr("same"),
        Verdict.UNCLEAR: tr("unclear"),
        Verdict.NA: tr("n/a"),
    }
)


def value_columns(figures: Figures, scale: Scale) -> tuple[list[str], list[str], list[str]]:
    """Three lists with one cell per label: values, half ranges, and shares of the peak.

    The half range of a label's values is relative to their median, such as ``+-1.2%``. If there is
    no half range, the cell has the result of `_origin`. An absent value is ``-``.
    """
    values, halves, shares = figures.values, figures.half_ranges, figures.peak_shares
    known = [one for one in values if one is not None]
    spreads = [100 * one for one in halves if one is not None]
    return (
        _by_side(values, scale.format_all(known), lambda _side: "-"),
        _by_side(
            halves,
            _joined_form("+-%.1f%%", spreads),
            lambda side: _origin(figures.rows[side]),
        ),
        ["" if one is None else f"{one:.0%}" for one in shares],
    )


def _by_side(
    values: Sequence[float | None], known: list[str], of_unknown: Callable[[int], str]
) -> list[str]:
    """One text per value: from ``of_unknown`` for None, and from ``known`` for any other value."""
    if len(known) == len(values):
        return known
    shown = iter(known)
    return [of_unknown(side) if one is None else next(shown) for side, one in enumerate(values)]


def _joined_form(form: str, values: Sequence[float]) -> list[str]:
    """``form % value`` for each of ``values``, fast for many values."""
    return ("\n".join([form] * len(values)) % tuple(values)).split("\n") if values else []


def _origin(rows: Sequence[Measurement]) -> str:
    """``cited`` or ``import`` for a value that membench did not measure; otherwise empty."""
    if any(one.common.cited for one in rows):
        return "cited"
    return "import" if any(one.common.imported for one in rows) else ""


def ratio_texts(differences: Differences) -> list[str]:
    """One cell per label, such as ``1.457 [1.451, 1.463]``.

    Without an interval, the cell has only the ratio. Without a ratio, the cell is empty.
    """
    texts = differences.by_estimate(partial(significant_rows, _SPAN), _ratio_text)
    return [one or "" for one in texts]


_SPAN = "{} [{}, {}]"


def _ratio_text(finding: Difference) -> str:
    if finding.ratio is None:
        return ""
    if finding.interval is None:
        return significant(finding.ratio)
    return _SPAN.format(*map(significant, (finding.ratio, *finding.interval)))


def best_texts(differences: Differences) -> list[str]:
    """One cell per label: the ratio of the best samples, such as ``1.003``. It may be empty."""
    bests = differences.bests
    known = significant_texts([one for one in bests if one is not None])
    return _by_side(bests, known, lambda _side: "")


def verdict_texts(differences: Differences) -> list[str]:
    """One cell per label, such as ``^ better`` or ``? unclear (n=3)``.

    The cell is empty for the reference, and for a label without a number.
    """
    return [one or "" for one in differences.by_outcome(_verdict_of)]


def _verdict_of(finding: Difference) -> str:
    few = finding.reason is Reason.FEW
    beyond = finding.within_offset and finding.verdict in (Verdict.BETTER, Verdict.WORSE)
    return _verdict_text(
        finding.verdict,
        finding.reason,
        count_text(finding) if few else "",
        f"{finding.offset:.1%}" if beyond else "",
    )


@cache
def _verdict_text(verdict: Verdict, reason: Reason, n: str, share: str) -> str:
    glyph, word = GLYPH[verdict], _WORDS[verdict]
    if reason is Reason.SIZE:
        return tr("{glyph} {verdict} (other size)", glyph=glyph, verdict=word)
    if reason is Reason.CASE:
        return tr("{glyph} {verdict} (other case)", glyph=glyph, verdict=word)
    if reason is Reason.FEW:
        return tr("{glyph} {verdict} (n={n})", glyph=glyph, verdict=word, n=n)
    if share:
        return tr(
            "{glyph} {verdict} (runs differ by {share})", glyph=glyph, verdict=word, share=share
        )
    return tr("{glyph} {verdict}", glyph=glyph, verdict=word)


def verdict_word(verdict: Verdict) -> str:
    return _WORDS[verdict]


def counts_text(counts: Mapping[Verdict, int]) -> str:
    """A text such as ``3 better, 1 unclear``."""
    return listed(
        tr("{count} {verdict}", count=counts[verdict], verdict=_WORDS[verdict])
        for verdict in Verdict
        if counts[verdict]
    )


def count_text(finding: Difference) -> str:
    """Number of values: ``5``, or ``1/5`` if the reference has 1 and the label has 5."""
    first, second = finding.counts
    return str(first) if first == second else f"{first}/{second}"


def mean_text(mean: Mean, *, several: bool) -> str:
    """``geomean, 2 cases``; if there are ``several`` statistics, ``geomean p99, 2 cases``."""
    cases = counted(mean.count, "case")
    return f"geomean {mean.stat}, {cases}" if several else f"geomean, {cases}"
