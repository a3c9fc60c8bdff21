"""Parses the text output of nvbandwidth: tests, matrices and their labelled rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from membench.core.record import record

_RUNNING = re.compile(r"Running (\w+)\.?\s*$")
_WAIVING = re.compile(r"Waiving (\w+)\.?\s*$")
_STATUS = re.compile(r"(Waived|Error|ERROR|Not Found): ?(.*)")
_ERROR = re.compile(r"\[?(?:ERROR|CUDA_ERROR|NVML_ERROR)")
_CELL = re.compile(r"N/A|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_SUMMARY = re.compile(r"(?:SUM|MIN|MAX|AVG|COEFFICIENT_OF_VARIATION|&&&& PERF)\b")
_DEVICE = re.compile(r"(?:Process +\d+ \(.*?\): device|Device) \d+: .*")


@record
class ResultMatrix:
    description: str
    cells: tuple[tuple[object, ...], ...]


@dataclass
class Test:
    """A test of nvbandwidth.

    Attributes:
        status: Passed, Running, Waived, Error or another word of nvbandwidth.
        size: size of the buffer in MiB; None if unknown.
        mean: whether the results are known to be means (``-m``) instead of medians.
    """

    name: str
    status: str
    reason: str = ""
    matrices: list[ResultMatrix] = field(default_factory=list)
    size: float | None = None
    mean: bool = False


@dataclass
class Log:
    """The parsed output of nvbandwidth, text or JSON.

    Attributes:
        error: the first error that belongs to no named test; empty without such an error.
        lost: descriptions of output that belongs to no named test.
    """

    error: str = ""
    devices: list[str] = field(default_factory=list)
    driver: str = ""
    cuda: object = None
    tests: list[Test] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def log_of(text: str) -> Log:
    """Parse the tests in ``text``, which may contain several runs of nvbandwidth."""
    log = Log()
    lines = text.splitlines()
    place = 0
    while place < len(lines):
        line = lines[place].strip()
        place += 1
        if not line or _SUMMARY.match(line) or _about(line, log):
            continue
        cells, behind = _matrix(lines, place) if log.tests else ((), place)
        if cells:
            log.tests[-1].matrices.append(ResultMatrix(line, cells))
            log.tests[-1].status = "Passed"
            place = behind
        else:
            _said(line, log)
    for test in log.tests:
        if test.status == "Running" and test.reason:
            test.status = "Error"
    return log


def _about(line: str, log: Log) -> bool:
    """Store the test, device, version or status in ``line``; return whether ``line`` has one."""
    if start := _RUNNING.match(line) or _WAIVING.match(line):
        waived = line.startswith("Waiving")
        log.tests.append(Test(start[1], "Waived" if waived else "Running"))
    elif _DEVICE.match(line):
        log.devices.append(line.removeprefix("Device "))
    elif line.startswith("Driver Version:"):
        log.driver = line.partition(":")[2].strip()
    elif line.startswith("CUDA Runtime Version:"):
        log.cuda = line.partition(":")[2].strip()
    elif status := _STATUS.match(line):
        _end(log, status[1], status[2].strip())
    else:
        return False
    return True


def _said(line: str, log: Log) -> None:
    """Store ``line`` if the line may explain a failure.

    While a test is running, the line is added to the reason of the test. Before the first test, a
    line with an error becomes ``log.error``. Any other line is ignored.
    """
    if log.tests and log.tests[-1].status == "Running":
        log.tests[-1].reason = f"{log.tests[-1].reason} {line}".strip()[:200]
    elif not log.tests and _ERROR.match(line):
        log.error = log.error or line


def _end(log: Log, status: str, reason: str) -> None:
    """Set the status of the last test if the test is running and has no matrix.

    Otherwise the status belongs to no named test, and goes to ``log.lost`` or ``log.error``.
    """
    test = log.tests[-1] if log.tests else None
    if test and test.status == "Running" and not test.matrices:
        test.status, test.reason = status.capitalize(), f"{reason} {test.reason}".strip()
    elif status == "Waived":
        log.lost.append("a waived test without a name (nvbandwidth -j prints the name)")
    else:
        log.error = log.error or reason


def _matrix(lines: Sequence[str], place: int) -> tuple[tuple[tuple[object, ...], ...], int]:
    """Parse the matrix with the heading ``lines[place]``: (cells, index of the next line).

    The heading contains the column labels, and each row begins with a label. Without a matrix, the
    cells are empty.
    """
    head = lines[place] if place < len(lines) else ""
    width = len(head.split())
    rows: list[tuple[object, ...]] = []
    if not width or not head[:1].isspace():
        return (), place
    for line in lines[place + 1 :]:
        cells = line.split()
        if len(cells) <= width or not all(map(_CELL.fullmatch, cells[-width:])):
            break
        rows.append(tuple(cells[-width:]))
    return tuple(rows), place + 1 + len(rows)
