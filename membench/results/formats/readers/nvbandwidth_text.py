"""nvbandwidth's text: a heading a test, a description a matrix, and its rows with their labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_RUNNING = re.compile(r"Running (\w+)\.?\s*$")
_WAIVING = re.compile(r"Waiving (\w+)\.?\s*$")
_STATUS = re.compile(r"(Waived|Error|ERROR|Not Found): ?(.*)")
_HEADER = re.compile(r"\s+(?:\d+|[\w.-]+)(?:\s+(?:\d+|[\w.-]+))*\s*$")
_CELL = re.compile(r"N/A|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_SUMMARY = re.compile(r"(?:SUM|MIN|MAX|AVG|COEFFICIENT_OF_VARIATION|&&&& PERF)\b")
_DEVICE = re.compile(r"(?:Process \d+ \(.*?\): device|Device) \d+: .*")


@dataclass(frozen=True)
class Matrix:
    """What a test found: a value a row and column, as text or number; the description says what."""

    description: str
    cells: tuple[tuple[object, ...], ...]


@dataclass
class Test:
    """A test: ``status`` is Passed, Running, Waived, Error or another word of the tool."""

    name: str
    status: str
    reason: str = ""
    matrices: list[Matrix] = field(default_factory=list)
    size: float | None = None
    mean: bool = False


@dataclass
class Log:
    """What an output of nvbandwidth says, whichever form it has."""

    error: str = ""
    devices: Sequence[str] = ()
    driver: str = ""
    cuda: object = None
    tests: list[Test] = field(default_factory=list)
    lost: Sequence[str] = ()


def log_of(text: str) -> Log:
    """The tests in ``text``; several runs of the tool may follow each other."""
    log = Log()
    devices: list[str] = []
    lost: list[str] = []
    lines = text.splitlines()
    place = 0
    said: list[str] = []
    while place < len(lines):
        line = lines[place].strip()
        place += 1
        test = log.tests[-1] if log.tests else None
        if start := _RUNNING.match(line) or _WAIVING.match(line):
            waived = line.startswith("Waiving")
            log.tests.append(Test(start[1], "Waived" if waived else "Running"))
            said = []
        elif _DEVICE.match(line):
            devices.append(line.removeprefix("Device "))
        elif line.startswith("Driver Version:"):
            log.driver = line.partition(":")[2].strip()
        elif line.startswith("CUDA Runtime Version:"):
            log.cuda = line.partition(":")[2].strip()
        elif status := _STATUS.match(line):
            _end(log, status[1], " ".join((status[2], *said)).strip(), lost)
        elif test and line and not _SUMMARY.match(line) and _HEADER.match(_at(lines, place)):
            cells, place = _cells(lines, place + 1)
            if cells:
                test.matrices.append(Matrix(line, cells))
                test.status = "Passed"
        elif test and test.status == "Running" and line and not _SUMMARY.match(line):
            said.append(line)
            test.reason = " ".join(said)[:200]
        elif not log.tests and re.match(r"\[?(?:ERROR|CUDA_ERROR|NVML_ERROR)", line):
            log.error = log.error or line
    log.devices, log.lost = devices, lost
    for one in log.tests:
        if one.status == "Running" and one.reason:
            one.status = "Error"
    return log


def _end(log: Log, status: str, reason: str, lost: list[str]) -> None:
    """The last test ended so, or, as a waived one is not named, one that nobody can name."""
    if log.tests and log.tests[-1].status == "Running" and not log.tests[-1].matrices:
        log.tests[-1].status, log.tests[-1].reason = status.capitalize(), reason
    elif status == "Waived":
        lost.append("a waived test, which the text does not name (nvbandwidth -j does)")
    else:
        log.error = log.error or reason


def _at(lines: Sequence[str], place: int) -> str:
    """The line at ``place`` if it can be the head of a matrix and a row of cells follows."""
    if place + 1 >= len(lines):
        return ""
    labels, cells = lines[place].split(), lines[place + 1].split()
    follows = len(cells) > len(labels) and _CELL.fullmatch(cells[-1])
    return lines[place] if labels and follows and lines[place][:1].isspace() else ""


def _cells(lines: Sequence[str], place: int) -> tuple[tuple[tuple[object, ...], ...], int]:
    """The rows from ``place`` on, without their labels, and the line behind them."""
    width = len(lines[place - 1].split())
    rows: list[tuple[object, ...]] = []
    while place < len(lines):
        cells = lines[place].split()
        if len(cells) <= width or not all(map(_CELL.fullmatch, cells[-width:])):
            break
        rows.append(tuple(cells[-width:]))
        place += 1
    return tuple(rows), place
