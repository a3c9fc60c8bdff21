"""What the rows say of a machine's tiers beyond themselves: capacities, knees, shares.

Derived figures are made anew for every report.  They are never samples and never rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from membench.analysis.derive import tiers
from membench.analysis.derive.steps import CLIMB
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
from membench.report.page.sections.words import counted, percent

_INTRO = (
    "Computed from the rows of this report by the rules below: no row holds them, and no verdict "
    "compares them."
)
_LEVELS = {"l1": "L1", "l2": "L2", "l2 near": "L2, near part"}


@dataclass(frozen=True)
class _Kind:
    """One kind of derived figure.

    Attributes:
        rule: how it is computed.
        reason: why there is none where no run has any.
        table: of one run; None where its rows show nothing.
    """

    anchor: str
    title: str
    rule: str
    reason: str
    table: Callable[[Run, str], Table | None]


def section(runs: Sequence[Run]) -> Section:
    """Every kind of figure that some run allows; the others by name with the reason."""
    made: list[Section] = []
    left_out: list[Line] = []
    for kind in _KINDS:
        tables = [kind.table(run, f"{run.label}: " if len(runs) > 1 else "") for run in runs]
        blocks: list[Block] = [table for table in tables if table is not None]
        if blocks:
            rule = Paragraph((kind.rule,))
            made.append(Section(f"derived-{kind.anchor}", kind.title, (rule, *blocks)))
        else:
            left_out.append((Strong(f"{kind.title}: "), f"{kind.reason}."))
    if left_out:
        made.append(Section("not-derived", "Not derived", (Bullets(tuple(left_out)),)))
    return Section("derived", "Derived figures", (Paragraph((_INTRO,)),), tuple(made))


def common_form(cases: Sequence[str]) -> str:
    """Ids of one bench as one glob: ``hbm/read/size=*``; what they share stands as it is."""
    parts = [case.split("/") for case in cases]
    if len({len(one) for one in parts}) > 1:
        return f"{tiers.split_case(cases[0])[0]}/*"
    return "/".join(
        column[0] if len(set(column)) == 1 else f"{column[0].partition('=')[0]}=*"
        for column in zip(*parts, strict=True)
    )


def _from(cases: Sequence[str]) -> Line:
    return (Code(common_form(cases)), f" ({counted(len(cases), 'case')})")


def _capacities(run: Run, label: str) -> Table | None:
    rows: list[tuple[Line, ...]] = [
        (
            (_LEVELS[one.level],),
            (about_size(one.inside),),
            (about_size(one.outside),),
            (one.by,),
            _from(one.cases),
        )
        for one in tiers.capacities(run.rows)
    ]
    columns = (
        Column("cache"),
        Column("largest inside", numeric=True),
        Column("smallest outside", numeric=True),
        Column("seen in"),
        Column("from"),
    )
    return Table(f"{label}Where the caches of the GPU end", columns, tuple(rows)) if rows else None


def _near_and_far(run: Run, label: str) -> Table | None:
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
        Column("from"),
        Column("near", numeric=True),
        Column("far", numeric=True),
        Column("far lines", numeric=True),
    )
    caption = f"{label}Latency of an L2 hit in the two partitions"
    return Table(caption, columns, tuple(rows)) if rows else None


def _loads(run: Run, label: str) -> Table | None:
    def point(at: tuple[float, float] | None) -> Line:
        if at is None:
            return ("none",)
        gbs, ns = (
            format_value(metric, value)
            for metric, value in zip((Metric.BANDWIDTH, Metric.LATENCY), at, strict=True)
        )
        return (f"{gbs}, {ns}",)

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
        Column("from"),
        Column("unloaded", numeric=True),
        Column("knee", numeric=True),
        Column("most traffic", numeric=True),
    )
    caption = f"{label}Latency under load, by the mix of reads and writes"
    return Table(caption, columns, tuple(rows)) if rows else None


def _shares(run: Run, label: str) -> Table | None:
    found = tiers.shares_of_read(run.rows)
    rows: list[tuple[Line, ...]] = [((Code(one.case),), (percent(one.share),)) for one in found]
    columns = (Column("case"), Column("share", numeric=True))
    if not rows:
        return None
    return Table(f"{label}Share of the bandwidth of {found[0].of}", columns, tuple(rows))


def _conflicts(run: Run, label: str) -> Table | None:
    rows: list[tuple[Line, ...]] = [
        (
            (Code(one.case),),
            (f"{significant(one.times, 3)}x",),
            (f"{one.predicted}x",) if one.predicted else (),
        )
        for one in tiers.bank_conflicts(run.rows)
    ]
    columns = (
        Column("case"),
        Column("slower by", numeric=True),
        Column("predicted", numeric=True),
    )
    caption = f"{label}Bank conflicts in shared memory, by width and stride"
    return Table(caption, columns, tuple(rows)) if rows else None


_KINDS = (
    _Kind(
        "capacities",
        "Cache capacities",
        "A cache ends between two measured sizes: the largest that still has its latency or "
        "bandwidth, and the smallest that has the next level's. The levels are the piecewise "
        f"constant fit to the logarithms; neighbours under {CLIMB:g} times apart are one level.",
        "no latency or bandwidth of a GPU's caches was measured at sizes that show a step",
        _capacities,
    ),
    _Kind(
        "l2",
        "Near and far L2",
        "The latencies of all SMs and lines are cut into two groups with the least squared "
        f"distance within them. Groups less than {tiers.APART:g} times apart are one level.",
        "no map of the L2 cache was measured, or it shows one level",
        _near_and_far,
    ),
    _Kind(
        "load",
        "Latency under load",
        "Unloaded is the latency at the least traffic. The knee is the point farthest below the "
        "line from the least to the most traffic, both axes scaled to 1 (Kneedle, Satopaa et al., "
        "2011): behind it latency grows faster than bandwidth.",
        "latency under load was not measured at three injections or more",
        _loads,
    ),
    _Kind(
        "shares",
        "Shares of the read bandwidth",
        "A bandwidth over that of the best hbm/read of the same run. What a cache served is left "
        "out, as share and as whole.",
        "no gather, asynchronous copy or decode step was measured beside hbm/read",
        _shares,
    ),
    _Kind(
        "conflicts",
        "Bank conflicts",
        "The bandwidth at a stride of 1 over that at this stride, both of the same width. Beside "
        "it stands what 32 banks of 4 bytes predict.",
        "shared memory was not measured at two strides",
        _conflicts,
    ),
)
