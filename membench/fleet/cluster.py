"""A client of a Dask cluster: of one that runs, or of one made here for the occasion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import dask
from distributed import Client, LocalCluster

from membench.core.errors import MembenchError
from membench.core.text import ascii_line, one_line
from membench.fleet.hosts import Seat
from membench.fleet.task import identify

RESOURCE = "membench-host"
"""What a worker must offer, one of it, to be measured on: ``--resources membench-host=1``."""
_CONNECT_SECONDS = 20
_ENCRYPTED = frozenset({"tls", "wss", "inproc"})


@contextmanager
def connected(scheduler: str, *, insecure: bool = False) -> Iterator[Client]:
    """A client of the cluster at ``scheduler``; TLS and timeouts are Dask's configuration.

    Args:
        insecure: also use a scheduler that anybody on the network can command.

    Raises:
        MembenchError: nothing answers there, or the scheduler has no security and can be
            reached from other hosts, so that whoever reaches it could run code here.
    """
    try:
        client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # of many kinds: no answer, a bad address, TLS, timeouts
        raise MembenchError(
            f"no Dask scheduler can be reached at {one_line(scheduler)}: {_first_line(error)}",
            "start one with: dask scheduler --no-dashboard",
        ) from None
    try:
        if not insecure:
            _refuse_open_scheduler(str(client.scheduler_info().get("address", scheduler)))
        yield client
    finally:
        client.close(timeout=5)


def _refuse_open_scheduler(address: str) -> None:
    """Dask's protocol carries pickles: whoever speaks to a scheduler runs code on its peers."""
    protocol, _, place = address.rpartition("://")
    if protocol in _ENCRYPTED:
        return
    host = place.rpartition(":")[0].strip("[]")
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise MembenchError(
            f"the scheduler at {one_line(address)} has no security: anybody who reaches it can "
            "run code on all hosts",
            "use TLS (docs/fleet.md), or --insecure on a network that is yours alone",
        )


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """A client of a cluster of ``workers`` threads of this process, for a trial.

    Scheduler and workers speak inside the process.  A scheduler on a socket, also on the
    loopback interface, could be commanded by every user of the machine.
    """
    no_pages: dict[str, list[str]] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        dask.config.set(no_pages),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            protocol="inproc://",
            scheduler_kwargs={"dashboard": False},
            dashboard_address="127.0.0.1:0",  # a page server without pages: Dask always starts it
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,  # logging.CRITICAL: a lost worker is told by us
            resources={RESOURCE: 1},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def seats(client: Client, known: Iterable[str] = ()) -> tuple[list[Seat], dict[str, str]]:
    """The workers that offer `RESOURCE`, without those at ``known`` addresses.

    Returns:
        Seats, and by address one line for each worker that cannot say what it is.
    """
    workers = offered(client)
    asked = sorted(set(workers) - set(known))
    if not asked:
        return [], {}
    answers = client.run(identify, workers=asked, on_error="return")
    found: list[Seat] = []
    problems: dict[str, str] = {}
    for address, answer in answers.items():
        name = ascii_line(str(workers[address]))
        if isinstance(answer, dict) and isinstance(answer.get("host"), str):
            host, boot = answer["host"], str(answer.get("boot", ""))
            found.append(Seat(address, name, ascii_line(host)[:200], ascii_line(boot)[:64]))
        else:
            problems[address] = f"the worker {name} at {address}: {_first_line(answer)}"
    return found, problems


def offered(client: Client) -> dict[str, Any]:
    """Address and name of the workers that offer `RESOURCE` now.

    Raises:
        OSError: the scheduler does not answer.
    """
    workers = client.scheduler_info()["workers"]
    return {
        address: worker.get("name", address)
        for address, worker in workers.items()
        if worker.get("resources", {}).get(RESOURCE, 0) >= 1
    }


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return ascii_line(lines[0])[:200] if lines else type(error).__name__
