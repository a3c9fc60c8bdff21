"""The command `membench fleet run`, and the display of its progress."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from membench import cli
from membench.report.screens.fleet.live import FleetTable, host_table
from membench.results.fleet_ledger import Host, HostState, latest_ledger
from membench.results.table import read_rows

pytestmark = pytest.mark.slow


def membench(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "membench", *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        check=False,
    )


def test_a_local_fleet_from_the_command_to_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = membench(
        tmp_path,
        *("fleet", "run", "--local", "1", "-o", "out", "--host-directory", str(tmp_path / "hosts")),
        *(
            "--select",
            "host/chase/size=16KiB*",
            "--select",
            "*/size=16KiB/pages=thp",
            "--rounds",
            "1",
            "--seed",
            "7",
        ),
        *("--disk-budget", "64MiB"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "worker-0 running: asked"
    assert lines[1] == "worker-0 arrived: 1 row"
    assert lines[2:] == [
        "results of 1 of 1 host arrived: out",
        "To see the results: membench fleet report out",
    ]
    ledger = latest_ledger(tmp_path / "out")
    assert ledger is not None
    assert ledger.arguments == (
        *(
            "--select",
            "host/chase/size=16KiB*",
            "--select",
            "*/size=16KiB/pages=thp",
            "--rounds",
            "1",
        ),
        *("--seed", "7", "--disk-budget", f"{64 << 20}B"),
    )
    (host,) = ledger.hosts
    (row,) = read_rows(tmp_path / "out" / host.csv)
    assert row.machine == "worker-0"
    sidecar = (tmp_path / "out" / host.csv).with_suffix(".json")
    assert json.loads(sidecar.read_text())["plan"]["seed"] == 7
    with pytest.raises(SystemExit) as left:
        cli.main(["fleet", "run", "--local", "1", "--resume", str(tmp_path / "out")])
    assert left.value.code == 4
    assert capsys.readouterr().err.startswith("Error: nothing to resume")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "exactly one of --scheduler ADDR and --local N"),
        (["--local", "1", "--scheduler", "tcp://127.0.0.1:1"], 2, "exactly one of"),
        (["--local", "1", "--resume", "x", "--rounds", "2"], 2, "--resume cannot be combined with"),
        (["--local", "1", "--resume", "x", "-o", "y"], 2, "--resume cannot be combined with -o"),
        (["--local", "1", "--all"], 2, "No such option '--all'"),
        (["--local", "1", "--resume", "nowhere"], 4, "there is no fleet run in nowhere"),
        (["--local", "1", "--hosts", "nowhere"], 1, "nowhere: cannot be read"),
        (["--scheduler", "what", "-o", "x"], 2, "'what' is not the address of a Dask scheduler"),
        (["--scheduler", "what://h:1", "-o", "x"], 2, "'what://h:1' is not the address of"),
        (["--scheduler", "tcp://h:x", "-o", "x"], 2, "'tcp://h:x' is not the address of"),
        (["--scheduler", "tcp://h:65536", "-o", "x"], 2, "'tcp://h:65536' is not the address of"),
        (["--scheduler", "tcp://127.0.0.1:9", "-o", "x"], 1, "no Dask scheduler responds at tcp:"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("membench.fleet.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(SystemExit) as left:
        cli.main(["fleet", "run", *arguments])
    said = capsys.readouterr().err.splitlines()
    assert left.value.code == code, said
    assert said[0].startswith("Error: ")
    assert message in said[0]
    assert len(said) <= 2


HOSTS = (
    Host("a" * 40, HostState.ARRIVED, "3 rows"),
    Host("b", HostState.RUNNING, "[round 2/5 3/42] ddr/copy/size=1GiB " + "x" * 200),
    Host("c", HostState.FAILED, "the worker of this host was lost"),
    Host("d", HostState.WAITING),
)


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_of_hosts_fits_and_the_worst_stands_above(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(host_table(HOSTS, 3, width))
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert all(len(line) <= width for line in lines)
    assert [line.split()[0] for line in lines[1:4]] == ["c", "b", "d"]
    assert lines[4] == "1 waiting, 1 running, 1 arrived, 1 failed"


def test_on_a_terminal_the_table_is_drawn_when_something_happens() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=12, no_color=True)
    table = FleetTable(console)
    for host in HOSTS:
        table.changed(host, news=True)
    table.ticked()
    table.changed(Host("b", HostState.RUNNING, "[round 3/5 1/42] other"), news=False)
    drawn = stream.tell()
    table.ticked()
    assert stream.tell() > drawn
    drawn = stream.tell()
    table.ticked()
    assert stream.tell() == drawn  # no change since then
    table.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "[round 2/5 3/42]" in shown
    assert "[round 3/5 1/42] other" in shown
