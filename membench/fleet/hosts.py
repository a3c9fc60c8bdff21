"""Choose one worker for each host."""

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
    """A worker that can measure its host.

    Attributes:
        worker: name of the worker in the cluster.
        host, boot: name and boot id of the host, from the worker.
        membench: version of membench on the host; empty if unknown.
    """

    address: str
    worker: str
    host: str
    boot: str
    membench: str = ""


def by_host(workers: Iterable[HostWorker], per: str) -> dict[str, HostWorker]:
    """Choose one worker for each host; the keys are the names of the hosts in the results.

    Several workers on one kernel (in containers, or for sockets or GPUs) would disturb each other.
    So only the worker whose address sorts first is chosen. If ``per`` is ``worker``, each worker is
    a host with the name of the worker.
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
    """A host name for the results, made from ``text``, but never a number or ``reference``."""
    name = slugify(text)
    if name.isdigit():  # the workers of a local cluster are named 0, 1, 2
        return f"worker-{name}"
    return name if name and name != "reference" else f"host-{name}".rstrip("-")


def _told_apart(name: str, worker: HostWorker, per: str) -> str:
    """Append a digest to ``name``, because several hosts have this name."""
    differs = worker.worker + worker.address if per == "worker" else worker.boot + worker.host
    digits = hashlib.sha256(differs.encode()).hexdigest()[:6]
    return f"{name[: MAX_LENGTH - 7].rstrip('._-')}-{digits}"


def read_hosts(path: Path) -> tuple[str, ...]:
    """Read host names from ``path``, in lower case and without duplicates.

    A line has one name. ``#`` begins a comment.

    Raises:
        SchemaError: the file cannot be read.
        UsageError: a line is not a host name, or the file is not text or has no host name.
    """
    try:
        text = read_bytes(path, _MAX_FILE, pipe=True).decode("utf-8")
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint) from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not text", "write one host per line") from None
    names: dict[str, None] = {}
    for line in text.splitlines():
        name = line.partition("#")[0].strip()
        if not name:
            continue
        try:
            names[check_label(name.lower())] = None
        except UsageError as error:
            raise UsageError(f"{shown(path)}: {error}", error.hint) from None
    if not names:
        raise UsageError(f"{shown(path)} lists no hosts", "write one host per line")
    return tuple(names)


def expected(found: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(wanted) if wanted else tuple(sorted(found))
