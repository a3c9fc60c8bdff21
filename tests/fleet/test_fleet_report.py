"""`membench fleet report` on a directory of results files."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_files import make_fleet
from rich.console import Console

from membench import cli
from membench.analysis.fleet.reading import Values, read_fleet
from membench.analysis.fleet.summary import FleetSummary, summarise
from membench.analysis.thresholds import thresholds
from membench.core.errors import OutputError, SchemaError
from membench.core.terms import Status
from membench.fleet import exchange
from membench.fleet.exchange import read_parquet, write_parquet
from membench.report.page.document import Paragraph
from membench.report.screens.fleet import screen
from membench.report.screens.fleet.page import compose
from membench.report.screens.fleet.words import headline
from membench.results.fleet_ledger import FleetLedger, Host, HostState, write_ledger
from membench.results.table import read_rows, write_rows

MACHINES, CASES = 24, 12
SLOW = {3: {0, 1, 2, 5}, 7: {4}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fleet")
    make_fleet(directory, MACHINES, CASES, SLOW)
    return directory


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Path:
    """A copy of the fleet's files that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "fleet"))


def summary_of(directory: Path) -> FleetSummary:
    return summarise(read_fleet(directory), thresholds("default"))


def test_the_slow_machines_are_found_and_nobody_else(made: Path) -> None:
    summary = summary_of(made)
    assert [line.name for line in summary.slow] == ["node-00003", "node-00007"]
    first, second = summary.slow
    assert first.straggler
    assert len(first.slow) == 4
    assert first.chance < 1e-6
    assert all(1.2 < cell.times < 1.3 for cell in first.slow)
    assert second.straggler  # slow in only one case, but by a large factor
    assert second.chance > 0.05
    assert {case.machines for case in summary.cases} == {MACHINES}
    assert sum(case.slow for case in summary.cases) == 5
    assert not summary.missing
    assert not summary.failed


def test_a_difference_that_does_not_matter_makes_no_straggler(tmp_path: Path) -> None:
    make_fleet(tmp_path, 12, 9, {3: set(range(9))}, factor=1.02, scatter=0.0005)
    summary = summary_of(tmp_path)
    assert summary.z.max() > 10
    assert not summary.slow
    strict = summarise(summary.values, thresholds("strict"))
    assert [line.name for line in strict.stragglers] == ["node-00003"]


def test_four_machines_are_not_judged(tmp_path: Path) -> None:
    make_fleet(tmp_path, 4, 3, {3: {0, 1, 2}}, factor=3)
    summary = summary_of(tmp_path)
    assert not summary.slow
    assert not any(case.judged for case in summary.cases)


