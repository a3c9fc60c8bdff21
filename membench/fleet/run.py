"""The implementation of `membench fleet run`."""

from __future__ import annotations

import secrets
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from distributed import Client

from membench.core.errors import MembenchError, NothingMatched, OutputError
from membench.core.files import output_error, probe, shown
from membench.core.text import counted
from membench.fleet.cluster import REPAIR, RESOURCE, connected, local, reachable_workers
from membench.fleet.fleet_run import FleetObserver, FleetRun, Patience
from membench.fleet.hosts import by_host, expected
from membench.results.fleet_ledger import FleetLedger, Host, latest_ledger


@dataclass(frozen=True)
class Where:
    """The cluster that measures.

    Attributes:
        scheduler: address of the scheduler; not used if ``local`` is above 0.
        local: number of workers of a local cluster; 0 for the cluster of ``scheduler``.
        insecure: as in `connected`.
    """

    scheduler: str = ""
    local: int = 0
    insecure: bool = False


@dataclass(frozen=True)
class Order:
    """The options of a fleet run.

    Attributes:
        output: directory for the results.
        arguments: arguments of `membench run` on every host.
        hosts: the expected hosts; empty for all connected hosts.
        per: ``host``, or ``worker`` to treat each worker as a host.
        directory: directory on every host for the files of the run; empty for the default.
    """

    output: Path
    arguments: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    per: str = "host"
    directory: str = ""


def start(where: Where, order: Order, observer: FleetObserver, patience: Patience) -> FleetLedger:
    """Measure the hosts of a cluster; the returned ledger has the state of each host.

    Raises:
        MembenchError: there is no cluster or no usable worker, or the results cannot be written.
    """
    _prove(order.output)
    per = "worker" if where.local else order.per
    with _client(where) as client:
        found = _present(client, per, patience, observer, enough=len(order.hosts) or 1)
        names = expected(found, order.hosts)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        hosts = tuple(Host(name) for name in names)
        ledger = FleetLedger(stamp, order.arguments, hosts, per, order.directory)
        return FleetRun(client, order.output, ledger, observer, patience).run()


def resume(where: Where, output: Path, observer: FleetObserver, patience: Patience) -> FleetLedger:
    """Complete the newest fleet run in ``output``: ask again each host that has no results.

    Raises:
        NothingMatched: ``output`` has no fleet run, or all hosts of the fleet run have results.
        MembenchError: the ledger cannot be read, there is no cluster, or the results cannot be
            written.
    """
    ledger = latest_ledger(output)
    if ledger is None:
        raise NothingMatched(
            f"there is no fleet run in {shown(output)}",
            "name the -o directory of the fleet run",
        )
    if all(host.csv for host in ledger.hosts):
        raise NothingMatched(
            f"nothing to resume: all hosts of the fleet run {ledger.fleet_id} have results",
            "to measure again, start a new fleet run without --resume",
        )
    with _client(where) as client:
        return FleetRun(client, output, ledger, observer, patience).run()


def _client(where: Where) -> AbstractContextManager[Client]:
    if where.local:
        return local(where.local)
    return connected(where.scheduler, insecure=where.insecure)


def _present(
    client: Client, per: str, patience: Patience, observer: FleetObserver, *, enough: int
) -> tuple[str, ...]:
    """Wait at most ``patience.wait`` seconds for ``enough`` hosts.

    Returns the names of the hosts that have a worker.
    """
    deadline = time.monotonic() + patience.wait
    while True:
        found, problems = reachable_workers(client)
        names = tuple(by_host(found, per))
        if len(names) >= enough or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for problem in problems.values():
        observer.warned(problem, REPAIR)
    if not names and problems:
        workers = counted(len(problems), "worker")
        itself = "itself" if len(problems) == 1 else "themselves"
        raise MembenchError(
            f"no worker can be used: {workers} did not identify {itself}",
            REPAIR,
        )
    if not names:
        raise MembenchError(
            f"the cluster has no worker with the resource {RESOURCE}",
            f"start workers with: dask worker ADDRESS --nthreads 1 --resources {RESOURCE}=1",
        )
    return names


def _prove(directory: Path) -> None:
    """Check, before any host starts, that membench can write results to ``directory``."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe(directory)
    except FileExistsError:
        raise OutputError(
            f"{shown(directory)} is not a directory", "name a directory with -o"
        ) from None
    except OSError as error:
        raise output_error(directory, error) from None
