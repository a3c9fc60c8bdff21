"""A fleet run on real worker processes: one is killed, one sends wrong data, one never connects."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from distributed import Client

import membench
from membench.fleet import fleet_run
from membench.fleet.cluster import RESOURCE, reachable_workers
from membench.fleet.fleet_run import FleetRun, Patience
from membench.fleet.hosts import HostWorker
from membench.results.fleet_ledger import FleetLedger, Host, HostState, latest_ledger
from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows

pytestmark = pytest.mark.slow

CASE = "host/chase/size=16KiB*"
ID = "20261125T010349Z-6ba2"
NAMES = ("worker-0", "worker-1", "worker-2")
MANY = 12
"""Number of rounds after which a run certainly goes on when the client hears of its first round."""


class Watcher:
    """A watcher that records all events, and may call a function."""

    def __init__(self, act: Callable[[Host], None] = lambda _: None) -> None:
        self.told: list[Host] = []
        self.warnings: list[str] = []
        self._act = act

    def changed(self, host: Host, *, news: bool) -> None:
        self.told.append(host)
        self._act(host)

    def warned(self, message: str, hint: str) -> None:
        self.warnings.append(message)

    def ticked(self) -> None:
        self.ticks = getattr(self, "ticks", 0) + 1


@pytest.mark.parametrize(
    ("names", "told"),
    [(("a",), "worker a has "), (("a", "b", "c"), "workers a and 2 more have ")],
)
def test_a_warning_of_another_version(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    watcher = Watcher()
    run = FleetRun(cast("Client", None), tmp_path, ledger(tmp_path), watcher, Patience(1, 0))
    run._warn_of_versions(HostWorker(name, name, name, "", "0.0.9") for name in names)
    (warning,) = watcher.warnings
    assert warning.startswith(f"{told}membench 0.0.9, but this host has ")


def ledger(tmp_path: Path, *names: str, rounds: int = 2) -> FleetLedger:
    arguments = ("--select", CASE, "--rounds", str(rounds))
    hosts = tuple(Host(name) for name in names)
    return FleetLedger(ID, arguments, hosts, "worker", str(tmp_path / "on-the-hosts"))


def check_whole(directory: Path, host: Host, rounds: int = 2) -> None:
    csv = directory / host.csv
    rows = read_rows(csv)
    sidecar = read_sidecar(csv)
    assert sidecar is not None
    assert verify_sha256(csv, sidecar)
    assert {(row.machine, row.rounds) for row in rows} == {(host.name, rounds)}


def test_a_killed_worker_costs_nothing_else_and_resume_completes(
    cluster: Client, tmp_path: Path
) -> None:
    pids = {
        f"worker-{worker.worker}": cluster.run(os.getpid, workers=[worker.address])[worker.address]
        for worker in reachable_workers(cluster)[0]
    }
    killed: list[str] = []

    def kill(host: Host) -> None:
        if host.name == "worker-1" and host.detail.startswith("[round 1") and not killed:
            killed.append(host.name)
            os.kill(pids[host.name], signal.SIGKILL)

    watcher = Watcher(kill)
    output = tmp_path / "results"
    output.mkdir()
    asked = ledger(tmp_path, *NAMES, "node-9", rounds=MANY)
    first = FleetRun(cluster, output, asked, watcher, Patience(wait=0, retries=0)).run()
    assert killed
    states = {host.name: host.state for host in first.hosts}
    assert states == {
        "worker-0": HostState.ARRIVED,
        "worker-1": HostState.FAILED,
        "worker-2": HostState.ARRIVED,
        "node-9": HostState.MISSING,
    }
    assert "lost" in first.host("worker-1").detail
    for host in first.of_state(HostState.ARRIVED):
        check_whole(output, host, MANY)
    assert latest_ledger(output) == first
    assert not list(output.glob(".incoming*"))

    # The journal remains on the host: the second attempt continues the run.
    journal = tmp_path / "on-the-hosts" / ID / "worker-1.journal"
    assert journal.exists()
    watcher = Watcher()
    while len(reachable_workers(cluster)[0]) < len(NAMES):
        time.sleep(0.1)  # Dask restarts the worker
    again = FleetRun(cluster, output, first, watcher, Patience(wait=0, retries=0))
    done = again.run()
    assert done.host("worker-1").state is HostState.ARRIVED
    assert done.host("node-9").state is HostState.MISSING
    check_whole(output, done.host("worker-1"), MANY)
    assert {host.name for host in watcher.told} == {"worker-1", "node-9"}
    assert not journal.exists()


def test_a_lost_worker_is_asked_again_by_itself(cluster: Client, tmp_path: Path) -> None:
    def die_once(request: Any) -> dict[str, Any]:
        from pathlib import Path

        mark = Path(request.directory)
        if not mark.exists():
            mark.write_text("I was here")
            os.kill(os.getpid(), signal.SIGKILL)
        return {"code": 4, "csv": b"", "sidecar": b"", "errors": "Error: alive again", "where": ""}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet_run, "measure", die_once)
        asked = ledger(tmp_path, "worker-2")
        done = FleetRun(cluster, tmp_path, asked, Watcher(), Patience(wait=20, retries=1)).run()
    assert done.host("worker-2").attempts == 2
    assert done.host("worker-2").detail == "the run ended with exit code 4: alive again"


def test_what_a_worker_sends_is_checked_and_named(
    cluster: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(request: Any) -> Any:
        answers = {
            "worker-0": "surprise",
            "worker-1": {"code": 0, "csv": b"\0\xff" * 99, "sidecar": b"{}", "errors": ""},
        }
        if request.host in answers:
            return answers[request.host]
        raise RuntimeError("no\nway")

    monkeypatch.setattr(fleet_run, "measure", lie)
    asked = ledger(tmp_path, *NAMES)
    done = FleetRun(cluster, tmp_path, asked, Watcher(), Patience(wait=20)).run()
    assert {host.name: host.detail for host in done.hosts} == {
        "worker-0": "the host's answer is invalid: the exit code or a file is missing",
        "worker-1": "the host's answer is invalid: results.csv: the file is binary, so it is not "
        "a results file",
        "worker-2": "RuntimeError: no way",
    }
    assert {host.state for host in done.hosts} == {HostState.FAILED}
    assert [path.name for path in tmp_path.iterdir()] == [f"{ID}.fleet.json"]


def test_a_worker_without_membench_is_named_once(
    cluster: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'membench'")

    monkeypatch.setattr("membench.fleet.cluster.identify", missing)
    watcher = Watcher()
    asked = ledger(tmp_path, "worker-0")
    done = FleetRun(cluster, tmp_path, asked, watcher, Patience(wait=1.2)).run()
    assert done.host("worker-0").state is HostState.MISSING
    assert len(watcher.warnings) == len(NAMES)
    assert all("No module named 'membench'" in warning for warning in watcher.warnings)


@pytest.fixture
def other_version(cluster: Client, tmp_path: Path) -> Iterator[str]:
    """The version of a fourth worker, ``other``, which runs a changed copy of membench."""
    package = Path(membench.__file__).parent
    copy = tmp_path / "site" / "membench"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    source = copy / "__init__.py"
    changed = re.sub(
        r"^__version__ = .*$", '__version__ = "0.0.9"', source.read_text(), flags=re.MULTILINE
    )
    source.write_text(changed)
    command = [sys.executable, "-P", "-m", "distributed.cli.dask_worker", "--no-nanny"]
    command += ["--name", "other", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    command += ["--resources", f"{RESOURCE}=1", cluster.scheduler_info()["address"]]
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as one:
        try:
            cluster.wait_for_workers(len(NAMES) + 1, timeout=60)
            yield "0.0.9"
        finally:
            one.terminate()


def test_two_versions_in_one_fleet_are_named_and_both_measured(
    cluster: Client, tmp_path: Path, other_version: str
) -> None:
    watcher = Watcher()
    output = tmp_path / "results"
    output.mkdir()
    asked = ledger(tmp_path, "worker-0", "other")
    done = FleetRun(cluster, output, asked, watcher, Patience(wait=20)).run()
    assert {host.state for host in done.hosts} == {HostState.ARRIVED}
    (warning,) = watcher.warnings
    assert warning.startswith(
        f"worker other has membench {other_version}, but this host has {membench.__version__}:"
    )
    for name, version in (("worker-0", membench.__version__), ("other", other_version)):
        host = done.host(name)
        check_whole(output, host)
        assert {row.membench.partition("+")[0] for row in read_rows(output / host.csv)} == {version}


def test_a_run_that_is_called_off_says_so_and_ends_on_the_host(
    cluster: Client, tmp_path: Path
) -> None:
    def stop(host: Host) -> None:
        if host.detail.startswith("[round 1"):
            raise KeyboardInterrupt

    # The run must not end before the cancellation arrives.
    asked = replace(ledger(tmp_path, "worker-0"), arguments=("--select", CASE, "--rounds", "100"))
    with pytest.raises(KeyboardInterrupt):
        FleetRun(cluster, tmp_path, asked, Watcher(stop), Patience()).run()
    kept = latest_ledger(tmp_path)
    assert kept is not None
    assert kept.host("worker-0") == Host("worker-0", HostState.FAILED, "cancelled", attempts=1)
    lock = (tmp_path / "on-the-hosts" / "host.lock").open("rb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the run releases the lock when it ends
    assert (tmp_path / "on-the-hosts" / ID / "worker-0.journal").exists()
