"""Time that the harness itself takes: ``pytest tests/bench --benchmark-enable``.

People compare these times between versions. No test fails because of a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.benches import registry
from membench.core.plain import dump
from membench.core.snapshot import Machine
from membench.core.terms import Status
from membench.machine import snapshot
from membench.measure.flags import results
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan
from membench.results.case_result import CaseResult, Reading, Seconds
from membench.results.journal.writing import Journal
from membench.results.plan import Plan
from membench.results.rows import rows
from membench.results.table import read_rows, write_rows

pytestmark = pytest.mark.slow

SAMPLES = tuple(30.0 + n / 100 for n in range(10))


@pytest.fixture(scope="module")
def machine() -> Machine:
    return snapshot()


@pytest.fixture(scope="module")
def plan(machine: Machine) -> Plan:
    """The full profile of this machine, with every case runnable."""
    made = make_plan(RunOptions(profile="full"), registry(), machine)
    return replace(made, cases=tuple(replace(case, skipped="") for case in made.cases))


@pytest.fixture(scope="module")
def units(plan: Plan) -> list[CaseResult]:
    """A case result for every case and round of the plan. All values are equal."""
    return [
        CaseResult(
            round=round_,
            case=case.id,
            status=Status.OK,
            started="2026-01-31T08:04:12Z",
            readings=tuple(
                Reading(metric, stat, 30.0, len(SAMPLES), SAMPLES) for metric, stat in case.yields
            ),
            seconds=Seconds(0.1, 0.2, 0.1),
            size_bytes=2**28,
            timer="clock_monotonic",
            backend="cpu",
            device="Some CPU",
            kernel="k0123456789ab",
            detail={"engine": "numba", "threads": 2},
        )
        for round_ in range(1, plan.rounds + 1)
        for case in plan.cases
    ]


def test_snapshot(benchmark: BenchmarkFixture) -> None:
    assert benchmark(snapshot).slug


def test_planning(benchmark: BenchmarkFixture, machine: Machine) -> None:
    made = benchmark(make_plan, RunOptions(profile="full"), registry(), machine)
    assert len(made.cases) > 50


def test_appending_a_unit_without_the_sync(
    benchmark: BenchmarkFixture,
    plan: Plan,
    machine: Machine,
    units: list[CaseResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Journal.create(tmp_path / "o.journal", plan, dump(machine))
    before = journal.path.stat().st_size
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # excludes the time of the disk
    benchmark(journal.append, units[0])
    journal.close()
    assert journal.path.stat().st_size > before


def test_rows_of_a_full_run(
    benchmark: BenchmarkFixture, plan: Plan, machine: Machine, units: list[CaseResult]
) -> None:
    assert len(benchmark(results, plan, units, machine)) >= len(plan.cases)


def test_writing_the_csv_of_a_full_run(
    benchmark: BenchmarkFixture, plan: Plan, units: list[CaseResult], tmp_path: Path
) -> None:
    made = rows(plan, units)
    benchmark(write_rows, tmp_path / "o.csv", made)
    assert read_rows(tmp_path / "o.csv") == made


@pytest.mark.parametrize(
    "arguments",
    [
        # The baseline: help takes at most 2 times as long, list at most 4 times.
        ("-c", "import click"),
        ("-c", "import membench"),
        ("-m", "membench", "--help"),
        ("-m", "membench", "list"),
    ],
    ids=" ".join,
)
def test_start_up(benchmark: BenchmarkFixture, arguments: tuple[str, ...]) -> None:
    def start() -> int:
        return subprocess.run(
            [sys.executable, *arguments], stdout=subprocess.DEVNULL, check=False
        ).returncode

    assert benchmark(start) == 0


def test_the_quick_profile(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The whole quick profile, its shares of the time, and the time until its first result.

    To compare two versions, run this test in turns with each of them on the PYTHONPATH.
    """
    csv = tmp_path / "o.csv"
    command = [sys.executable, "-m", "membench", "run", "--profile", "quick", "--device", "cpu"]

    def run() -> float:
        """Seconds until the first result."""
        begin, first = time.monotonic(), 0.0
        with subprocess.Popen(
            [*command, "-o", str(csv)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not first and line.startswith("[round 1/"):
                    first = time.monotonic() - begin
        assert process.returncode == 0
        return first

    pedantic: Callable[..., float] = benchmark.pedantic  # without types
    first = pedantic(run, rounds=1)
    seconds = json.loads(csv.with_suffix(".json").read_text())["seconds"]
    benchmark.extra_info["first result, s"] = round(first, 2)
    for part in ("measuring", "filling", "verifying", "overhead"):
        benchmark.extra_info[f"{part}, share"] = round(seconds[part] / seconds["total"], 3)
    intervals = [
        (max(row.round_values) - min(row.round_values)) / row.value
        for row in read_rows(csv)
        if row.status is Status.OK and row.value
    ]
    benchmark.extra_info["median range of the rounds"] = round(
        sorted(intervals)[len(intervals) // 2], 4
    )
    assert 0 < first < seconds["total"]
