"""Nobody else can command a trial, and a scheduler that anybody can command is refused."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from distributed import Client

from membench.core.errors import MembenchError
from membench.fleet import cluster as clusters
from membench.fleet.cluster import connected, local, seats
from membench.results.table import read_rows


def listening() -> set[str]:
    """The addresses that this process and its children listen at."""
    me = psutil.Process()
    return {
        connection.laddr.ip
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.slow
def test_a_trial_opens_no_socket_for_commands() -> None:
    before = listening()
    with local(2) as client:
        assert len(seats(client)[0]) == 2
        assert client.scheduler_info()["address"].startswith("inproc://")
        for address in listening() - before:
            assert ipaddress.ip_address(address).is_loopback, address


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tcp://[2001:db8::1]:8786", "tcp://node7:8786", "ws://a:1"]
)
def test_an_open_scheduler_is_refused(address: str) -> None:
    with pytest.raises(MembenchError, match="has no security") as caught:
        clusters._refuse_open_scheduler(address)
    assert "--insecure" in caught.value.hint


@pytest.mark.parametrize(
    "address",
    ["tls://10.0.0.1:8786", "tcp://127.0.0.1:8786", "tcp://[::1]:1", "inproc://10.0.0.1/7/1"],
)
def test_tls_and_the_loopback_interface_are_fine(address: str) -> None:
    clusters._refuse_open_scheduler(address)


@pytest.mark.slow
def test_the_question_is_where_the_scheduler_listens(
    cluster: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.scheduler_info()["address"]
    with connected(address):
        pass
    asked: list[str] = []
    monkeypatch.setattr(clusters, "_refuse_open_scheduler", asked.append)
    with connected(address):
        assert asked == [address]
    with connected(address, insecure=True):
        assert asked == [address]


def certificate(directory: Path) -> None:
    """A key and a certificate that signs itself, for all three roles."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=membench-test",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=directory,
        check=True,
        capture_output=True,
    )


@contextmanager
def started(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A command of Dask in the background, ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.slow
def test_a_fleet_over_tls(tmp_path: Path) -> None:
    certificate(tmp_path)
    keys = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    environment = dict(os.environ)
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "True"
    environment[f"{tls}CA_FILE"] = keys["cert"]
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        environment[f"{tls}{role}__CERT"] = keys["cert"]
        environment[f"{tls}{role}__KEY"] = keys["key"]
    place = tmp_path / "scheduler.json"
    common = ("--scheduler-file", str(place))
    with started(
        "dask_scheduler",
        *("--host", "tls://127.0.0.1:0", "--no-dashboard", "--no-show", *common),
        environment=environment,
    ):
        deadline = time.monotonic() + 60
        while not place.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        with started(
            "dask_worker",
            *("--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--no-nanny"),
            *("--resources", "membench-host=1", *common),
            environment=environment,
        ):
            address = json.loads(place.read_text())["address"]
            assert address.startswith("tls://")
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "membench", "fleet", "run", "--scheduler", address),
                    *("--select", "host/chase/size=16KiB*", "--rounds", "1", "--wait", "60"),
                    *("--host-directory", str(tmp_path / "host"), "-o", str(tmp_path / "out")),
                ],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
    assert done.returncode == 0, done.stderr
    (csv,) = (tmp_path / "out").glob("*/*.csv")
    assert [row.status for row in read_rows(csv)] == ["ok"]
