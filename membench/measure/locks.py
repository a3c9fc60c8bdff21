"""Locks that allow only one run per GPU, and that detect other runs on the same machine.

A lock is a listening socket in the kernel's abstract name space (unix(7)). A lock leaves no file,
and ends with its process. Containers with separate network namespaces do not see each other's
locks.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from membench.core.errors import BackendUnavailable
from membench.core.snapshot import GpuIdentity
from membench.measure.events import Observer

_SEATS = 8
"""Number of concurrent runs on one machine that can detect each other."""

_UNKNOWN = 0


@contextmanager
def claimed(gpus: Sequence[GpuIdentity], observer: Observer) -> Iterator[None]:
    """Reserve ``gpus`` for this process inside the block, and warn about other runs.

    Raises:
        BackendUnavailable: another run has reserved one of the GPUs.
    """
    with ExitStack() as held:
        for gpu in gpus:
            one = _claim(f"gpu/{gpu.uuid}")
            if isinstance(one, int):
                raise BackendUnavailable(
                    f"another run{_by(one)} measures on GPU {gpu.index} ({gpu.name}): each run "
                    "would get only a share of the device",
                    "wait until the other run has ended, or choose another GPU: --device cuda:N",
                )
            held.enter_context(one)
        neighbours = []
        seated = False
        for slot in range(_SEATS):
            name = f"run/{slot}"
            if seated:
                neighbours += [pid] if (pid := _holder(name)) is not None else []
                continue
            one = _claim(name)
            if isinstance(one, int):
                neighbours.append(one)
            else:
                held.enter_context(one)
                seated = True
        if neighbours:
            observer.warned(
                f"another run{_by(neighbours[0])} measures on this machine and disturbs this run",
                "wait until the other run has ended; the results of both runs are unreliable",
            )
        yield


def _by(pid: int) -> str:
    return f" (process {pid})" if pid != _UNKNOWN else ""


def _claim(name: str) -> socket.socket | int:
    """Take the lock ``name``: return its socket, or the id of the process that has the lock.

    The id is `_UNKNOWN` if the kernel does not report the process. The socket is not bound if the
    kernel does not support such sockets.
    """
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    for _ in range(3):
        try:
            one.bind(_address(name))
            one.listen()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return one
            if (pid := _holder(name)) is None:
                continue  # the other process has ended in the meantime
            one.close()
            return pid
        return one
    one.close()
    return _UNKNOWN


def _holder(name: str) -> int | None:
    """The id of the process that has the lock ``name``, or `_UNKNOWN`; None if the lock is free."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.setblocking(False)
        try:
            one.connect(_address(name))
            found = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except BlockingIOError:  # the socket exists, because its connection queue is full
            return _UNKNOWN
        except OSError:
            return None
        pid: int = struct.unpack("3i", found)[0]
        return pid


def _address(name: str) -> str:
    return f"\0membench/{name}"
