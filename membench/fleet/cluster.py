"""Connect to a Dask cluster: an existing cluster, or a local cluster for a trial."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm.addressing import get_address_host_port, parse_address
from distributed.comm.registry import get_backend

from membench.core.errors import MembenchError, UsageError
from membench.core.text import ascii_line, one_line
from membench.fleet.hosts import HostWorker
from membench.fleet.task import identify

REPAIR = (
    "check that membench with the extra 'fleet' is installed on the worker's host, then restart "
    "the worker"
)
"""Hint for a worker that does not identify itself."""
RESOURCE = "membench-host"
"""Dask resource of the workers whose hosts membench measures.

The worker's option is ``--resources membench-host=1``.
"""
ANSWER_SECONDS = 10.0
"""Maximum seconds that a worker may take to identify itself."""
_CONNECT_SECONDS = 20
_ASKED_AT_ONCE = 64
_ENCRYPTED = frozenset({"tls", "wss", "inproc"})
_WITH_HOST = frozenset({"tcp", "tls", "ws", "wss"})


@contextmanager
def connected(scheduler: str, *, insecure: bool = False) -> Iterator[Client]:
    """Connect to the cluster at ``scheduler``. The TLS settings are in Dask's configuration.

    Args:
        insecure: whether to accept a scheduler that other hosts can reach without TLS.

    Raises:
        UsageError: ``scheduler`` is not an address.
        MembenchError: no scheduler responds, or the scheduler needs ``insecure``.
    """
    if not _is_address(scheduler):
        raise UsageError(
            f"'{one_line(scheduler)}' is not the address of a Dask scheduler",
            "write an address with a port, such as tls://10.0.0.1:8786",
        )
    with _quiet():
        try:
            client: Client = _Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # various errors: no answer, a bad address, TLS, timeouts
            raise MembenchError(
                f"no Dask scheduler responds at {one_line(scheduler)}: {first_line(error)}",
                "check the address, or start a scheduler there with: dask scheduler --no-dashboard",
            ) from None
        try:
            if not insecure:
                _refuse_open_scheduler(str(client.scheduler_info().get("address", scheduler)))
            yield client
        finally:
            client.close(timeout=5)


class _Client(Client):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        except Exception:
            # Otherwise, Python would close the client when it frees the client, and the closing
            # would wait for 40 s.
            self.status = "closed"
            raise


def _is_address(scheduler: str) -> bool:
    try:
        scheme, _ = parse_address(scheduler)
        get_backend(scheme)
        if scheme not in _WITH_HOST:
            return True
        _, port = get_address_host_port(scheduler)
    except ValueError:
        return False
    return 0 < port < 1 << 16


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log, which has tracebacks and text from workers, off the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _refuse_open_scheduler(address: str) -> None:
    """Raise `MembenchError` if other hosts can reach the scheduler at ``address`` without TLS.

    Dask's protocol contains pickles. So anybody who can reach a scheduler can run code on its
    workers and clients.
    """
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
            f"the scheduler at {one_line(address)} has no TLS: anyone who can connect can run code "
            "on all hosts",
            "use TLS (docs/fleet.md), or --insecure on a private network",
        )


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """Start a trial cluster with ``workers`` workers in this process, and connect to the cluster.

    Scheduler and workers communicate inside the process. A socket would let any user of the machine
    control the scheduler.
    """
    no_pages: dict[str, list[str]] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        _quiet(),
        dask.config.set(no_pages),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            protocol="inproc://",
            scheduler_kwargs={"dashboard": False},
            # Dask always starts an HTTP server. With the setting `no_pages`, the server serves no
            # pages.
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,  # logging.CRITICAL, because this module reports lost workers
            resources={RESOURCE: 1},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def reachable_workers(
    client: Client, known: Iterable[str] = ()
) -> tuple[list[HostWorker], dict[str, str]]:
    """Find the workers that offer `RESOURCE`, except the workers at ``known`` addresses.

    Returns:
        The workers that identified themselves, and a dict for the other workers: address -> problem
        in one line.
    """
    workers = offered(client)
    asked = sorted(set(workers) - set(known))
    if not asked:
        return [], {}
    answers = identities(client, asked)
    found: list[HostWorker] = []
    problems: dict[str, str] = {}
    for address in asked:
        name, answer = workers[address], answers.get(address)
        # The type must be exactly dict, because a subclass from another machine could run code.
        plain = answer if type(answer) is dict else {}
        host, boot, version = plain.get("host"), plain.get("boot", ""), plain.get("membench", "")
        if isinstance(host, str) and isinstance(boot, str) and isinstance(version, str):
            said = ascii_line(host)[:200], ascii_line(boot)[:64], ascii_line(version)[:40]
            found.append(HostWorker(address, name, *said))
        else:
            problems[address] = (
                f"the worker {name} at {one_line(address)[:200]}: {first_line(answer)}"
            )
    return found, problems


def identities(client: Client, addresses: Sequence[str]) -> dict[str, Any]:
    """Call `identify` on each worker at ``addresses``; the result of a failed call is the error.

    The function calls all workers at once. If this call fails, the function calls each worker
    separately, so that no valid answer is lost. Each call takes at most `ANSWER_SECONDS`.
    """
    found: dict[str, Any] = client.sync(_identities, client, addresses)
    return found


async def _identities(client: Client, addresses: Sequence[str]) -> dict[str, Any]:
    async def ask(several: Sequence[str]) -> dict[str, Any]:
        # Client.run would wait for the slowest worker, without a time limit.
        question = client._run(identify, workers=[*several], on_error="return")  # noqa: SLF001
        answers: dict[str, Any] = await asyncio.wait_for(question, ANSWER_SECONDS)
        return answers

    gate = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask_alone(address: str) -> Any:
        async with gate:
            try:
                return (await ask([address])).get(address)
            except TimeoutError:
                return TimeoutError(f"no answer within {ANSWER_SECONDS:g} s")
            except Exception as error:  # the answer of a broken worker may raise anything
                return error

    try:
        return await ask(addresses)
    except Exception:  # a worker is frozen or sends an invalid answer
        answers = await asyncio.gather(*map(ask_alone, addresses))
        return dict(zip(addresses, answers, strict=True))


def offered(client: Client) -> dict[str, str]:
    """Address -> name of each worker that now offers `RESOURCE`.

    Raises:
        OSError: the scheduler does not respond.
    """
    workers = client.scheduler_info()["workers"]
    return {
        address: ascii_line(str(worker.get("name", address)))[:200]
        for address, worker in workers.items()
        if _offers(worker.get("resources"))
    }


def _offers(resources: Any) -> bool:
    """Whether a worker offers `RESOURCE`; ``resources`` is unchecked data from the worker."""
    amount = resources.get(RESOURCE) if type(resources) is dict else None
    return isinstance(amount, int | float) and amount >= 1


def first_line(error: Any) -> str:
    """The first line of ``error`` in ASCII, at most 200 characters.

    If the text of ``error`` is empty, the result is the name of its class. ``error`` may be any
    answer or exception from another machine.
    """
    lines = text_of(error).strip().splitlines()
    return ascii_line(lines[0])[:200] if lines else type(error).__name__


def text_of(error: Any) -> str:
    """Convert ``error`` to text of at most 10,000 characters; empty if this fails.

    The class of ``error`` may come from another machine.
    """
    try:
        return str(error)[:10_000]
    except Exception:
        return ""
