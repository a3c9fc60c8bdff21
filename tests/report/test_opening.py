"""The top of a report: title, paragraph about the runs, and problems, also of many files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.terms import Metric, Tier
from membench.report.page.runs import read_runs
from membench.report.page.sections import opening
from membench.results.schema import Row

MakeRow = Callable[..., Row]
MakeFile = Callable[..., Path]


@pytest.fixture
def many(tmp_path: Path, make_result: MakeRow, make_file: MakeFile) -> list[Path]:
    """30 files without sidecars, one of each machine."""
    return [
        make_file(
            tmp_path / f"n{number:02}.csv",
            [
                make_result(
                    *(Tier.DDR, "ddr/copy/threads=all", Metric.BANDWIDTH, 30.0),
                    run_id=f"run-{number}",
                    machine=f"box-{number:02}",
                    started=f"2026-01-31T08:{number:02}:00Z",
                )
            ],
            sidecar=False,
        )
        for number in range(30)
    ]


def test_many_machines_are_counted(many: list[Path]) -> None:
    sources, runs = read_runs(many)
    assert opening.title(sources, runs) == "30 machines"
    (lead,) = opening.lead(runs)
    assert str(lead) == (
        "box-00, box-01, box-02, box-03, box-04, box-05 and 24 more; "
        "started 2026-01-31 08:00:00 to 2026-01-31 08:29:00 UTC."
    )


def test_equal_problems_of_many_files_are_one_alert(many: list[Path]) -> None:
    (many[7].with_suffix(".json")).write_text("{")
    sources, _ = read_runs(many)
    lacking, broken = opening.alerts(sources)
    assert str(lacking.line[0]).startswith("n00.csv has no sidecar (n00.json is missing): ")
    assert str(lacking.line[0]).endswith(
        "The same is true of 28 other files: n01.csv, n02.csv, n03.csv, n04.csv, n05.csv, n06.csv "
        "and 22 more."
    )
    assert str(broken.line[0]).startswith("n07.json")
    assert "The same is true" not in str(broken.line[0])


def test_a_few_runs_are_named(many: list[Path]) -> None:
    sources, runs = read_runs(many[:6])
    assert opening.title(sources, runs) == ", ".join(f"box-{number:02}" for number in range(6))
    (lead,) = opening.lead(runs)
    assert str(lead).count("measured 2026-01-31") == 6
    (alert,) = opening.alerts(sources)
    assert str(alert.line[0]).count("n01.csv") == 1


def test_many_runs_of_a_few_machines_are_counted(many: list[Path]) -> None:
    sources, runs = read_runs(many[:8])

    def title(machines: int) -> str:
        own = [
            replace(run, rows=(replace(run.rows[0], machine=f"box-{place % machines}"),))
            for place, run in enumerate(runs)
        ]
        return opening.title(sources, own)

    assert title(1) == "8 runs of box-0"
    assert title(3) == "8 runs of 3 machines"
    assert opening.title(sources, ()) == "8 files"


def test_of_many_runs_those_of_others_are_counted(many: list[Path]) -> None:
    _, runs = read_runs(many[:9])
    backends = ["cited", "import:fio", "import:fio", *["cpu"] * 6]
    marked = [
        replace(run, rows=(replace(run.rows[0], backend=backend),))
        for run, backend in zip(runs, backends, strict=True)
    ]
    (lead,) = opening.lead(marked)
    assert str(lead).endswith(
        "started 2026-01-31 08:03:00 to 2026-01-31 08:08:00 UTC; 1 run is cited; "
        "2 runs were measured by another tool."
    )
