"""The task of a Dask worker: a run of membench on the worker's host, in a child process.

Dask sends these functions to the worker by name, so membench must be installed on the host.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import get_worker

from membench import __version__
from membench.core.errors import MembenchError, OutputError, SchemaError
from membench.core.files import output_error, shown
from membench.core.text import ascii_line
from membench.core.untrusted import read_bytes
from membench.results.paths import journal_path, sidecar_path

MAX_FILE = 32 << 20
"""Maximum bytes of a CSV or sidecar to send; far above the size after a full run."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # equal in all containers on one kernel
_POLL = 0.2
_ELSEWHERE = "choose another directory with --host-directory"
_ERRORS = 400  # maximum characters to send of a failed run's standard error


@dataclass(frozen=True)
class HostRequest:
    """The task for one host.

    Attributes:
        host: name of the host in the results.
        arguments: arguments of `membench run`, without ``-o`` and ``--label``.
        directory: directory on the host for the files of the run; empty for `default_directory`.
    """

    fleet_id: str
    host: str
    arguments: tuple[str, ...]
    directory: str = ""


def identify() -> dict[str, str]:
    """The entries ``host`` (name), ``boot`` (boot id) and ``membench`` (version) of this host.

    All containers on one kernel have the same boot id. ``boot`` is empty if the id is unknown.
    """
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return {"host": socket.gethostname(), "boot": boot, "membench": __version__}


def measure(request: HostRequest) -> dict[str, Any]:
    """Run `membench run` on this host, or resume an unfinished run, and return the files.

    Returns:
        A dict. ``code`` is the exit code. ``csv`` and ``sidecar`` are the contents of the files,
        empty if a file does not exist. ``errors`` is the error line of membench, or else the end of
        standard error. ``where`` is the path of the CSV. If the task fails before or after the run,
        ``code`` is 1, and ``errors`` has the reason and the remedy.
    """
    task = _Task(request)
    home = Path(request.directory) if request.directory else default_directory()
    try:
        _private(home)
        csv = _private(home / request.fleet_id) / f"{request.host}.csv"
        with _alone(home / "host.lock", task):
            code, errors = _run(csv, request.arguments, task)
        return {
            "code": code,
            "csv": _content(csv),
            "sidecar": _content(sidecar_path(csv)),
            "errors": errors,
            "where": str(csv),
        }
    except (MembenchError, OSError) as error:
        failed = error if isinstance(error, MembenchError) else _unusable(home, error)
        said = f"{failed} ({failed.hint})" if failed.hint else str(failed)
        return {"code": 1, "csv": b"", "sidecar": b"", "errors": said, "where": ""}


def default_directory() -> Path:
    """This user's directory under /var/tmp, whose files survive a reboot."""
    return Path("/var/tmp") / f"membench-{os.getuid()}"  # noqa: S108 - `_private` rejects a directory of another user


class _Task:
    def __init__(self, request: HostRequest) -> None:
        self._worker = get_worker()
        self._key = self._worker.get_current_task()
        self._request = request
        self._said = ("", 0.0)

    def wanted(self) -> bool:
        """Whether the run may go on: False after a cancellation, or if the worker closes."""
        state = self._worker.state.tasks.get(self._key)
        running = state is not None and state.state in {"executing", "long-running"}
        return running and self._worker.status.name == "running"

    def say(self, line: str) -> None:
        """Send ``line`` to the client, at most twice per second, because a fleet has many hosts."""
        now = time.monotonic()
        if line == self._said[0] or now - self._said[1] < 0.5:
            return
        self._said = (line, now)
        message = {"host": self._request.host, "line": line[:200]}
        self._worker.log_event(topic(self._request.fleet_id), message)


def topic(fleet_id: str) -> str:
    return f"membench-{fleet_id}"


def _unusable(directory: Path, error: OSError) -> OutputError:
    path = Path(error.filename) if isinstance(error.filename, str) else directory
    return OutputError(str(output_error(path, error)), _ELSEWHERE)


def _private(directory: Path) -> Path:
    """Create ``directory`` if needed, and check that no other user can write to it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise _unusable(directory, error) from None
    foreign = status.st_uid != os.getuid() or status.st_mode & 0o022
    if not stat.S_ISDIR(status.st_mode) or foreign:
        raise OutputError(
            f"{shown(directory)} is not a directory that only you can write to", _ELSEWHERE
        )
    return directory


@contextmanager
def _alone(lock: Path, task: _Task) -> Iterator[None]:
    """Hold the lock of this host: one run at a time, even if several clusters use the host."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                task.say("waiting for another run on this host to end")
                if not task.wanted():
                    raise MembenchError("the run was cancelled before it began") from None
                time.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _run(csv: Path, arguments: tuple[str, ...], task: _Task) -> tuple[int, str]:
    """Run membench, or resume an unfinished run; return the exit code and the error line.

    If the run is already complete, no process is started.
    """
    if journal_path(csv).exists():
        command = ["run", "--resume", str(csv)]
    elif csv.exists() and sidecar_path(csv).exists():
        return 0, ""
    else:
        command = ["run", *arguments, "--label", csv.stem, "-o", str(csv)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("MALLOC_TRIM_THRESHOLD_", None)  # Dask sets this variable for its workers
    with tempfile.TemporaryFile(dir=csv.parent) as errors:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "membench.fleet.child", str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=csv.parent,
                env=environment,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise MembenchError(f"membench cannot be started: {error.strerror}") from None
        watch = threading.Thread(target=_call_off, args=(process, task), daemon=True)
        watch.start()
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("["):
                    task.say(ascii_line(line))
        watch.join()
        errors.seek(0)
        said = errors.read(1 << 20).decode("utf-8", "replace")
    return process.returncode, _reason(said)


def _reason(said: str) -> str:
    """The error line in the standard error ``said``, or else the end of ``said``."""
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    return ascii_line(errors[-1])[:_ERRORS] if errors else ascii_line(said.strip())[-_ERRORS:]


def _call_off(process: subprocess.Popen[str], task: _Task) -> None:
    while process.poll() is None:
        if not task.wanted():
            process.terminate()
            process.wait()
        time.sleep(_POLL)


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, MAX_FILE) if path.exists() else b""
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint) from None
