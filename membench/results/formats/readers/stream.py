"""Reads the text output of STREAM 5.6 to 5.10.

1 MB is 1e6 bytes. A result is the best repetition. ``Rate = 1.0E-06 * bytes / mintime``, with 2
arrays for Copy and Scale and 3 arrays for Add and Triad (jeffhammond/STREAM, ``stream.c``). The
bytes are bytes read plus bytes written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from membench.core.terms import BytesConvention, Metric, Tier
from membench.core.units import format_size
from membench.results.formats.documents import text_in
from membench.results.formats.figures import Origin, case_id, count, number, row
from membench.results.formats.readers.host_text import SURELY_IN_CACHE
from membench.results.formats.reading import Item, Record, Unplaced

_TOOL = "stream"
_OPERATIONS = {"Copy": 2, "Scale": 2, "Add": 3, "Triad": 3}
_LINE = re.compile(r"(Copy|Scale|Add|Triad): +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)")
_BROKEN = re.compile(r"(?:Copy|Scale|Add|Triad):")
_WIDTH = re.compile(r"This system uses (\d+) bytes per")
_ELEMENTS = re.compile(r"(?:Total Aggregate )?Array size = +(\d+)(?!\d|[.,]\d)")
_TIMES = re.compile(r"Each (?:kernel|test) (?:will be executed|is run) (\d+) times")
_THREADS = re.compile(r"Number of Threads (?:counted|requested) = (\d+)")
_ASSUMED = {"threads": "1", "pages": "4k", "stores": "plain"}


@dataclass
class _StreamOutput:
    width: int = 8
    elements: int | None = None
    repetitions: int = 1
    threads: str = ""
    valid: bool | None = None


def read(data: bytes, origin: Origin) -> Iterator[Record]:
    run = _StreamOutput()
    lines: list[tuple[_StreamOutput, re.Match[str]]] = []
    for raw in text_in(data, _TOOL).splitlines():
        line = raw.strip()
        if line.startswith("STREAM version"):
            run = _StreamOutput()
        elif match := _LINE.match(line):
            lines.append((run, match))
        elif _BROKEN.match(line):
            yield (Unplaced("a truncated line of a kernel"),)
        else:
            _about(line, run)
    for about, match in lines:
        yield _kernel(match, about, origin)


def _about(line: str, run: _StreamOutput) -> None:
    if match := _WIDTH.match(line):
        run.width = count(match[1])
    elif match := _ELEMENTS.match(line):
        run.elements = count(match[1])
    elif match := _TIMES.match(line):
        run.repetitions = count(match[1])
    elif match := _THREADS.match(line):
        run.threads = match[1]
    elif line.startswith("Solution Validates"):
        run.valid = True
    elif line.startswith("Failed Validation"):
        run.valid = False


def _kernel(match: re.Match[str], run: _StreamOutput, origin: Origin) -> Iterator[Item]:
    word, arrays = match[1].lower(), _OPERATIONS[match[1]]
    rate, slowest = number(match[2]), number(match[5])
    if rate is None:
        yield Unplaced(f"no rate of {match[1]}")
        return
    size = run.elements * run.width if run.elements else None
    said = {"threads": run.threads} if run.threads else {}
    params = {**_ASSUMED, **said, **{key: origin.given.get(key, "") for key in _ASSUMED}}
    params = {key: value or {**_ASSUMED, **said}[key] for key, value in params.items()}
    assumed = [key for key in _ASSUMED if key not in origin.given and key not in said]
    shown = (f"size={format_size(size)}",) if size else ()
    # STREAM's rules require arrays larger than the caches, but some runs use arrays that fit.
    cached = size is not None and 3 * size <= SURELY_IN_CACHE and "tier" not in origin.given
    own = (_TOOL,) if cached or not size else ()
    head = ("host" if cached else "ddr", *own, word, *shown)
    value = rate / 1e3
    moved = arrays * size if size else None
    yield row(
        origin,
        Tier.CACHE if cached else Tier.DDR,
        case_id(*head, *(f"{key}={params[key]}" for key in _ASSUMED)),
        Metric.BANDWIDTH,
        value,
        n=max(1, run.repetitions - 1),  # STREAM leaves out the first repetition
        max=value,
        min=min(value, moved / slowest / 1e9) if moved and slowest else None,
        size_bytes=moved,
        bytes_moved=moved,
        bytes_convention=BytesConvention.RW_SUM,
        timer="tool:stream",
        verified=run.valid,
        flags=("best-of",),
        detail={"statistic": "best", **({"assumed": ",".join(assumed)} if assumed else {})},
    )
