"""The cells of a comparison table as ASCII text, the same on the screen and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from membench.analysis.comparison import Mean
from membench.analysis.figure import CaseRuns
from membench.analysis.finding import Difference
from membench.analysis.verdict import Reason, Verdict
from membench.core.messages import listed, tr
from membench.core.text import counted
from membench.core.units import Scale, significant

GLYPH: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.BETTER: "^",
        Verdict.WORSE: "v",
        Verdict.SAME: "=",
        Verdict.UNCLEAR: "?",
        Verdict.NA: "-",
    }
)
"""One character per verdict, for quick reading next to the word."""


_WORDS: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.BETTER: tr("better"),
        Verdict.WORSE: tr("worse"),
        Verdict.SAME: tr("same"),
        Verdict.UNCLEAR: tr("unclear"),
        Verdict.NA: tr("n/a"),
    }
)


def value_parts(figure: CaseRuns | None, scale: Scale) -> tuple[str, str, str]:
    """Value, half range (or source), and share of the peak; each is empty if unknown."""
    if figure is None:
        return "-", "", ""
    half, share = figure.half_range, figure.peak_share
    origin = "cited" if figure.cited else "import" if figure.imported else ""
    return (
        scale.format(figure.value),
        origin if half is None else f"+-{half:.1%}",
        "" if share is None else f"{share:.0%}",
    )


def ratio_text(finding: Difference | None) -> str:
    """``1.457 [1.451, 1.463]``; without an interval if there are too few values."""
    if finding is None or finding.ratio is None:
        return ""
    if finding.interval is None:
        return significant(finding.ratio)
    low, high = finding.interval
    return f"{significant(finding.ratio)} [{significant(low)}, {significant(high)}]"


def best_text(finding: Difference | None) -> str:
    """The ratio of the best samples: ``1.003``; empty if unknown."""
    return "" if finding is None or finding.best is None else significant(finding.best)


def verdict_text(finding: Difference | None) -> str:
    """``^ better``, ``? unclear (n=3)``, ``- n/a (size)``, ``v worse (runs differ 6.1%)``."""
    if finding is None:
        return ""
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
        return tr("{glyph} {verdict} (size)", glyph=glyph, verdict=word)
    if reason is Reason.CASE:
        return tr("{glyph} {verdict} (case)", glyph=glyph, verdict=word)
    if reason is Reason.FEW:
        return tr("{glyph} {verdict} (n={n})", glyph=glyph, verdict=word, n=n)
    if share:
        return tr("{glyph} {verdict} (runs differ {share})", glyph=glyph, verdict=word, share=share)
    return tr("{glyph} {verdict}", glyph=glyph, verdict=word)


def verdict_word(verdict: Verdict) -> str:
    return _WORDS[verdict]


def counts_text(counts: Mapping[Verdict, int]) -> str:
    """The verdicts that occur, with their numbers: ``3 better, 1 unclear``."""
    return listed(
        tr("{count} {verdict}", count=counts[verdict], verdict=_WORDS[verdict])
        for verdict in Verdict
        if counts[verdict]
    )


def count_text(finding: Difference) -> str:
    """Number of values: ``5``, or ``1/5`` if the reference and the label have different numbers."""
    first, second = finding.counts
    return str(first) if first == second else f"{first}/{second}"


def mean_text(mean: Mean, *, several: bool) -> str:
    """``geomean, 2 cases``; with the statistic if the block has ``several``."""
    cases = counted(mean.count, "case")
    return f"geomean {mean.stat}, {cases}" if several else f"geomean, {cases}"
