"""Plot that compares the host memory bandwidth of kernels, thread counts and kinds of stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from membench.core.messages import listed, sentences, tr, tr_n
from membench.core.terms import Metric, Tier
from membench.core.units import format_size, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import style
from membench.report.plots.curve import left_out
from membench.report.plots.series import (
    bench,
    data_table,
    drawn_rounds,
    measured,
    parameter,
    rounds_text,
)
from membench.report.plots.style import NotDrawn
from membench.report.screens.blocks import split
from membench.results.schema import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Host memory by kernel, threads and stores")
_DESCRIPTION = tr(
    "Dot plot. Horizontal axis: bandwidth in GB/s, from 0. One line per kernel. The shape of a "
    "mark shows the number of threads and the kind of stores. A mark is the median of the rounds; "
    "small circles are single rounds."
)
_STORES = {"nt": tr("non-temporal stores"), "plain": tr("plain stores")}


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    cases = _cases(runs)
    chosen = _chosen(cases)
    every = sorted({name for _, name, _ in chosen}, key=_order)
    names = every[: style.SERIES]
    kernels = list(dict.fromkeys(bench(row) for _, _, row in chosen))
    if not chosen:
        return NotDrawn(
            _TITLE, tr("no ddr kernel was measured with one thread or with all threads")
        )
    if len(kernels) < 2:
        return NotDrawn(_TITLE, tr("only one ddr kernel was measured: {bench}", bench=kernels[0]))
    if len(names) < 2:
        return NotDrawn(
            _TITLE, tr("the ddr kernels were measured in one way only: {way}", way=names[0])
        )

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for index, name in enumerate(names):
            rows = [(kernels.index(bench(row)), row) for _, of, row in chosen if of == name]
            shift = (index - (len(names) - 1) / 2) * 0.62 / len(names)
            for place, row in rows:
                several = drawn_rounds(row)
                axes.plot(several, [place + shift] * len(several), **style.rounds(index))
            axes.plot(
                [row.value or 0.0 for _, row in rows],
                [place + shift for place, _ in rows],
                label=name,
                **style.mark(index, cited=all(row.cited for _, row in rows)),
            )
        style.zero_axis(
            axes,
            "x",
            [
                value
                for _, name, row in chosen
                if name in names
                for value in (row.value or 0.0, *row.round_values)
            ],
        )
        axes.set_yticks(range(len(kernels)), kernels)
        axes.set_ylim(len(kernels) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(tr("bandwidth [GB/s]"))
        style.legend(canvas, axes)

    rows = [(run, row) for run, _, row in chosen]
    step = style.ROW * max(1.7, 0.68 * len(names))
    height = 60 + len(kernels) * step + style.ROW * len(names) / 2
    return Figure(
        slug="kernels",
        title=_TITLE,
        caption=sentences(
            (
                _finding(chosen),
                _sizes_text(chosen, len(cases)),
                rounds_text([row for _, row in rows]),
                left_out(every),
            )
        ),
        description=_DESCRIPTION,
        drawing=style.plot("kernels", _TITLE, _DESCRIPTION, height, paint),
        table=data_table(tr("Bandwidth by kernel, threads and stores"), rows),
    )


def _cases(runs: Sequence[Run]) -> list[tuple[str, Row]]:
    """Pairs (run, row) of the cases with one thread or all threads."""
    return [
        (run.label, row)
        for run, row in measured(runs)
        if row.tier is Tier.DDR
        and row.metric is Metric.BANDWIDTH
        and row.case.startswith("ddr/")
        and parameter(row, "threads") in ("1", "all")
        and not any(part.startswith("reads=") for part in split(row.case)[1])
    ]


def _chosen(cases: Sequence[tuple[str, Row]]) -> list[tuple[str, str, Row]]:
    """(run, series name, row) of the drawn cases.

    From each run, only the cases of one array size and one page size are drawn (see `_usual`).
    """
    usual = {key: _usual(cases, value) for key, value in _SIZES.items()}
    several = len({run for run, _ in cases}) > 1
    return [
        (run, tr("{run}: {told}", run=run, told=_series(row)) if several else _series(row), row)
        for run, row in cases
        if all(value(row) in (None, usual[key].get(run)) for key, value in _SIZES.items())
    ]


_SIZES: Mapping[str, Callable[[Row], int | str | None]] = {
    "size": lambda row: row.array_bytes,
    "pages": lambda row: parameter(row, "pages") or None,
}


def _usual(
    cases: Sequence[tuple[str, Row]], value: Callable[[Row], int | str | None]
) -> dict[str, int | str]:
    """Run -> the array size or page size to draw, which is ``value`` of a row.

    It is the size that the most runs have. If several sizes are equally frequent, it is the one
    with the most cases in the run. ``value`` returns None for a row without the size.
    """
    counts: dict[str, Counter[int | str]] = {}
    for run, row in cases:
        if (found := value(row)) is not None:
            counts.setdefault(run, Counter())[found] += 1
    runs_with = Counter(found for own in counts.values() for found in own)
    return {
        run: max(own, key=lambda one: (runs_with[one], own[one])) for run, own in counts.items()
    }


def _sizes_text(chosen: Sequence[tuple[str, str, Row]], cases: int) -> str:
    """Sentences on array sizes that differ between runs, and on cases that are not drawn."""
    sizes = {run: row.array_bytes for run, _, row in chosen if row.array_bytes is not None}
    differ = ""
    if len(set(sizes.values())) > 1:
        parts = (
            tr("{run}: {told}", run=run, told=format_size(size)) for run, size in sizes.items()
        )
        differ = tr("The array sizes differ: {sizes}.", sizes=listed(parts))
    more = cases - len(chosen)
    other = tr_n(
        "{count} case with another array size or page size is not in this plot.",
        "{count} cases with another array size or page size are not in this plot.",
        more,
    )
    return sentences((differ, other if more else ""))


def _series(row: Row) -> str:
    threads = tr("1 thread") if parameter(row, "threads") == "1" else tr("all threads")
    # A kernel without stores belongs to the series with plain stores.
    stores = _STORES.get(parameter(row, "stores") or "plain", tr("other stores"))
    return listed((threads, stores))


def _order(name: str) -> tuple[str, bool, bool]:
    """Sort key: by run, one thread before all threads, plain stores first."""
    run, _, series = name.rpartition(": ")
    return run, not series.startswith("1 "), "plain" not in series


def _finding(chosen: Sequence[tuple[str, str, Row]]) -> str:
    ordered = sorted(chosen, key=lambda one: one[2].value or 0.0)
    (_, low_name, low), (_, high_name, high) = ordered[0], ordered[-1]
    return tr(
        "Fastest: {fastest}, {rate} GB/s. Slowest: {slowest}, {low_rate} GB/s.",
        fastest=listed((bench(high), high_name)),
        rate=significant(high.value or 0.0, 3),
        slowest=listed((bench(low), low_name)),
        low_rate=significant(low.value or 0.0, 3),
    )
