"""A fleet run: ask every host for results, store the results, and ask lost hosts again.

Dask decides when a task runs, and detects lost workers. The journal of a host is on the host, so
only another worker on the same host can continue it. If no such worker connects in time, the host
fails. A host that never had a worker becomes missing.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from distributed import Client, Future

from membench import __version__
from membench.core.errors import MembenchError
from membench.core.text import ascii_line, counted
from membench.fleet.cluster import REPAIR, RESOURCE, offered, reachable_workers, text_of
from membench.fleet.collect import keep
from membench.fleet.hosts import HostWorker, by_host
from membench.fleet.task import HostRequest, measure, topic
from membench.results.fleet_ledger import FleetLedger, Host, HostState, write_ledger

_GATHER = 120  # seconds to transfer a result
_FETCHERS = 4  # threads that fetch results
_LINE = 2000  # maximum characters of a worker's message
_TICK = 0.5  # seconds between two checks of the workers


class FleetObserver(Protocol):
    """Shows the events of a fleet run to the user."""

    def changed(self, host: Host, *, news: bool) -> None:
        """Show the new state of ``host``, or its new message if ``news`` is False."""

    def warned(self, message: str, hint: str) -> None:
        """Show a condition that may affect the results."""

    def ticked(self) -> None:
        """Update the screen after a group of changes."""


@dataclass(frozen=True)
class Patience:
    """How long a fleet run waits for hosts, and how often it asks again.

    Attributes:
        wait: seconds to wait for a worker on an expected or lost host, and for a scheduler that no
            longer responds.
        retries: how often a host is asked again after it lost its worker.
    """

    wait: float = 30.0
    retries: int = 2


@dataclass
class _Asked:
    future: Future[Any]
    address: str


class FleetRun:
    """Measures the hosts in ``ledger`` on workers of ``client``, and stores the results."""

    def __init__(
        self,
        client: Client,
        directory: Path,
        ledger: FleetLedger,
        observer: FleetObserver,
        patience: Patience,
    ) -> None:
        self._asked_for = ledger
        self._hosts = {host.name: host for host in ledger.hosts}
        self._unwritten = False
        self._client = client
        self._directory = directory
        self._observer = observer
        self._patience = patience
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._workers: dict[str, HostWorker] = {}  # workers with a task, by address
        self._unfit: set[str] = set()  # addresses of workers that could not identify themselves
        self._versions = {__version__}  # this version, and versions with a warning
        self._said: dict[str, str] = {}  # messages that are not shown yet, by host
        self._fetchers = ThreadPoolExecutor(_FETCHERS, "membench-fetch")
        self._asked: dict[str, _Asked] = {}
        self._absent: dict[str, float] = {}  # deadline of each host without a worker
        self._looked = 0.0
        self._unreachable = 0.0

    @property
    def ledger(self) -> FleetLedger:
        """The ledger with the present state of each host."""
        return replace(self._asked_for, hosts=tuple(self._hosts.values()))

    def run(self) -> FleetLedger:
        """Measure all hosts; return the ledger when each host has arrived, failed or is missing.

        One write of the ledger covers all changes since the previous write, because ten thousand
        hosts may be lost at once. If this process is killed, ``--resume`` asks again each host that
        arrived after the last write. These hosts send their files without a new measurement.
        """
        channel = topic(self._asked_for.fleet_id)
        self._client.subscribe_topic(channel, self._heard)
        try:
            self._begin()
            while self._asked or self._absent:
                self._handle_events()
                self._tell()
                if time.monotonic() - self._looked >= _TICK:
                    self._look()
                self._write()
        except KeyboardInterrupt:
            for name in (*self._asked, *self._absent):
                self._set(name, HostState.FAILED, "cancelled")
            raise
        finally:
            for asked in self._asked.values():
                asked.future.cancel()
            self._fetchers.shutdown(wait=False, cancel_futures=True)
            self._client.unsubscribe_topic(channel)
            self._write()
        return self.ledger

    def _begin(self) -> None:
        deadline = time.monotonic() + self._patience.wait
        for name, host in self._hosts.items():
            if host.state is not HostState.ARRIVED:
                self._hosts[name] = replace(host, state=HostState.WAITING, detail="", attempts=0)
                self._absent[name] = deadline
        self._unwritten = True
        self._write()
        self._look()

    def _handle_events(self) -> None:
        try:
            self._events.get(timeout=_TICK)()
            while True:
                self._events.get_nowait()()
        except queue.Empty:
            return

    def _heard(self, event: Any) -> None:
        """Store the latest message of a worker; a thread of the client calls this method."""
        message = event[1] if isinstance(event, tuple | list) and len(event) == 2 else None
        if type(message) is not dict:
            return
        name, line = message.get("host"), message.get("line")
        if isinstance(name, str) and name in self._hosts and isinstance(line, str):
            self._said[name] = line[:_LINE]

    def _tell(self) -> None:
        for name in list(self._said):
            line = self._said.pop(name)
            if name in self._asked:
                self._set(name, HostState.RUNNING, ascii_line(line)[:200], durable=False)

    def _look(self) -> None:
        """Find new and lost workers, and update the states of their hosts."""
        self._looked = time.monotonic()
        try:
            there = offered(self._client)
            found, problems = reachable_workers(self._client, self._unfit.union(self._workers))
        except (OSError, TimeoutError, RuntimeError, ValueError, KeyError):
            self._scheduler_is_gone()
            return
        self._unreachable = 0.0
        self._workers = {
            address: worker for address, worker in self._workers.items() if address in there
        } | {worker.address: worker for worker in found}
        self._unfit.update(problems)
        for problem in problems.values():
            self._observer.warned(problem, REPAIR)
        self._warn_of_versions(found)
        for name, asked in list(self._asked.items()):
            if asked.address not in there and not asked.future.done():
                self._lost(name)
        self._ask(by_host(self._workers.values(), self._asked_for.per))
        for name, deadline in list(self._absent.items()):
            if time.monotonic() > deadline:
                del self._absent[name]
                if self._hosts[name].attempts:
                    self._set(
                        name,
                        HostState.FAILED,
                        "the worker of this host was lost and did not connect again",
                    )
                else:
                    self._set(
                        name, HostState.MISSING, "no usable worker of this host has connected"
                    )

    def _warn_of_versions(self, workers: Iterable[HostWorker]) -> None:
        """Warn about workers with another version of membench, once per version.

        Different versions may measure differently, so that a host would look slow.
        """
        others: dict[str, list[str]] = {}
        for worker in workers:
            if worker.membench not in self._versions:
                others.setdefault(worker.membench, []).append(worker.worker)
        for version, names in others.items():
            self._versions.add(version)
            more = len(names) - 1
            who = f"workers {names[0]} and {more} more have" if more else f"worker {names[0]} has"
            self._observer.warned(
                f"{who} membench {version or 'of unknown version'}, but this "
                f"host has {__version__}: the versions alone can make results differ",
                "install the same version on all hosts",
            )

    def _scheduler_is_gone(self) -> None:
        now = time.monotonic()
        self._unreachable = self._unreachable or now
        if now - self._unreachable < self._patience.wait:
            return
        for name in (*self._asked, *self._absent):
            self._set(name, HostState.FAILED, "the scheduler no longer responds")
        self._asked.clear()
        self._absent.clear()

    def _ask(self, hosts: Mapping[str, HostWorker]) -> None:
        for name in [name for name in self._absent if name in hosts]:
            del self._absent[name]
            worker = hosts[name]
            host = self._hosts[name]
            self._hosts[name] = replace(host, attempts=host.attempts + 1)
            run = self._asked_for
            request = HostRequest(run.fleet_id, name, run.arguments, run.directory)
            future = self._client.submit(
                measure,
                request,
                key=f"membench-{run.fleet_id}-{name}-{time.time_ns():x}",
                workers=[worker.address],
                resources={RESOURCE: 1},
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
            self._asked[name] = _Asked(future, worker.address)
            self._set(name, HostState.RUNNING, "asked")
            # The callback keeps the future alive until the future is done.
            future.add_done_callback(partial(self._done, name))

    def _done(self, name: str, _future: Future[Any]) -> None:
        """Queue the handling of a finished task; a thread of the client calls this method."""
        self._events.put(partial(self._ended, name))

    def _ended(self, name: str) -> None:
        asked = self._asked.get(name)
        if asked is None or not asked.future.done():  # the host was lost and has been asked again
            return
        if asked.future.status != "finished":
            error = asked.future.exception() if asked.future.status == "error" else None
            if error is None or type(error).__name__ == "KilledWorker":
                self._lost(name)
            else:
                del self._asked[name]
                self._set(name, HostState.FAILED, f"{type(error).__name__}: {text_of(error)}")
            return
        # A worker may fail to deliver the result. A separate thread waits for the result, so that
        # no other host is delayed.
        self._fetchers.submit(self._fetch, name, asked)

    def _fetch(self, name: str, asked: _Asked) -> None:
        """Fetch the result of a task; runs in a separate thread."""
        try:
            reply = asked.future.result(timeout=_GATHER)
        except Exception:  # the worker was lost before it delivered the result
            reply = None
        self._events.put(partial(self._fetched, name, asked, reply))

    def _fetched(self, name: str, asked: _Asked, reply: Any) -> None:
        if self._asked.get(name) is not asked:  # the host was lost and has been asked again
            return
        if reply is None:
            self._lost(name)
            return
        del self._asked[name]
        try:
            arrived = keep(self._directory, name, reply)
        except MembenchError as error:
            self._set(name, HostState.FAILED, str(error))
            return
        failed = f", {arrived.failed} failed" if arrived.failed else ""
        self._hosts[name] = replace(
            self._hosts[name], csv=arrived.csv.as_posix(), failed_cases=arrived.failed
        )
        self._set(name, HostState.ARRIVED, f"{counted(arrived.rows, 'row')}{failed}")

    def _lost(self, name: str) -> None:
        self._asked.pop(name).future.cancel()
        if self._hosts[name].attempts > self._patience.retries:
            self._set(name, HostState.FAILED, "the worker of this host was lost at every attempt")
            return
        self._absent[name] = time.monotonic() + self._patience.wait
        self._set(
            name, HostState.WAITING, "the worker of this host was lost; waiting for another worker"
        )

    def _set(self, name: str, state: HostState, detail: str, *, durable: bool = True) -> None:
        host = replace(self._hosts[name], state=state, detail=ascii_line(detail)[:500])
        self._hosts[name] = host
        self._unwritten = self._unwritten or durable
        self._observer.changed(host, news=durable)

    def _write(self) -> None:
        """Write the ledger to disk if it has changed, and let the observer update the screen."""
        if self._unwritten:
            write_ledger(self._directory, self.ledger)
            self._unwritten = False
        self._observer.ticked()
