"""The section with values, such as cache capacities, that are computed from rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from membench.analysis.derive import tiers
from membench.analysis.derive.steps import CLIMB
from membench.core.case_id import split_case
from membench.core.messages import listed, sentence, tr, tr_n
from membench.core.record import record
from membench.core.terms import Metric
from membench.core.units import about_size, format_value, significant
from membench.report.page.document import (
    Block,
    Bullets,
    Code,
    Column,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import percent

_INTRO = tr(
    "These values are computed from the rows of this report by the rules below. No results file "
    "contains these values, and no verdict of a comparison uses them."
)
_LEVELS = {"l1": "L1", "l2": "L2", "l2 near": tr("L2, near part")}


_SEEN = {"latency": tr("latency"), "bandwidth": tr("bandwidth")}


@record
class _Kind:
    """One kind of derived value.

    Attributes:
        rule: how the value is computed, as a sentence.
        reason: why the value may be missing; shown if no run has the value.
        table: function from a run to a table; the result is None if the run has no such value.
    """

    anchor: str
    title: str
    rule: str
    reason: str
    table: Callable[[Run], Table | None]


def section(runs: Sequence[Run]) -> Section:
    """All derived values; a value that no run has is listed with the reason."""
    made: list[Section] = []
    left_out: list[Line] = []
    for kind in _KINDS:
        tables = [(run, kind.table(run)) for run in runs]
        blocks: list[Block] = [
            _labelled(table, run) if len(runs) > 1 else table
            for run, table in tables
            if table is not None
        ]
        if blocks:
            rule = Paragraph((kind.rule,))
            made.append(Section(f"derived-{kind.anchor}", kind.title, (rule, *blocks)))
        else:
            left_out.append((Strong(tr("{title}: ", title=kind.title)), sentence(kind.reason)))
    if left_out:
        made.append(Section("not-derived", tr("Not derived"), (Bullets(tuple(left_out)),)))
    return Section("derived", tr("Derived figures"), (Paragraph((_INTRO,)),), tuple(made))


def _labelled(table: Table, run: Run) -> Table:
    return replace(table, caption=tr("{run}: {told}", run=run.label, told=table.caption))


def common_form(cases: Sequence[str]) -> str:
    """A glob that matches ``cases`` of one bench, such as ``hbm/read/size=*``."""
    parts = [case.split("/") for case in cases]
    if len({len(one) for one in parts}) > 1:
        return f"{split_case(cases[0])[0]}/*"
    return "/".join(
        column[0] if len(set(column)) == 1 else f"{column[0].partition('=')[0]}=*"
        for column in zip(*parts, strict=True)
    )


def _from(cases: Sequence[str]) -> Line:
    number = len(cases)
    return (
        tr_n(
            "{form} ({count} case)", "{form} ({count} cases)", number, form=Code(common_form(cases))
        ),
    )


def _capacities(run: Run) -> Table | None:
    rows: list[tuple[Line, ...]] = [
        (
            (_LEVELS[one.level],),
            (about_size(one.inside),),
            (about_size(one.outside),),
            (_SEEN[one.by],),
            _from(one.cases),
        )
        for one in tiers.capacities(run.rows)
    ]
    columns = (
        Column(tr("cache")),
        Column(tr("largest size inside"), numeric=True),
        Column(tr("smallest size outside"), numeric=True),
        Column(tr("seen in")),
        Column(tr("cases")),
    )
    return Table(tr("Cache capacities of the GPU"), columns, tuple(rows)) if rows else None


def _near_and_far(run: Run) -> Table | None:
    rows: list[tuple[Line, ...]] = [
        (
            (Code(one.case),),
            (format_value(Metric.LATENCY, one.near_ns),),
            (format_value(Metric.LATENCY, one.far_ns),),
            (percent(one.far_share),),
        )
        for one in tiers.near_and_far(run.rows)
    ]
    columns = (
        Column(tr("cases")),
        Column(tr("near latency"), numeric=True),
        Column(tr("far latency"), numeric=True),
        Column(tr("share of far lines"), numeric=True),
    )
    caption = tr("Latency of an L2 hit in the two partitions")
    return Table(caption, columns, tuple(rows)) if rows else None


def _loads(run: Run) -> Table | None:
    def point(at: tuple[float, float] | None) -> Line:
        if at is None:
            return (tr("none"),)
        gbs, ns = (
            format_value(metric, value)
            for metric, value in zip((Metric.BANDWIDTH, Metric.LATENCY), at, strict=True)
        )
        return (listed((gbs, ns)),)

    rows: list[tuple[Line, ...]] = [
        (
            _from(one.cases),
            (format_value(Metric.LATENCY, one.curve.unloaded_ns),),
            point(one.curve.knee),
            point(one.curve.most),
        )
        for one in tiers.load_curves(run.rows)
    ]
    columns = (
        Column(tr("cases")),
        Column(tr("unloaded latency"), numeric=True),
        Column(tr("knee"), numeric=True),
        Column(tr("at the most traffic"), numeric=True),
    )
    caption = tr("Latency under load, by the mix of reads and writes")
    return Table(caption, columns, tuple(rows)) if rows else None


def _shares(run: Run) -> Table | None:
    found = tiers.shares_of_read(run.rows)
    rows: list[tuple[Line, ...]] = [((Code(one.case),), (percent(one.share),)) for one in found]
    columns = (Column(tr("case")), Column(tr("share"), numeric=True))
    if not rows:
        return None
    caption = tr("Share of the bandwidth of {case}", case=found[0].of)
    return Table(caption, columns, tuple(rows))


def _conflicts(run: Run) -> Table | None:
    rows: list[tuple[Line, ...]] = [
        (
            (Code(one.case),),
            (tr("{factor}x", factor=significant(one.times, 3)),),
            (tr("{factor}x", factor=one.predicted),) if one.predicted else (),
        )
        for one in tiers.bank_conflicts(run.rows)
    ]
    columns = (
        Column(tr("case")),
        Column(tr("slow-down factor"), numeric=True),
        Column(tr("predicted factor"), numeric=True),
    )
    caption = tr("Bank conflicts in shared memory, by width and stride")
    return Table(caption, columns, tuple(rows)) if rows else None


_KINDS = (
    _Kind(
        "capacities",
        tr("Cache capacities"),
        tr(
            "A cache ends between two measured sizes: the largest size with the latency or "
            "bandwidth of the cache, and the smallest size with the latency or bandwidth of the "
            "next level. The levels come from a piecewise constant fit to the logarithms of the "
            "measured values. Two levels that differ by less than a factor of {factor} count as "
            "one level.",
            factor=f"{CLIMB:g}",
        ),
        tr(
            "no latency or bandwidth that was measured on a GPU shows a step from a cache to the "
            "next level"
        ),
        _capacities,
    ),
    _Kind(
        "l2",
        tr("Near and far L2"),
        tr(
            "The latencies of all SMs and lines are divided into two groups, so that the sum of "
            "the squared distances within the groups is smallest. Two groups that differ by less "
            "than a factor of {factor} count as one level.",
            factor=f"{tiers.APART:g}",
        ),
        tr("no map of the L2 cache was measured, or the map shows a single level"),
        _near_and_far,
    ),
    _Kind(
        "load",
        tr("Latency under load"),
        tr(
            "The unloaded latency is the latency at the least traffic. Beyond the knee, latency "
            "grows faster than bandwidth. The knee is the point farthest below the straight "
            "line between the points with the least and the most traffic, with both axes scaled "
            "to 1 (Kneedle, Satopaa et al., 2011)."
        ),
        tr("latency under load was measured at fewer than three levels of traffic"),
        _loads,
    ),
    _Kind(
        "shares",
        tr("Shares of the read bandwidth"),
        tr(
            "Each share is a bandwidth divided by the bandwidth of the best hbm/read of the same "
            "run. Reads from a cache are left out."
        ),
        tr("no run measured both hbm/read and a gather, an asynchronous copy or a decode step"),
        _shares,
    ),
    _Kind(
        "conflicts",
        tr("Bank conflicts"),
        tr(
            "Each slow-down factor is the bandwidth at a stride of 1 divided by the bandwidth "
            "at the stride of the line, with the same width. The predicted factor follows from "
            "32 banks of 4 bytes."
        ),
        tr(
            "shared memory was not measured at a stride of 1 and another stride with the same width"
        ),
        _conflicts,
    ),
)
