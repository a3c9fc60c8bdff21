"""Which workers of a cluster stand for which host: pure functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from membench.core.errors import SchemaError, UsageError
from membench.core.files import shown
from membench.core.untrusted import read_bytes
from membench.machine.identity import MAX_LENGTH, check_label, slugify

_MAX_FILE = 4 << 20


@dataclass(frozen=True)
class HostWorker:
    """A worker that may be measured on.

    Attributes:
        worker: its name in the cluster.
        host, boot: the host's name and its kernel's boot id, as the worker says.
        membench: its version there, empty if the worker does not say it.
    """

    address: str
    worker: str
    host: str
    boot: str
    membench: str = ""


def by_host(workers: Iterable[HostWorker], per: str) -> dict[str, HostWorker]:
    """One worker for each host, by the host's name in the results.

    Of several workers of one kernel (containers, sockets, GPUs: they share the
    memory) the first by address stands for all, so that none disturbs another.
    With ``per`` ``worker`` each is a host of its own, named by the worker.
    """
    ordered = sorted(workers, key=lambda worker: worker.address)
    if per == "worker":
        found = {worker.worker or worker.address: worker for worker in ordered}
        named = [(slug(worker.worker or worker.address), worker) for worker in found.values()]
    else:
        kernels: dict[str, HostWorker] = {}
        for worker in ordered:
            kernels.setdefault(worker.boot or worker.host, worker)
        named = [(slug(worker.host), worker) for worker in kernels.values()]
    counts = Counter(name for name, _ in named)
    return {
        name if counts[name] == 1 else _told_apart(name, worker, per): worker
        for name, worker in named
    }


def slug(text: str) -> str:
    """``text`` as a host's name in the results."""
    name = slugify(text)
    if name.isdigit():  # the workers of a local cluster are 0, 1, 2
        return f"worker-{name}"
    return name if name and name != "reference" else f"host-{name}".rstrip("-")


def _told_apart(name: str, worker: HostWorker, per: str) -> str:
    """Two hosts of one name, as cloned images have it: a digest of what differs."""
    differs = worker.worker + worker.address if per == "worker" else worker.boot + worker.host
    digits = hashlib.sha256(differs.encode()).hexdigest()[:6]
    return f"{name[: MAX_LENGTH - 7].rstrip('._-')}-{digits}"


def read_hosts(path: Path) -> tuple[str, ...]:
    """The hosts in ``path``: one a line, ``#`` begins a remark, none twice.

    Raises:
        UsageError: a line that is no name of a host, or no line at all.
    """
    try:
        text = read_bytes(path, _MAX_FILE, pipe=True).decode("utf-8")
    except SchemaError as error:
        raise UsageError(f"{shown(path)}: {error}", error.hint) from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not text", "write one host a line") from None
    names: dict[str, None] = {}
    for line in text.splitlines():
        name = line.partition("#")[0].strip()
        if name:
            names[check_label(name.lower())] = None
    if not names:
        raise UsageError(f"{shown(path)} names no host", "write one host a line")
    return tuple(names)


def expected(found: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The hosts of a fleet run: those that are ``wanted``, or else those that were ``found``."""
    return tuple(wanted) if wanted else tuple(sorted(found))
