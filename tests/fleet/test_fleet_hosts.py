"""The mapping of workers to hosts, and the hosts in the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import MembenchError, SchemaError, UsageError
from membench.fleet import run
from membench.fleet.fleet_run import Patience
from membench.fleet.hosts import HostWorker, by_host, read_hosts
from membench.machine.identity import check_label
from membench.report.screens.console import console
from membench.report.screens.fleet.end import print_end
from membench.results.fleet_ledger import (
    FleetLedger,
    Host,
    HostState,
    latest_ledger,
    ledger_path,
    read_ledger,
    write_ledger,
)


def test_several_workers_of_one_kernel_are_one_host() -> None:
    workers = [
        HostWorker("tcp://10.0.0.2:1", "gpu0", "node-a", "boot-1"),
        # Another container on the same host.
        HostWorker("tcp://10.0.0.1:1", "gpu1", "pod-b", "boot-1"),
        HostWorker("tcp://10.0.0.3:1", "x", "node-c", "boot-2"),
    ]
    assert {name: worker.address for name, worker in by_host(workers, "host").items()} == {
        "pod-b": "tcp://10.0.0.1:1",
        "node-c": "tcp://10.0.0.3:1",
    }
    assert sorted(by_host(workers, "worker")) == ["gpu0", "gpu1", "x"]


def test_cloned_hosts_of_one_name_are_told_apart_and_keep_their_names() -> None:
    workers = [HostWorker(f"tcp://10.0.0.{n}:1", "w", "Node.A", f"boot-{n}") for n in (1, 2)]
    names = sorted(by_host(workers, "host"))
    assert len(names) == 2
    assert all(name.startswith("node.a-") for name in names)
    assert names == sorted(by_host(workers[::-1], "host"))


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.builds(HostWorker, st.text(), st.text(), st.text(), st.text()),
        unique_by=lambda worker: worker.address,
    ),
    st.sampled_from(["host", "worker"]),
)
def test_whatever_a_worker_calls_itself_its_name_can_stand_in_a_path(
    workers: list[HostWorker], per: str
) -> None:
    named = by_host(workers, per)
    for name in named:
        assert check_label(name) == name
    if per == "host":
        assert len(named) == len({worker.boot or worker.host for worker in workers})


def test_a_file_of_hosts(tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("# rack 7\nNode-1\n\nnode-2  # spare\nnode-1\n")
    assert read_hosts(path) == ("node-1", "node-2")
    path.write_text("../etc\n")
    with pytest.raises(UsageError, match=r"hosts\.txt: .* is not a valid label"):
        read_hosts(path)
    path.write_text("# nobody\n")
    with pytest.raises(UsageError, match="lists no hosts"):
        read_hosts(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not text"):
        read_hosts(path)


LEDGER = FleetLedger(
    "20261125T010349Z-6ba2",
    ("--rounds", "1"),
    (Host("a", HostState.ARRIVED, "1 row", "a/x.csv", 0, 1), Host("b", HostState.MISSING)),
)


def test_a_ledger_is_what_was_written_and_the_newest_is_found(tmp_path: Path) -> None:
    assert latest_ledger(tmp_path) is None
    write_ledger(tmp_path, LEDGER)
    newer = FleetLedger("20261126T010349Z-0000", (), (Host("c"),))
    write_ledger(tmp_path, newer)
    assert read_ledger(ledger_path(tmp_path, LEDGER.fleet_id)) == LEDGER
    assert latest_ledger(tmp_path) == newer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "membench.run/1"}, "the schema is not membench.fleet/1"),
        ({"fleet_id": "../../x"}, "fleet_id"),
        ({"hosts": [{"name": "a", "csv": "../a.csv"}]}, "outside the directory"),
        ({"hosts": [{"name": "a", "csv": "/etc/passwd"}]}, "outside the directory"),
        ({"hosts": [{"name": "a"}, {"name": "a"}]}, "twice"),
        ({"hosts": [{"name": "a", "state": "happy"}]}, "is not one of waiting"),
    ],
)
def test_a_ledger_of_a_stranger_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_ledger(tmp_path, LEDGER)
    path = ledger_path(tmp_path, LEDGER.fleet_id)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(MembenchError, match=message) as caught:
        read_ledger(path)
    assert str(path) in str(caught.value)
    path.write_text("{")
    with pytest.raises(SchemaError, match="not JSON"):
        read_ledger(path)


def test_the_command_that_completes_a_run_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = FleetLedger("20260101T000000Z-0001", (), (Host("a"),))
    print_end(console(), ledger, Path("rack 7"), "--local 3")
    said = capsys.readouterr().out
    assert "To complete the run: membench fleet run --local 3 --resume 'rack 7'\n" in said


def test_workers_that_cannot_identify_themselves_are_not_called_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = {"tcp://a": "the worker a at tcp://a: no answer within 10 s"}
    monkeypatch.setattr(run, "reachable_workers", lambda _client: ([], silent))
    observer = Mock()
    with pytest.raises(MembenchError, match="1 worker did not identify itself") as caught:
        run._present(Mock(), "host", Patience(wait=0), observer, enough=1)
    assert "restart the worker" in caught.value.hint
    observer.warned.assert_called_once_with(silent["tcp://a"], caught.value.hint)
