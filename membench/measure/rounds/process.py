"""Starts a worker process, sends requests to it, detects a crash, and ends the process."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO

from membench.core.errors import SchemaError, WorkerError
from membench.core.snapshot import Machine
from membench.host.compiled.interpreter import command, environment
from membench.host.storage.scratch import ScratchHandle
from membench.measure.rounds.interrupt import Interrupt, signal_name
from membench.measure.rounds.protocol import Answer, Hello, RoundRequest, decode, encode

START_SECONDS = 60.0
"""Maximum seconds for the start of a worker. A first import from a cold disk is slow."""

QUIT_SECONDS = 5.0

_PIPE = 1 << 20  # bytes; the description of a machine with 700 CPUs exceeds the default, 64 KiB


class WorkerLost(Exception):
    """The worker died or was killed during a request. The message gives the cause."""


class Worker:
    """One worker process. `ready` must be called before the first `ask`.

    Args:
        variables: additional environment variables for the worker.
        python: the interpreter for the worker; empty for this interpreter.
        benches: names of benches. The worker compiles their kernels first.
        hold: whether a GPU starts only after all its work is queued.
        verbose: whether to show the worker's standard error.

    Raises:
        WorkerError: the process cannot be created.
    """

    def __init__(
        self,
        machine: Machine,
        scratch: ScratchHandle | None,
        interrupt: Interrupt,
        *,
        variables: Mapping[str, str] = MappingProxyType({}),
        python: str = "",
        benches: tuple[str, ...] = (),
        hold: bool = True,
        verbose: bool = False,
    ) -> None:
        self._interrupt = interrupt
        # A file in memory leaves nothing in the temporary directory.
        self._stderr: IO[bytes] = os.fdopen(os.memfd_create("stderr", os.MFD_CLOEXEC), "w+b")
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                command(
                    *("membench.measure.worker.main", str(os.getpid()), str(writer)), python=python
                ),
                stdin=subprocess.PIPE,
                stderr=None if verbose else self._stderr,
                pass_fds=(writer,),
                env=environment(own=not python) | dict(variables),
            )
        except OSError as error:
            os.close(reader)
            self._stderr.close()
            raise WorkerError(f"a worker cannot be started: {error.strerror}") from error
        finally:
            os.close(writer)
        _offer(self._process.pid)
        assert self._process.stdin is not None
        with suppress(OSError):  # a write that fits into the pipe cannot block
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, _PIPE)
        self._reader = reader
        self._buffer = b""
        self._hello = encode(Hello(machine, scratch, benches, hold))

    def ready(self) -> None:
        """Wait until the worker can answer. A second call does nothing.

        Raises:
            WorkerError: the worker cannot be started.
            Interrupted: a signal arrived before the worker was ready.
        """
        if not self._hello:
            return
        try:
            self._say(self._hello)
            self._hello = b""
            self._line(START_SECONDS)
        except WorkerLost as lost:
            self.kill()
            self._interrupt.check()
            raise WorkerError(
                f"a worker cannot be started: {lost}",
                "repeat the command as 'membench -v ...' to see the worker's messages",
            ) from lost
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: RoundRequest, timeout: float) -> Answer:
        """Send ``request`` and return the answer.

        Raises:
            WorkerLost: the worker died, took longer than ``timeout`` seconds, or gave a malformed
                answer. In the last two cases, the worker is killed.
            Interrupted: a signal arrived, and may have ended the worker.
        """
        try:
            self._say(encode(request))
            line = self._line(timeout, " (--timeout)")
        except WorkerLost:
            self._interrupt.check()  # the whole process group may have received the signal
            raise
        try:
            return decode(Answer, line)
        except (ValueError, SchemaError, RecursionError):
            self._process.kill()
            raise WorkerLost(
                f"the worker was killed, because its answer was malformed: {line[:40]!r}"
            ) from None

    def quit(self) -> None:
        """End the worker cleanly.

        Kill the worker if it does not end within `QUIT_SECONDS`, or if a signal arrives.
        """
        with suppress(WorkerLost, subprocess.TimeoutExpired):
            self._say(b"\n")
            # `Popen.wait` sleeps between its checks. The pipe closes as soon as the worker ends.
            with selectors.DefaultSelector() as selector:
                selector.register(self._reader, selectors.EVENT_READ)
                selector.register(self._interrupt.fd, selectors.EVENT_READ)
                ready = {key.fd for key, _ in selector.select(QUIT_SECONDS)}
            if self._reader in ready:
                self._process.wait(timeout=QUIT_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the worker and close its pipes. A second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):  # the worker did not read its last request
                self._process.stdin.close()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        self._stderr.close()

    @property
    def errors(self) -> str:
        """The text on the worker's standard error; empty with ``verbose``, and after `kill`."""
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace").strip()

    def _say(self, line: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(line)
            stdin.flush()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerLost(self._end()) from error

    def _line(self, timeout: float, option: str = "") -> bytes:
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            selector.register(self._interrupt.fd, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                self._interrupt.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    self._process.kill()
                    raise WorkerLost(
                        f"the worker was killed: no answer within {timeout:g} s{option}"
                    )
                ready = {key.fd for key, _ in selector.select(left)}
                if self._reader in ready:
                    chunk = os.read(self._reader, 1 << 20)
                    if not chunk:
                        raise WorkerLost(self._end())
                    self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _end(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "the worker closed its pipe without an answer"
        if code == -signal.SIGKILL:
            return (
                "the worker was killed by SIGKILL (by a person, or by the kernel because memory "
                "ran out)"
            )
        if code < 0:
            return f"the worker died of {signal_name(-code)}"
        last = self.errors.splitlines()[-1:] or ["no text on standard error"]
        return f"the worker ended with exit code {code}: {last[0]}"


def _offer(pid: int) -> None:
    """Let the kernel kill the worker first if memory runs out, so that the run continues."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
