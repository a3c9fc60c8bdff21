"""The section on the link between host and GPU, and on copies of KV blocks."""

from __future__ import annotations

from collections.abc import Sequence

from membench.analysis.derive.links import (
    TransferPolicy,
    fronts,
    in_flight,
    link_fits,
    moved,
    policies,
)
from membench.analysis.derive.policy import CLOSE, Cell, crossover_map
from membench.core.messages import tr, tr_n
from membench.core.units import about_size, format_size, significant
from membench.report.page.document import (
    Block,
    Code,
    Column,
    Command,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import percent

_POLICY = tr(
    "These thresholds tell an engine which method copies KV blocks fast. Each entry of a line "
    "begins with the smallest number of blocks for which the entry is valid. Use the first method "
    "of the entry for blocks smaller than the size in the entry, and the second method for all "
    "other blocks. An entry without a size has one method for all blocks."
)


def section(runs: Sequence[Run]) -> Section | None:
    """One part per run and topic; None if no run measured links or copies of KV blocks."""
    alone = len(runs) == 1
    parts = tuple(
        part
        for number, run in enumerate(runs, 1)
        for part in _of(run, "" if alone else f"-{number}")
    )
    return Section("links", tr("Links and KV blocks"), (), parts) if parts else None


def _of(run: Run, suffix: str) -> list[Section]:
    """The parts for one run; ``suffix`` is the end of each anchor, empty in a report on one run."""
    made = {
        "policy": (tr("Policy"), _policies(policies(run.rows))),
        "map": (tr("Best method"), _maps(run)),
        "fits": (tr("Start-up time and bandwidth"), _fits(run)),
        "flight": (tr("Bytes in flight"), _in_flight(run)),
        "fronts": (tr("Bandwidth against slow-down"), _fronts(run)),
    }
    return [
        Section(
            f"links-{name}{suffix}",
            tr("{what} of {run}", what=title, run=run.label) if suffix else title,
            tuple(blocks),
        )
        for name, (title, blocks) in made.items()
        if blocks
    ]


def _policies(found: Sequence[TransferPolicy]) -> list[Block]:
    if not found:
        return []
    blocks: list[Block] = [Paragraph((_POLICY,))]
    for one in found:
        blocks.append(Command(f"kv_policy {one.line}"))
        loss = tr(
            "This policy is at most {loss} slower than the best measured method.",
            loss=percent(one.loss),
        )
        blocks.append(Paragraph((Strong(tr("{title}: ", title=one.way)), loss)))
    return blocks


def _maps(run: Run) -> list[Block]:
    blocks: list[Block] = []
    for way in ("h2d", "d2h", "d2d"):
        cells = crossover_map(moved(run.rows, way))
        if not cells:
            continue
        counts = sorted({cell.count for cell in cells})
        sizes = sorted({cell.block for cell in cells})
        at = {(cell.block, cell.count): cell for cell in cells}
        rows: list[tuple[Line, ...]] = []
        for size in sizes:
            row: list[Line] = [(format_size(size),)]
            for count in counts:
                cell = at.get((size, count))
                row.append((_best(cell),) if cell else ())
            rows.append(tuple(row))
        columns = (
            Column(tr("block")),
            *(
                Column(tr_n("{count} block", "{count} blocks", count), numeric=True)
                for count in counts
            ),
        )
        caption = tr(
            "{bench}: best method, GB/s, and ratio to the second best method (no ratio if it is "
            "at most {least})",
            bench=f"kv/{way}",
            least=f"{1 + CLOSE:g}",
        )
        blocks.append(Table(caption, columns, tuple(rows)))
    return blocks


def _best(cell: Cell) -> str:
    """A text such as ``batch 39.0 x1.15``: method, GB/s, ratio to the second best method.

    The ratio is left out if the difference between the two methods is unclear.
    """
    best = f"{cell.best} {significant(cell.gbs, 3)}"
    if not cell.decided:
        return best
    return tr("{best} x{factor}", best=best, factor=f"{cell.lead:.2f}")


def _fits(run: Run) -> list[Block]:
    rows: list[tuple[Line, ...]] = [
        (
            (Code(f"{one.bench} {one.engine}"),),
            (significant(one.fit.start_ns / 1e3, 3),),
            (significant(one.fit.bandwidth, 3),),
            (about_size(one.fit.half_size),),
            (percent(one.fit.worst),),
        )
        for one in link_fits(run.rows)
    ]
    columns = (
        Column(tr("copies")),
        Column("a, us", numeric=True),
        Column("b, GB/s", numeric=True),
        Column(tr("half-bandwidth size"), numeric=True),
        Column(tr("largest error"), numeric=True),
    )
    caption = tr("Fit of the time T of a pinned copy of V bytes: T(V) = a + V / b")
    return [Table(caption, columns, tuple(rows))] if rows else []


def _in_flight(run: Run) -> list[Block]:
    rows: list[tuple[Line, ...]] = [
        ((Code(one.case),), (significant(one.gbs, 3),), (about_size(one.bytes),))
        for one in in_flight(run.rows)
    ]
    columns = (
        Column(tr("case")),
        Column("GB/s", numeric=True),
        Column(tr("bytes in flight"), numeric=True),
    )
    caption = tr("Bandwidth x round trip: bytes in flight on the link")
    return [Table(caption, columns, tuple(rows))] if rows else []


def _fronts(run: Run) -> list[Block]:
    blocks: list[Block] = []
    for front in fronts(run.rows):
        rows: list[tuple[Line, ...]] = [
            (
                (one.aggressor,),
                (significant(one.gbs, 3),),
                (tr("{factor}x", factor=f"{one.slowdown:.2f}"),),
                (mark,),
            )
            for mark, several in ((tr("Pareto front"), front.best), ("", front.others))
            for one in several
        ]
        columns = (
            Column(tr("copies")),
            Column("GB/s", numeric=True),
            Column(tr("slow-down"), numeric=True),
            Column(""),
        )
        blocks.append(
            Table(
                tr("Slow-down of {victim} by copies at the same time", victim=front.victim),
                columns,
                tuple(rows),
            )
        )
    return blocks