def test_several_processes_read_the_same(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("membench.analysis.fleet.reading._ALONE", 0)
    monkeypatch.setattr("membench.analysis.fleet.reading._FILES_AT_ONCE", 5)
    one, several = read_fleet(made, workers=1), read_fleet(made, workers=2)
    assert one.machines == several.machines
    assert cells(one) == cells(several)


def cells(values: Values) -> dict[tuple[object, ...], float]:
    return {
        (values.machines[machine], values.keys[key]): value
        for machine, key, value in zip(
            values.machine.tolist(), values.key.tolist(), values.value.tolist(), strict=True
        )
    }


def test_what_is_missing_failed_or_hostile_is_named(fleet: Path) -> None:
    hosts = [
        Host(f"node-{n:05d}", HostState.ARRIVED, csv=f"node-{n:05d}/run.csv") for n in range(24)
    ]
    absent = [
        Host("node-x", HostState.MISSING, "no worker"),
        Host("node-y", HostState.FAILED, "lost"),
    ]
    write_ledger(fleet, FleetLedger("20261125T010349Z-6ba2", (), (*hosts, *absent)))
    (fleet / "node-00001" / "run.csv").write_bytes(b"\0\xff")
    path = fleet / "node-00002" / "run.csv"
    rows = read_rows(path)
    broken = replace(
        rows[0],
        status=Status.FAILED,
        reason="it broke",
        value=None,
        round_values=(),
        samples=(),
        rounds=0,
        n=0,
        spread=None,
        min=None,
        max=None,
    )
    write_rows(path, [broken, *rows[1:]])
    (fleet / "stranger").mkdir()
    shutil.copy(fleet / "node-00004" / "run.csv", fleet / "stranger")  # not in the ledger
    summary = summary_of(fleet)
    assert summary.values.unread == {
        str(fleet / "node-00001" / "run.csv"): "the file is binary, so it is not a results file"
    }
    assert summary.values.failed == {"node-00002": (1, "it broke")}
    assert summary.lacking == {"node-00002": 1}
    assert [host.name for host in summary.absent(HostState.MISSING)] == ["node-x"]
    assert (summary.missing, summary.failed) == (2, 3)


def test_without_a_ledger_nothing_is_said_about_missing_hosts(fleet: Path) -> None:
    summary = summary_of(fleet)
    assert summary.values.ledger is None
    assert "missing hosts unknown, nothing failed" in headline(summary)
    (missing,) = (one for one in compose(summary).sections if one.anchor == "missing")
    assert missing.blocks == (Paragraph(("No case failed.",)),)


def test_rows_that_are_not_shown_are_counted(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [Host(f"node-{letter}", HostState.MISSING, "no worker") for letter in "xyz"]
    write_ledger(fleet, FleetLedger("20261125T010349Z-6ba2", (), tuple(hosts)))
    monkeypatch.setattr(screen, "SHOWN", 2)
    stream = io.StringIO()
    screen.print_fleet(Console(file=stream, width=150), summary_of(fleet), everything=False)
    troubles = stream.getvalue().partition("missing, failed, incomplete\n")[2].splitlines()[:3]
    assert [line.split()[0] for line in troubles] == ["node-x", "node-y", "1"]
    assert troubles[2] == "1 more row: --format json prints all"


def test_the_newest_run_of_a_machine_counts(fleet: Path) -> None:
    path = fleet / "node-00003" / "run.csv"
    rows = [replace(row, run_id="20270101T000000Z-0000") for row in read_rows(path)]
    shutil.copy(fleet / "node-00005" / "run.csv", fleet / "node-00003" / "newer.csv")
    newer = read_rows(fleet / "node-00003" / "newer.csv")
    write_rows(
        fleet / "node-00003" / "newer.csv",
        [replace(row, machine=rows[0].machine, run_id=rows[0].run_id) for row in newer],
    )
    assert [line.name for line in summary_of(fleet).slow] == ["node-00007"]


@pytest.mark.slow
def test_parquet_holds_what_the_files_say(made: Path, tmp_path: Path) -> None:
    values = read_fleet(made)
    path = tmp_path / "all.parquet"
    write_parquet(values, path)
    write_parquet(values, path)  # the file is replaced, because it is a Parquet file
    again = read_parquet(path)
    assert cells(again) == cells(values)
    first, second = (summarise(one, thresholds("default")) for one in (values, again))
    assert second.slow == first.slow
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SchemaError, match="is not a Parquet file"):
        read_parquet(path)
    with pytest.raises(OutputError, match="is not a Parquet file of membench fleet report"):
        write_parquet(values, path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "error"), [("distributed", ""), ("pyarrow", "Error: Parquet needs pyarrow")]
)
def test_parquet_needs_pyarrow_but_not_dask(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    error: str,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(SystemExit) as left:
        cli.main(["fleet", "report", str(made), "-o", str(tmp_path / "all.parquet")])
    assert left.value.code == (1 if error else 0)
    assert error in capsys.readouterr().err


def test_parquet_of_a_stranger_is_refused_in_one_line(made: Path, tmp_path: Path) -> None:
    values = read_fleet(made)
    key = values.keys[0]._replace(case="<script>")
    hostile = [
        replace(values, keys=(key, *values.keys[1:])),
        replace(values, machines=("../../etc", *values.machines[1:])),
        replace(values, value=values.value * math.nan),
        replace(values, key=values.key * 0),
    ]
    for number, one in enumerate(hostile):
        path = tmp_path / f"{number}.parquet"
        write_parquet(one, path)
        with pytest.raises(SchemaError, match=rf"{number}\.parquet: [^\n]+$"):
            read_parquet(path)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(["fleet", "report", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_and_its_exit_codes(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "fleet.html"
    assert call(str(made), "-o", str(page), "--fail-on", "straggler") == 3
    said = capsys.readouterr()
    assert said.out.isascii()
    assert "node-00003  straggler  4 of 12" in said.out
    assert "24 machines, 12 cases: 2 stragglers" in said.out
    assert said.err.splitlines()[-1] == "Found: 2 straggler (--fail-on straggler)"
    html = page.read_text()
    assert html.count("<svg") == 2
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    assert call(str(made), "--fail-on", "missing,failed") == 0
    assert call(str(tmp_path / "nothing")) == 1
    assert call(str(tmp_path)) == 4
    assert call(str(made), "-o", "x.pdf") == 2
    assert call(str(made), "--fail-on", "everything") == 2


def test_csv_and_json_say_the_same(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(str(made), "--format", "csv") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(lines) == MACHINES * CASES
    slow = [line for line in lines if line["verdict"] == "straggler"]
    assert len(slow) == 5
    assert call(str(made), "--format", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["stragglers"] == ["node-00003", "node-00007"]
    found = {
        (machine["machine"], cell["case"]): cell["z"]
        for machine in data["slow"]
        for cell in machine["cases"]
    }
    assert {(line["machine"], line["case"]): float(line["z"]) for line in slow} == {
        key: pytest.approx(z, rel=1e-5) for key, z in found.items()
    }


def dies(_path: Path) -> None:
    """End the process like Arrow does with some damaged files."""
    print("terminate called after throwing an instance of something", file=sys.stderr, flush=True)
    os.abort()


def test_a_file_that_ends_its_reader_ends_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SchemaError, match="the process that read the file died"):
        exchange._isolated(dies, tmp_path / "v.parquet")
    assert capfd.readouterr().err == ""
