"""The worker process of one round: builds, times and verifies cases, one request at a time.

The parent starts the worker as ``python -m membench.measure.worker.main PARENT_PID RESULT_FD``. The
worker ends when its parent ends, even if the parent is killed.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from membench.benches import registry
from membench.core.backend import Backend
from membench.core.case import Bench
from membench.core.errors import DeviceLost, MembenchError, Skip
from membench.core.terms import Status
from membench.measure.backends import open_backend
from membench.measure.recording import keep, recorded
from membench.measure.rounds.lifeline import die_with
from membench.measure.rounds.protocol import Answer, Hello, RoundRequest, decode, encode
from membench.measure.worker.case_run import BackendOf, run_unit, tune_unit
from membench.measure.worker.stopwatch import Stopwatches
from membench.results.case_result import CaseResult, Seconds
from membench.results.plan import PlannedCase

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend


def main(argv: list[str]) -> None:
    """Answer requests until an empty line arrives, standard input ends, or the device is lost.

    Then end the process.
    """
    parent, results = int(argv[0]), int(argv[1])
    die_with(parent, signal.SIGKILL)
    # Ctrl-C reaches the whole foreground process group, but only the parent reacts to Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    # Text that a library prints must not appear between two answers.
    os.dup2(2, 1)
    lines = _lines_of_stdin()
    hello = decode(Hello, lines.get())
    backends: dict[tuple[str, int | None], Backend] = {}
    stopwatches = Stopwatches(hold=hello.hold)

    def backend(case: PlannedCase) -> Backend:
        place = (case.backend, case.gpu)
        if place not in backends:
            opened = open_backend(
                *(case.backend, hello.machine),
                scratch=hello.scratch,
                gpu=case.gpu,
                benches=hello.benches,
                host=host() if case.backend == "storage" else None,
            )
            backends[place] = recorded(opened)
        return backends[place]

    def host() -> CpuBackend | None:
        """The backend of the CPU cases. Disk cases reuse its memory to avoid a slow first touch.

        The result is None on a machine with several NUMA nodes, because cases on different threads
        cannot share memory there.
        """
        if len(hello.machine.memory.nodes) > 1:
            return None
        if ("cpu", None) not in backends:
            backends["cpu", None] = open_backend("cpu", hello.machine)
        return cast("CpuBackend", backends["cpu", None])

    os.write(results, b"{}\n")
    try:
        while line := lines.get():
            request = decode(RoundRequest, line)
            given = answer(request, registry().benches, backend, stopwatches)
            if (used := backends.get((request.case.backend, request.case.gpu))) is not None:
                keep(request, given.unit, used)
            _write_all(results, encode(given))
            if given.spent:  # closing the resources of a lost device may hang
                os._exit(0)
    finally:
        for opened in reversed(backends.values()):
            opened.close()
    # After a compilation, the end of the interpreter would take up to 0.4 s.
    sys.stderr.flush()
    os._exit(0)


def answer(
    request: RoundRequest,
    benches: Mapping[str, Bench],
    backend: BackendOf,
    stopwatches: Stopwatches,
) -> Answer:
    """The answer to ``request``. Any exception from a bench becomes a skipped or failed result."""
    started = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    begin = time.monotonic()
    lost: DeviceLost | None = None
    try:
        make = tune_unit if request.tune else run_unit
        return Answer(make(request, benches, backend, stopwatches, started))
    except Skip as skipped:
        status, reason = Status.SKIPPED, str(skipped)
    except MembenchError as error:
        lost = _lost(error)
        status, reason = Status.FAILED, str(lost or error)
    except MemoryError as error:
        status, reason = Status.FAILED, f"out of memory: {error}" if str(error) else "out of memory"
    except Exception as error:
        traceback.print_exc()  # the parent shows the worker's stderr under -v
        lost = _lost(error)
        status, reason = Status.FAILED, str(lost or f"{type(error).__name__}: {error}")
    unit = CaseResult(
        round=request.round,
        case=request.case.id,
        status=status,
        started=started,
        reason=" ".join(reason.split()) or "no reason was given",
        seconds=Seconds(setup=time.monotonic() - begin),
    )
    return Answer(unit, spent=lost is not None)


def _lost(error: BaseException | None) -> DeviceLost | None:
    """The `DeviceLost` that is ``error`` or led to ``error``; None if there is none.

    On a lost device, freeing resources also fails, and the second error hides the first.
    """
    while error is not None and not isinstance(error, DeviceLost):
        error = error.__cause__ or error.__context__
    return error


def _lines_of_stdin() -> queue.SimpleQueue[bytes]:
    """A queue that receives the lines of standard input as they arrive.

    An empty line means that the worker must end cleanly. The end of the stream ends the process
    immediately.
    """
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        rest = b""
        while chunk := os.read(0, 1 << 16):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                lines.put(line)
        os._exit(1)

    threading.Thread(target=read, name="lifeline", daemon=True).start()
    return lines


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    main(sys.argv[1:])
