"""Time and memory of the client of a fleet run, with ten thousand hosts that never connect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from membench.fleet.fleet_run import FleetRun, Patience
from membench.report.screens.fleet.live import FleetLines
from membench.results.fleet_ledger import FleetLedger, Host, HostState, latest_ledger

HOSTS = int(os.environ.get("MEMBENCH_HOSTS", "500"))


class EmptyCluster:
    """A client of a cluster without workers."""

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": {}}

    def subscribe_topic(self, *_: Any) -> None: ...

    def unsubscribe_topic(self, *_: Any) -> None: ...


class Quiet(FleetLines):
    def __init__(self) -> None: ...

    def changed(self, host: Host, *, news: bool) -> None: ...


@pytest.mark.benchmark(group="fleet-ledger")
def test_absent_hosts_are_one_change(benchmark: Any, tmp_path: Path) -> None:
    hosts = tuple(Host(f"node-{number}") for number in range(HOSTS))
    ledger = FleetLedger("20261125T010349Z-6ba2", ("--profile", "quick"), hosts)

    def run() -> FleetLedger:
        client: Any = EmptyCluster()
        return FleetRun(client, tmp_path, ledger, Quiet(), Patience(wait=0)).run()

    done = benchmark.pedantic(run, rounds=1)
    assert {host.state for host in done.hosts} == {HostState.MISSING}
    assert latest_ledger(tmp_path) == done
