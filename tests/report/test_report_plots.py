"""Plots: drawn from rows, byte for byte reproducible, without lines where data are missing."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.core.snapshot import Machine
from membench.core.terms import Metric, Stat, Tier
from membench.report.page.document import Figure
from membench.report.page.runs import ReportSource, Run
from membench.report.page.sections.headline import judge
from membench.report.plots import (
    breakeven,
    draw_all,
    gaps,
    hits,
    ladder,
    link_matrix,
    loaded,
    queue_depth,
    restore,
    roofline,
    staircase,
    strip,
    style,
    tiers,
    usable,
    verdict_matrix,
)
from membench.results.schema import Row
from membench.thesis.claims.verdicts import Verdicts, verdicts

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="session")
def make_run(machine: Machine) -> Callable[..., Run]:
    """A function that makes a run from rows in memory."""

    def make(rows: Sequence[Row], label: str = "box-1") -> Run:
        source = ReportSource(Path("a.csv"), b"", ())
        return Run(label, source, tuple(rows), None, machine)

    return make


@pytest.fixture(scope="module")
def figures(everything: tuple[Row, ...], make_run: Callable[..., Run]) -> dict[str, Figure]:
    drawn, left_out = draw_all([make_run(everything)])
    assert {one.title for one in left_out} == {
        "Bandwidth by footprint",
        "Link bandwidth by size of the transfer",
        "KV blocks: method by block size",
        "Link matrix",
    }
    return {figure.slug: figure for figure in drawn}


@pytest.fixture(scope="module")
def gpu_figures(with_gpu: tuple[Row, ...], make_run: Callable[..., Run]) -> dict[str, Figure]:
    return {figure.slug: figure for figure in draw_all([make_run(with_gpu)])[0]}


@pytest.fixture(scope="module")
def judged(with_gpu: tuple[Row, ...]) -> Verdicts:
    return verdicts(with_gpu, draws=50)


def test_the_captions_state_what_the_data_says(figures: dict[str, Figure]) -> None:
    captions = {slug: figure.caption for slug, figure in figures.items()}
    assert captions["ladder"].startswith(
        "HBM reaches 3021 GB/s (hbm/read), DDR reaches 42.0 GB/s (ddr/triad), "
        "SSD reaches 3.30 GB/s (ssd/read); HBM is 920 times as fast as SSD."
    )
    assert captions["staircase"] == (
        "pages=thp: 1.10 ns in 16KiB, 90.0 ns in 256MiB (x 81.8); "
        "pages=4k: 120 ns in 256MiB. Medians of 3 rounds. Small circles are single rounds."
    )
    assert captions["kernels"].startswith(
        "Fastest: ddr/triad, all threads, non-temporal stores, 42.0 GB/s. "
        "Slowest: ddr/read, 1 thread, plain stores, 12.0 GB/s."
    )
    assert captions["threads"].startswith(
        "ddr/triad reaches 14.0 GB/s at a thread count of 1, and 32.0 GB/s at 4."
    )
    assert "100 % reads: 102 ns at 4.00 GB/s, 180 ns at 30.0 GB/s (x 1.76)" in captions["loaded"]
    assert "Blocks of 64KiB reach at least half of the best bandwidth" in captions["blocks"]
    assert captions["depth"].startswith(
        "ssd/read pattern=rand block=4KiB reaches 11.0 k/s at depth 1 and 220 k/s at depth 32; "
        "the p99 latency goes from 120 us to 310 us."
    )


def test_every_picture_is_well_formed_named_and_owned_by_its_page(
    figures: dict[str, Figure],
) -> None:
    seen: list[str] = []
    for slug, figure in figures.items():
        svg = figure.drawing.svg()
        root = ET.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.attrib["role"] == "img"
        named = {child.attrib["id"]: child.text for child in root[:2]}
        assert set(root.attrib["aria-labelledby"].split()) == set(named)
        assert list(named.values()) == [figure.title, figure.description]
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        assert all(name.startswith(f"{slug}-") for name in ids)
        assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', svg)) <= set(ids)
        assert "metadata" not in svg
        # Every colour is a variable of the page, with a fallback.
        bare = re.sub(r"var\(--plot-[a-z0-9]+, #[0-9a-f]{6}\)", "", svg)
        assert not re.findall(r"#[0-9a-fA-F]{6}\b", bare)
        seen += ids
    assert len(seen) == len(set(seen))


def test_the_data_table_holds_every_row_of_the_plot(figures: dict[str, Figure]) -> None:
    rows = figures["staircase"].table.rows
    assert [row[1] for row in rows] == [("1.100",), ("5.000",), ("40.00",), ("90.00",), ("120.0",)]
    assert rows[0][3] == ("1.078; 1.100; 1.111",)
    assert len(figures["loaded"].table.rows) == 8
    assert len(figures["depth"].table.rows) == 6


def test_caches_are_marked_as_the_system_reports_them(
    figures: dict[str, Figure], everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    texts = [
        element.text
        for element in ET.fromstring(figures["staircase"].drawing.svg()).iter(f"{SVG}text")
    ]
    assert {"L1 32KiB", "L2 1MiB", "L3 32MiB"} <= set(texts)
    assert "working set (caches as reported by the system)" in texts
    unknown = replace(make_run(everything), machine=None)
    drawn = staircase.draw([unknown])
    assert isinstance(drawn, Figure)
    assert "L2 1MiB" not in drawn.drawing.svg()


def test_without_data_nothing_is_drawn_and_each_plot_says_why(make_run: Callable[..., Run]) -> None:
    drawn, left_out = draw_all([make_run([])])
    assert drawn == ()
    assert len(left_out) == 11
    assert all(one.title and one.reason for one in left_out)


def test_cited_figures_are_hollow_and_said_to_be_cited(
    with_gpu: tuple[Row, ...], make_run: Callable[..., Run], gpu_figures: dict[str, Figure]
) -> None:
    own = gpu_figures
    cited = [replace(row, backend="cited") for row in with_gpu]
    theirs = {one.slug: one for one in draw_all([make_run(cited)])[0]}
    assert own.keys() == theirs.keys()
    for slug, figure in theirs.items():
        if slug == "link-matrix":
            assert "All values are published values." in figure.caption
        else:
            assert "Large hollow marks are published values." in figure.caption
        assert "mall circles" not in figure.caption
        assert "cited" not in own[slug].caption
        # The cells of the link matrix contain numbers, no marks.
        assert figure.drawing.svg() != own[slug].drawing.svg() or slug == "link-matrix"


def test_every_mark_beside_published_values_is_explained(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    own = make_result(Tier.DDR, "ddr/read", Metric.BANDWIDTH, 30.0)
    theirs = make_result(
        *(Tier.HBM, "hbm/read", Metric.BANDWIDTH, 3000.0),
        backend="cited",
        peak=3350.0,
        rounds=1,
        round_values=(3000.0,),
    )
    runs = [make_run([own], "a"), make_run([theirs], "b")]
    ladders = {one.run.label: one.rungs for one in judge(runs)}
    for figure in (ladder.draw(runs), tiers.draw(ladders)[0]):
        assert isinstance(figure, Figure)
        assert figure.caption.endswith(
            "Medians of 3 rounds. Small circles are single rounds. "
            "Large hollow marks are published values. Short vertical bars are the peaks."
        )
        assert isinstance(figure.drawing, style.Plot)
        plotted = [step for step in figure.drawing.sketch.steps if step.call == "plot"]
        squares = [step.options for step in plotted if step.options.get("marker") == "s"]
        assert [look["fillstyle"] for look in squares] == ["none", "none"]  # mark and legend
        small = style.rounds(0)["markersize"]
        circles = [step.args[0] for step in plotted if step.options.get("markersize") == small]
        assert [len(values) for values in circles] == [0, 3]


def test_the_plots_of_a_gpu_say_what_was_found(gpu_figures: dict[str, Figure]) -> None:
    captions = {slug: figure.caption for slug, figure in gpu_figures.items()}
    assert captions["kv-map"].startswith(
        "method=sm is fastest for blocks of 16KiB to 28KiB (30.0 GB/s"
    )
    assert "method=batch is fastest for blocks of 64KiB (39.0 GB/s" in captions["kv-map"]
    assert captions["transfer"].startswith("link/h2d reaches 54.0 GB/s with transfers of 64MiB")
    assert "the bandwidth drops between 16MiB and 256MiB" in captions["footprint"]
    assert "each of 3 pairs of devices reaches 190 to 380 GB/s" in captions["link-matrix"]


def test_our_own_copies_between_gpus_fill_the_matrix(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    """Rows as in a run with `--device all`: `detail` contains the pair of GPUs."""
    pairs = (("0", "1", 0, 380.0), ("1", "0", 1, 377.0), ("2", "0", 2, 190.0))
    rows = [
        make_result(
            *(Tier.LINK, f"peer/write/size={size}/engine={engine}/gpu={gpu}"),
            *(Metric.BANDWIDTH, value * share),
            detail={"engine": engine, "src": source, "dst": target},
        )
        for size, engine, share in (
            ("256MiB", "ce", 1.0),
            ("256MiB", "sm", 0.9),
            ("1MiB", "ce", 0.1),
        )
        for source, target, gpu, value in pairs
    ]
    both = make_result(
        *(Tier.LINK, "peer/bidir/size=256MiB/engine=ce/gpu=0", Metric.BANDWIDTH, 700.0),
        detail={"engine": "ce", "gpus": "0+1"},
    )
    odd = make_result(
        *(Tier.LINK, "peer/write/size=256MiB/engine=ce/gpu=3", Metric.BANDWIDTH, 200.0),
        detail={"engine": "ce", "src": "\u00b2", "dst": "0"},
    )
    assert isinstance(link_matrix.draw([make_run([*rows, odd])]), Figure)
    matrix = link_matrix.draw([make_run([*rows, both])])
    assert isinstance(matrix, Figure)
    assert matrix.title == "Link matrix: peer/write/size=256MiB/engine=ce"
    assert "each of 3 pairs of devices reaches 190 to 380 GB/s" in matrix.caption
    assert "The run also measured 2 other operations between devices" in matrix.caption
    assert len(matrix.table.rows) == 3


def test_the_plots_of_the_models_are_the_same_bytes_and_tell_measured_from_assumed(
    judged: Verdicts,
) -> None:
    bare = verdicts([], draws=50)
    for plot in (restore, breakeven, roofline, hits, gaps, usable, verdict_matrix):
        figure = plot.draw(judged)
        assert isinstance(figure, Figure)
        assert figure.drawing.svg() == plot.draw(judged).drawing.svg()
        assert figure.table.rows
    drawn = breakeven.draw(judged)
    assert "box-1, measured" in drawn.caption
    assert "h100 bf16 peak, assumed" in breakeven.draw(bare).caption
    missing = restore.draw(bare)
    assert isinstance(missing, style.NotDrawn)
    assert missing.reason == "no path from DDR or SSD was measured or cited"


def test_series_and_runs_beyond_the_sixth_are_counted_in_the_caption(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    chases = [
        make_result(
            Tier.DDR,
            f"host/chase/pages={pages}/size={size}",
            Metric.LATENCY,
            100.0,
            size_bytes=2 ** (15 + place),
        )
        for pages in range(8)
        for place, size in enumerate(("32KiB", "64KiB"))
    ]
    drawn = staircase.draw([make_run(chases)])
    assert isinstance(drawn, Figure)
    assert drawn.caption.endswith("2 more series are only in the table.")
    assert len(drawn.table.rows) == len(chases)
    read = make_result(Tier.DDR, "ddr/read/threads=all", Metric.BANDWIDTH, 40.0)
    rungs = ladder.draw([make_run([read], f"box-{number}") for number in range(7)])
    assert isinstance(rungs, Figure)
    assert rungs.caption.endswith("1 more run is not in this plot.")


def test_a_year_has_two_decimals(judged: Verdicts) -> None:
    parts = {one.part.id: one for claim in judged.subjects[0].claims for one in claim.parts}
    shown = strip.draw(parts["C14b"], "draws-c14b", {})
    assert shown is not None
    assert "threshold is 2026.99, and the contradicting threshold is 2026.50" in shown.description


def test_a_strip_shows_the_draws_between_both_thresholds(judged: Verdicts) -> None:
    parts = {one.part.id: one for claim in judged.subjects[0].claims for one in claim.parts}
    shown = strip.draw(parts["C13b"], "draws-c13b", {})
    assert shown is not None
    root = ET.fromstring(shown.svg())
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert [text for text in texts if text.startswith(("supported", "contradicted"))]
    assert "supporting threshold is" in shown.description
    assert strip.draw(parts["C01"], "draws-c01", {}) is None


def test_load_is_drawn_by_memory_and_by_the_median_alone(
    with_tiers: tuple[Row, ...], make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    """A machine with a GPU has two memories under load, and GPU rows also have tail latencies."""
    rows = [row for row in with_tiers if row.case.startswith(("host/loaded", "hbm/loaded"))]
    rows += [
        make_result(Tier.HBM, row.case, row.metric, 9e3, stat=Stat.P99)
        for row in rows
        if row.tier is Tier.HBM and row.metric is Metric.LATENCY
    ]
    figure = loaded.draw([make_run(rows)])
    assert isinstance(figure, Figure)
    assert "host/loaded: 100 % reads: 102 ns at 4.00 GB/s, 180 ns at 30.0 GB/s" in figure.caption
    assert "hbm/loaded: 100 % reads: 400 ns at 100 GB/s, 1.10 us at 2900 GB/s" in figure.caption
    assert len(figure.table.rows) == 8 + 6  # without tail latencies


def test_a_single_load_is_not_compared_with_itself(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    rows = [
        make_result(Tier.DDR, f"host/loaded/reads={reads}/delay={delay}", metric, value)
        for reads, delay, rate, ns in (
            (100, 0, 20.0, 180.0),
            (100, 9, 4.0, 100.0),
            (50, 0, 2.04, 350.0),
        )
        for metric, value in ((Metric.BANDWIDTH, rate), (Metric.LATENCY, ns))
    ]
    figure = loaded.draw([make_run(rows)])
    assert isinstance(figure, Figure)
    assert figure.caption.startswith(
        "100 % reads: 100 ns at 4.00 GB/s, 180 ns at 20.0 GB/s (x 1.80); "
        "50 % reads: 350 ns at 2.04 GB/s. "
    )


def test_one_point_makes_no_curve(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    case = "ssd/read/pattern=rand/block=4KiB/qd=32"
    drawn, _ = draw_all([make_run([make_result(Tier.SSD, case, Metric.BANDWIDTH, 1.0)])])
    assert [figure.slug for figure in drawn] == ["ladder"]


def test_queue_depth_without_tails_is_drawn_without_them(
    everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    depth = queue_depth.draw([make_run([row for row in everything if row.stat is not Stat.P99])])
    assert isinstance(depth, Figure)
    assert "p99 latency" not in depth.drawing.svg()
    assert "the p99 latency goes" not in depth.caption


def test_tails_of_one_of_two_runs_are_drawn(
    everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    without = [row for row in everything if row.stat is not Stat.P99]
    depth = queue_depth.draw([make_run(everything, "one"), make_run(without, "two")])
    assert isinstance(depth, Figure)
    assert "p99 latency" in depth.drawing.svg()
    assert "the p99 latency goes from 120 us to 310 us" in depth.caption


def test_more_series_than_can_be_told_apart_are_counted_in_the_caption(
    make_result: Callable[..., Row], make_run: Callable[..., Run]
) -> None:
    rows = [
        make_result(Tier.SSD, f"ssd/read/block={block}/jobs={jobs}", Metric.BANDWIDTH, jobs)
        for jobs in range(1, style.SERIES + 3)
        for block in ("4KiB", "1MiB")
    ]
    drawn, _ = draw_all([make_run(rows)])
    (blocks,) = [figure for figure in drawn if figure.slug == "blocks"]
    assert "2 more series are only in the table" in blocks.caption
    assert len(blocks.table.rows) == len(rows)


def test_several_runs_share_a_plot(
    everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    drawn = ladder.draw([make_run(everything, "one"), make_run(everything, "two")])
    assert isinstance(drawn, Figure)
    texts = {element.text for element in ET.fromstring(drawn.drawing.svg()).iter(f"{SVG}text")}
    assert {"one", "two"} <= texts
    assert drawn.table.columns[0].title == "run"
    assert {row[0] for row in drawn.table.rows} == {("one",), ("two",)}


def test_a_label_is_text_whatever_it_holds(
    everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    hostile = "$\\frac{1}{0}$ <script>alert(1)</script>"
    drawn, _ = draw_all([make_run(everything, hostile), make_run(everything, "two")])
    for figure in drawn:
        root = ET.fromstring(figure.drawing.svg())
        assert not list(root.iter(f"{SVG}script"))
    texts = {element.text for element in ET.fromstring(drawn[0].drawing.svg()).iter(f"{SVG}text")}
    assert hostile in texts


def test_values_without_rounds_are_drawn(
    everything: tuple[Row, ...], make_run: Callable[..., Run]
) -> None:
    bare = [replace(row, round_values=(), rounds=0, spread=None) for row in everything]
    drawn, _ = draw_all([make_run(bare)])
    assert len(drawn) == 7
    assert all("Each value was measured once." in figure.caption for figure in drawn)


@pytest.mark.parametrize(
    ("value", "parameter", "block"),
    [
        (1e-300, "qd=4", "4KiB"),
        (1e300, "qd=4", "4KiB"),
        (1.0, "qd=0", "0B"),
        (1.0, "qd=1", "1B"),
        (1.0, f"qd={'9' * 400}", f"{'9' * 400}TiB"),
        (1.0, "qd=-1", "4"),
        (1.0, "qd=x", "x"),
    ],
)
def test_no_number_that_a_file_may_hold_breaks_a_plot(
    everything: tuple[Row, ...],
    make_result: Callable[..., Row],
    make_run: Callable[..., Run],
    value: float,
    parameter: str,
    block: str,
) -> None:
    case = f"ssd/read/pattern=rand/block={block}/{parameter}"
    odd = [
        make_result(Tier.SSD, case, Metric.BANDWIDTH, value),
        make_result(Tier.SSD, case, Metric.IOPS, 7.0),
        make_result(Tier.SSD, "ssd/read/pattern=rand/block=8KiB/qd=4", Metric.IOPS, 7.0),
    ]
    storage = [row for row in everything if row.tier is Tier.SSD]
    drawn, _ = draw_all([make_run([*storage, *odd])])
    assert {figure.slug for figure in drawn} == {"ladder", "blocks", "depth"}


RENDER = """
import sys
from pathlib import Path
from membench.report.page.write import make_report
make_report([Path(sys.argv[1])], Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(results: Path, tmp_path: Path) -> None:
    written: list[dict[str, bytes]] = []
    for name, hash_seed in (("x", "1"), ("y", "2")):
        folder = tmp_path / name
        for suffix in ("html", "md"):
            subprocess.run(
                [sys.executable, "-c", RENDER, str(results), str(folder / f"r.{suffix}")],
                check=True,
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed, "HOME": str(tmp_path)},
            )
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(written[0]) == 2 + 16
    assert written[0] == written[1]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of a colour ``#rrggbb``, from 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2) of two colours, from 1 to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("colours", "paper"), [(style.LIGHT, "#ffffff"), (style.DARK, "#12171d")])
def test_ink_and_the_first_series_stand_out_from_the_paper(
    colours: dict[str, Any], paper: str
) -> None:
    for name in ("plot-ink", "plot-muted"):
        assert contrast(colours[name], paper) >= 4.5
    for number in range(1, 5):
        assert contrast(colours[f"plot-{number}"], paper) >= 3.0


@pytest.mark.parametrize(("first", "documented"), [("membench.cli", False), ("membench", True)])
def test_only_a_command_loads_matplotlib_without_its_reference(
    first: str, documented: bool
) -> None:
    code = (
        f"import {first}\n"
        "from membench.report.plots.loading import load_matplotlib\n"
        "load_matplotlib()\n"
        "from matplotlib import artist\n"
        "from matplotlib.lines import Line2D\n"
        "print('linestyle' in Line2D.set.__doc__, 'linestyle' in artist.kwdoc(Line2D))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(documented), "True"]
