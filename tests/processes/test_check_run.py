"""`membench check` without a file plans, measures for less than a minute, and judges."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import h100_box
import pytest
from driver import Membench
from profile_table import DISK

from membench.analysis.check.quantities import CASES, QUANTITIES
from membench.benches import registry
from membench.cli.check_command import ROUNDS, SECONDS
from membench.machine import snapshot
from membench.measure.options import RunOptions
from membench.measure.plan import estimate, make_plan
from membench.results.plan import Plan


def plan(gpus: int) -> Plan:
    options = RunOptions(select=CASES, device="all", rounds=ROUNDS[0])
    return make_plan(options, registry(), h100_box.box(gpus), DISK)


@pytest.mark.parametrize("gpus", [1, 8])
def test_a_gpu_box_is_checked_in_less_than_a_minute(gpus: int) -> None:
    assert estimate(plan(gpus)).seconds < SECONDS


def test_sixteen_gpus_have_fewer_rounds() -> None:
    many = plan(16)
    assert estimate(many).seconds > SECONDS
    assert estimate(replace(many, rounds=ROUNDS[-1])).seconds < SECONDS


def test_every_main_quantity_is_measured() -> None:
    cases = [case for case in plan(8).cases if not case.skipped]
    lost = [
        one.name
        for one in QUANTITIES
        if one.main and not any(one.has(case.id) and case.tier is one.tier for case in cases)
    ]
    assert lost == []


def test_a_dry_run_names_every_case(membench: Membench) -> None:
    done = membench("check", "--dry-run")
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    options = RunOptions(select=CASES, device="all")
    assert {case.id for case in make_plan(options, registry(), snapshot()).cases} <= listed
    assert "names all these cases" not in done.stdout


@pytest.mark.slow
def test_this_machine_is_measured_and_judged(membench: Membench) -> None:
    done = membench("check", "--json", "--require", "link")
    assert done.returncode == 3, done.stderr  # this machine has no GPU
    data = json.loads(done.stdout)
    assert data["failures"] == ["link is not judged"]
    assert {line["tier"] for line in data["lines"]} == {"ddr", "ssd"}
    assert all(line["devices"][0]["value"] for line in data["lines"])
    assert "Results: results/" in done.stderr
    (csv,) = (membench.directory / "results").glob("*/*_check.csv")
    again = json.loads(membench("check", str(csv), "--expect", str(csv), "--json").stdout)
    verdicts = {line["verdict"] for line in again["lines"]}
    assert verdicts <= {"pass", "not judged"}  # noisy results get no verdict
    assert all(line["devices"][0]["share"] >= 1 for line in again["lines"])


@pytest.mark.slow
def test_an_interrupted_check_names_its_files_and_the_next_commands(membench: Membench) -> None:
    run = membench.start("check", "-o", "o.csv")
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("[round"):
            break
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert told.splitlines()[-4:] == [
        "Interrupted: a check judges only complete results.",
        "Partial results: o.csv and o.json",
        "Next: membench run --resume o.csv",
        "Then: membench check o.csv",
    ]
