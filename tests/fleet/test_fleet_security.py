"""The scheduler of a trial accepts no other client, and membench refuses an open scheduler."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import json
import logging
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest
from distributed import Client

from membench.core.errors import MembenchError
from membench.fleet import cluster as clusters
from membench.fleet.cluster import RESOURCE, connected, local, offered, reachable_workers
from membench.fleet.fleet_run import FleetRun, Patience, _Asked
from membench.results.fleet_ledger import FleetLedger, Host
from membench.results.table import read_rows


def listening() -> set[str]:
    """The IP addresses on which this process and its children listen."""
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
        assert len(reachable_workers(client)[0]) == 2
        assert client.scheduler_info()["address"].startswith("inproc://")
        for address in listening() - before:
            assert ipaddress.ip_address(address).is_loopback, address


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tcp://[2001:db8::1]:8786", "tcp://node7:8786", "ws://a:1"]
)
def test_an_open_scheduler_is_refused(address: str) -> None:
    with pytest.raises(MembenchError, match="has no TLS") as caught:
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


def test_a_port_of_another_service_is_refused_at_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Web(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)

    with socketserver.TCPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        begin = time.monotonic()
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(MembenchError, match="no Dask scheduler responds"), connected(address):
            pass
        gc.collect()
        assert time.monotonic() - begin < 30  # closing the client would take 40 s
        server.shutdown()
    assert "Traceback" not in capfd.readouterr().err


def certificate(directory: Path) -> None:
    """Write a key and a self-signed certificate, for scheduler, worker and client."""
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
    """Run a Dask command in the background, and end the command after the ``with`` block."""
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


class Liar(dict):  # type: ignore[type-arg]
    """A result of an unknown class, as any worker could send."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


async def _frozen(*_args: object, **_options: object) -> dict[str, object]:
    await asyncio.sleep(3600)
    return {}


def _answering(result: object) -> Callable[..., dict[str, object]]:
    return lambda *_args, **_options: {"status": "OK", "result": result}


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (_frozen, "no answer within 1 s"),
        (_answering("nobody"), "nobody"),
        (_answering(None), "None"),
        (_answering({"host": ["a"], "boot": "b"}), "host"),
        (_answering(Liar(host="a")), "Liar"),
        (lambda *_args, **_options: {"status": "mad"}, ""),
        (lambda *_args, **_options: "\x1b]0;x\x07\n::error::", ""),
    ],
)
def test_a_worker_that_is_frozen_or_lies_costs_nobody_else(
    handler: Callable[..., object],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", 1.0)
    with local(2) as client:
        good, bad = sorted(client.scheduler_info()["workers"])
        cluster = client.cluster
        assert cluster is not None
        bad_worker = next(one for one in cluster.workers.values() if one.address == bad)
        bad_worker.handlers["run"] = handler
        found, problems = reachable_workers(client)
        assert [worker.address for worker in found] == [good]
        assert list(problems) == [bad]
        assert said in problems[bad]
        assert problems[bad].isprintable()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("resources", [None, [], "many", {RESOURCE: "many"}, {RESOURCE: [1]}, 7])
def test_what_a_worker_says_of_itself_is_not_believed(resources: object) -> None:
    class Scheduler:
        def scheduler_info(self, **_options: object) -> dict[str, object]:
            good = {"name": "\x1b[31m\n::error::", "resources": {RESOURCE: 1}}
            return {"workers": {"tcp://a:1": good, "tcp://b:1": {"resources": resources}}}

    found = offered(cast("Client", Scheduler()))
    assert list(found) == ["tcp://a:1"]
    assert found["tcp://a:1"].isprintable()


def test_a_worker_that_says_very_much_fills_nothing(tmp_path: Path) -> None:
    """Ten thousand lines between two updates become one line, the last line."""
    ledger = FleetLedger("20260101T000000Z-0001", (), (Host("a"),))
    shown: list[str] = []

    class Watch:
        def changed(self, host: Host, *, news: bool) -> None:
            shown.append(host.detail)

        def warned(self, message: str, hint: str) -> None: ...
        def ticked(self) -> None: ...

    run = FleetRun(cast("Client", None), tmp_path, ledger, Watch(), Patience())
    run._asked["a"] = cast("_Asked", object())
    for number in range(10_000):
        run._heard((0.0, {"host": "a", "line": f"line {number}\x1b" + "x" * 100_000}))
        run._heard((0.0, {"host": f"stranger {number}", "line": "x"}))
    for odd in (None, 3, (), (1, 2, 3), (0.0, Liar(host="a", line="y")), (0.0, {"host": ["a"]})):
        run._heard(odd)
    run._tell()
    assert len(shown) == 1
    assert shown[0].startswith("line 9999 x")
    assert len(shown[0]) <= 200


def test_the_log_of_dask_stays_off_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    with local(1) as client:
        logging.getLogger("distributed.worker").critical("Traceback (most recent call last)")
        logging.getLogger("asyncio").error("Task exception was never retrieved")
        assert len(client.scheduler_info()["workers"]) == 1
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "never retrieved" not in err
