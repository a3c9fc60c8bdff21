"""The report section on machines: common facts appear once, and differing facts side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.snapshot import Filesystem, Machine
from membench.core.terms import Metric, Tier
from membench.report.page.document import Bullets, Column, Figure, Paragraph, Table
from membench.report.page.runs import ReportSource, Run, by_machine, read_runs
from membench.report.page.sections import brief, comparison, environment, results
from membench.report.page.sections.headline import judge
from membench.report.page.sections.words import device_name, fact_names
from membench.report.plots import kernels
from membench.report.plots.style import NotDrawn
from membench.report.screens.info import facts
from membench.results.schema import Row
from membench.thesis.claims.verdicts import verdicts


def test_a_filesystem_that_holds_both_is_told_once(machine: Machine) -> None:
    place = Filesystem("results", "/", "ext4", "rw", "/dev/vda", 10**12, "")
    other = replace(place, path="scratch")
    told = [
        value
        for fact, value in facts(replace(machine, filesystems=(place, place, other)))
        if fact == "results are on"
    ]
    assert len(told) == 2
    assert told[0].startswith("results: ext4 on /dev/vda")


def test_what_differs_between_any_two_runs_is_no_difference(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    files = [make_file(tmp_path / "a.csv", everything)]
    other = [replace(row, run_id="other", machine="box-2") for row in everything]
    files.append(make_file(tmp_path / "b.csv", other, sidecar=False))
    _, runs = read_runs(files)
    sidecar = runs[0].sidecar
    assert sidecar is not None
    plan = replace(sidecar.plan, seed=8, started="2026-02-01T00:00:00Z", software="0.2.0")
    again = replace(
        runs[0], label="again", sidecar=replace(sidecar, plan=plan, seconds={"total": 8.0})
    )
    (table,) = environment.section([runs[0], again]).blocks
    assert isinstance(table, Table)
    assert table.columns[-1] == Column("differs")
    marked = {row[0][0] for row in table.rows if row[-1]}
    assert {row[0][0] for row in table.rows} >= {"run", "seed", "started", "duration", "membench"}
    assert marked == {"membench"}


def test_of_several_runs_of_a_machine_the_page_says_whose_numbers_it_shows(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    both = [make_file(tmp_path / "a.csv", everything)]
    both.append(make_file(tmp_path / "b.csv", [replace(row, run_id="b-1") for row in everything]))
    _, runs = read_runs(both)
    judged = judge(runs)
    (told,) = brief._of_several(judged, brief._of_machines(judged))
    assert isinstance(told, Paragraph)
    assert str(told.line[0]) == (
        "box-1 has 2 runs. The verdicts use all 2 runs together. The values of each bench come "
        "from the newest run that measured the bench: HBM from b; DDR from b; SSD from b."
    )
    alone = judge(runs[:1])
    assert list(brief._of_several(alone, brief._of_machines(alone))) == []


def test_the_sentences_on_serving_name_machines_like_the_table_of_verdicts(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    rows = [replace(row, run_id="b-1", machine="box-2") for row in everything]
    files = [make_file(tmp_path / "a.csv", everything), make_file(tmp_path / "b.csv", rows)]
    files.append(make_file(tmp_path / "c.csv", [replace(row, run_id="c-1") for row in rows]))
    _, runs = read_runs(files)
    assert [run.label for run in runs] == ["a", "b", "c"]
    found = verdicts([row for run in runs for row in run.rows], draws=50)
    _, table, _, serving = brief.section(judge(runs), found).blocks
    assert isinstance(table, Table)
    assert isinstance(serving, Bullets)
    machines = [str(row[0][0]) for row in table.rows]
    assert machines == ["box-1", "box-2"]
    assert [str(item[0]).split(": ")[0] for item in serving.items] == machines


def test_files_without_rows_give_no_empty_list() -> None:
    (told,) = brief.section((), verdicts([], draws=50)).blocks
    assert isinstance(told, Paragraph)


def test_a_newer_run_of_another_bench_hides_no_better_value_of_a_tier(
    tmp_path: Path,
    everything: tuple[Row, ...],
    make_file: Callable[..., Path],
    make_result: Callable[..., Row],
) -> None:
    changes = {"run_id": "b-1", "started": "2026-02-01T08:04:12Z"}
    writes = [make_result(Tier.SSD, "ssd/write/qd=8", Metric.BANDWIDTH, 9.0, **changes)]
    _, runs = read_runs(
        [make_file(tmp_path / "a.csv", everything), make_file(tmp_path / "b.csv", writes)]
    )
    found = verdicts([row for run in runs for row in run.rows], draws=50)
    _, table, told, _ = brief.section(judge(runs), found).blocks
    assert isinstance(table, Table)
    assert isinstance(told, Paragraph)
    assert str(table.rows[2][1][0]).startswith("3.30 GB/s")  # the reads of the older run
    assert "SSD from a." in str(told.line[0])


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_tier_that_the_newest_run_lacks_comes_from_an_older_run(
    tmp_path: Path,
    everything: tuple[Row, ...],
    make_file: Callable[..., Path],
    make_result: Callable[..., Row],
    newest_first: bool,
) -> None:
    changes = {"run_id": "b-1", "started": "2026-02-01T08:04:12Z"}
    host = [make_result(Tier.DDR, "ddr/read/threads=all", Metric.BANDWIDTH, 63.0, **changes)]
    both = [make_file(tmp_path / "a.csv", everything), make_file(tmp_path / "b.csv", host)]
    _, runs = read_runs(both[::-1] if newest_first else both)
    found = verdicts([row for run in runs for row in run.rows], draws=50)
    _, table, told, serving = brief.section(judge(runs), found).blocks
    assert isinstance(table, Table)
    assert isinstance(told, Paragraph)
    assert isinstance(serving, Bullets)
    hbm, ddr, ssd = (str(row[1][0]) for row in table.rows)
    assert hbm.startswith("3021 GB/s")
    assert ddr.startswith("63.0 GB/s, 90.0 ns")  # only the older run has a latency
    assert ssd.startswith("3.30 GB/s")
    assert "HBM from a; DDR from b, a; SSD from a." in str(told.line[0])
    assert "brought from SSD to DDR in" in str(serving.items[0][0])
    (merged,) = by_machine(runs)
    assert merged.label == "box-1"
    assert {row.run_id for row in merged.rows if row.case.startswith("ddr/read")} == {"b-1"}
    assert {row.run_id for row in merged.rows if row.case.startswith("ssd/")} == {
        everything[0].run_id
    }


def test_a_verdict_beside_no_value_is_said_to_come_from_other_values() -> None:
    folder = Path(__file__).parents[2] / "results" / "reference"
    (measured,) = (folder / "epyc-zen4-2cpu-vm").glob("*.csv")
    _, runs = read_runs([folder / "h100-sxm" / "figures.csv", measured])
    found = verdicts([row for run in runs for row in run.rows], draws=50)
    (_, table, *_) = brief.section(judge(runs), found).blocks
    assert isinstance(table, Table)
    cells = [[str(part) for part in line] for line in table.rows[0]]
    assert cells[0] == ["h100-sxm"]
    assert cells[2][0] == "no published value, other values decide: "
    assert "contradicted" in cells[2][1]
    assert cells[3][0] == "no published value: "


def test_the_kernels_are_not_drawn_for_the_reason_that_holds(
    make_result: Callable[..., Row], machine: Machine
) -> None:
    def why(*cases: str) -> str:
        rows = [make_result(Tier.DDR, case, Metric.BANDWIDTH, 30.0) for case in cases]
        drawn = kernels.draw(
            [Run("box-1", ReportSource(Path("a.csv"), b"", ()), tuple(rows), None, machine)]
        )
        assert isinstance(drawn, NotDrawn)
        return str(drawn.reason)

    assert why() == "no ddr kernel was measured with one thread or with all threads"
    assert why("ddr/read/threads=2", "ddr/copy/threads=2") == why()
    assert (
        why("ddr/read/threads=1", "ddr/read/threads=all")
        == "only one ddr kernel was measured: ddr/read"
    )
    assert why("ddr/read/threads=all", "ddr/copy/threads=all") == (
        "the ddr kernels were measured in one way only: all threads, plain stores"
    )


def test_the_kernels_of_every_file_are_drawn_whatever_the_array_size(
    make_result: Callable[..., Row], machine: Machine
) -> None:
    def run(label: str, size: str, array: int, *more: Row) -> Run:
        rows = [
            make_result(
                Tier.DDR,
                f"ddr/{kernel}/size={size}/threads={threads}",
                Metric.BANDWIDTH,
                30.0,
                detail={"array": str(array)},
            )
            for kernel in ("read", "copy")
            for threads in ("1", "all")
        ]
        return Run(
            label, ReportSource(Path(f"{label}.csv"), b"", ()), (*rows, *more), None, machine
        )

    def drawn(*runs: Run) -> tuple[set[str], str]:
        figure = kernels.draw(runs)
        assert isinstance(figure, Figure)
        return {str(row[0][0]) for row in figure.table.rows}, str(figure.caption)

    mib = 1024**2
    labels, caption = drawn(run("a", "256MiB", 0), run("b", "auto", 256 * mib))
    assert labels == {"a", "b"}
    assert "sizes differ" not in caption
    labels, caption = drawn(run("a", "256MiB", 0), run("b", "auto", 512 * mib))
    assert labels == {"a", "b"}
    assert "The array sizes differ: a: 256MiB, b: 512MiB." in caption
    other = make_result(Tier.DDR, "ddr/read/size=1GiB/threads=1", Metric.BANDWIDTH, 30.0)
    labels, caption = drawn(run("a", "256MiB", 0, other), run("b", "auto", 256 * mib))
    assert "1 case with another array size or page size is not in this plot." in caption


def test_a_disk_is_named_in_words_and_packages_are_counted() -> None:
    disk = device_name("ext4 on /dev/vda (virtio_blk)")
    assert disk == "ext4 on /dev/vda (virtio_blk)"
    assert getattr(disk, "params", {}) == {
        "filesystem": "ext4",
        "disk": "/dev/vda",
        "driver": "virtio_blk",
    }
    assert not hasattr(device_name("NVIDIA H100 on a board"), "params")
    named = fact_names(["thp", "package numpy", "no such fact", "package numba"])
    assert named == ["thp", "no such fact", "2 packages"]


def test_beside_a_reference_the_page_names_the_nearest_case_and_how_it_differs(
    tmp_path: Path, make_result: Callable[..., Row], make_file: Callable[..., Path]
) -> None:
    def rows(size: str, **changes: object) -> list[Row]:
        case = f"ddr/triad/size={size}/threads=all"
        return [
            make_result(Tier.DDR, case, Metric.BANDWIDTH, 30.0, size_bytes=2**28, **changes),
            make_result(Tier.DDR, "ddr/read/threads=1", Metric.BANDWIDTH, 20.0, **changes),
        ]

    mine = make_file(tmp_path / "mine.csv", rows("256MiB"))
    theirs: dict[str, object] = {"run_id": "cited-1", "machine": "known", "backend": "cited"}
    figures = make_file(tmp_path / "known.csv", rows("1GiB", **theirs), sidecar=False)
    sources, _ = read_runs([mine, figures])
    made = comparison.section(comparison.compared(sources))
    assert made is not None
    (table,) = [block for block in made.blocks if isinstance(block, Table)]
    assert table.columns[-1].title == "nearest case, and how it differs"
    found = {str(row[0][0]): "".join(map(str, row[-1])) for row in table.rows}
    assert found == {
        "ddr/triad/size=256MiB/threads=all": (
            "ddr/triad/size=1GiB/threads=all: size 1GiB, here 256MiB"
        ),
        "ddr/read/threads=1": "",
    }
    again = make_file(tmp_path / "again.csv", rows("256MiB", run_id="again", machine="box-9"))
    sources, _ = read_runs([mine, again])
    made = comparison.section(comparison.compared(sources))
    assert made is not None
    (table,) = [block for block in made.blocks if isinstance(block, Table)]
    assert "nearest" not in str(table.columns)
    assert "Each file contains only one run" in str(made.blocks[-1])
    both = [*rows("256MiB", run_id="one"), *rows("256MiB", run_id="two")]
    sources, _ = read_runs([mine, make_file(tmp_path / "both.csv", both, sidecar=False)])
    made = comparison.section(comparison.compared(sources))
    assert made is not None
    assert "Each file contains only one run" not in str(made.blocks[-1])


def test_a_file_without_a_case_of_the_reference_is_named_beside_the_others(
    tmp_path: Path, make_result: Callable[..., Row], make_file: Callable[..., Path]
) -> None:
    paths = []
    for run, case in (("one", "ddr/read"), ("two", "ddr/read"), ("three", "ddr/copy")):
        row = make_result(Tier.DDR, case, Metric.BANDWIDTH, 30.0, run_id=run, machine=run)
        paths.append(make_file(tmp_path / f"{run}.csv", [row], sidecar=False))
    sources, _ = read_runs(paths)
    made = comparison.section(comparison.compared(sources))
    assert made is not None
    assert "three against one: " in str(made.blocks[1])
    assert "no measured case in common." in str(made.blocks[1])


def test_a_table_of_results_has_the_runs_that_have_values_and_the_sources_of_figures(
    make_result: Callable[..., Row], machine: Machine
) -> None:
    def run(label: str, *rows: Row) -> Run:
        return Run(label, ReportSource(Path("a.csv"), b"", ()), rows, None, machine)

    def rates(machine_name: str, **changes: object) -> Row:
        case = "hbm/read/size=4GiB"
        return make_result(Tier.HBM, case, Metric.BANDWIDTH, 3e3, machine=machine_name, **changes)

    latency = make_result(Tier.DDR, "host/chase/size=1GiB", Metric.LATENCY, 90.0, flags=("vm",))
    source = {"source": "a paper", "note": "its table 2"}
    cited = rates("b", run_id="b", backend="cited", spread=None, round_values=(), detail=source)
    made = results.section([run("a", rates("a"), latency), run("b", cited)])
    hbm, ddr = (section.blocks[0] for section in made.sections)
    assert isinstance(hbm, Table)
    assert isinstance(ddr, Table)
    assert [column.title for column in hbm.columns] == [
        "case",
        "a",
        "spread",
        "b",
        "flags",
        "source",
    ]
    assert [column.title for column in ddr.columns] == ["case", "a", "spread", "flags"]
    assert str(hbm.rows[0][-1][0]) == "a paper: its table 2"
    # With one run, the cell omits the name of the run.
    assert "".join(map(str, ddr.rows[0][-1])) == "vm"
