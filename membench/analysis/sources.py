"""Read the results files of a comparison, with their sidecars."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from membench.analysis.facts import sidecar_facts
from membench.core.errors import SchemaError
from membench.core.record import record
from membench.core.text import ascii_line
from membench.results.compact.reader import read_measurements
from membench.results.compact.row import Measurement
from membench.results.own_sidecar import plain_sidecar
from membench.results.table import read_rows

_LARGEST_BLOCK = 8 << 20  # bytes; this much memory is freed at once but never written


@record
class Source:
    """The rows of a results file, with facts from its sidecar.

    Attributes:
        facts: name -> value, for facts about machine and run; empty without a sidecar.
        problem: one line if the file was changed after its run, or if the sidecar is not used;
            otherwise empty.
        pair_id: an id that both files of a paired run share; empty for other files.
    """

    path: Path
    rows: tuple[Measurement, ...]
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    pair_id: str = ""

    @cached_property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(attrgetter("run_id"), self.rows)))

    @property
    def name(self) -> str:
        """The path as ASCII text on one line."""
        return ascii_line(str(self.path))


def read_sources(paths: Iterable[Path]) -> list[Source]:
    with for_many_files():
        return [read_source(path) for path in paths]


def check_strictly(sources: Iterable[Source]) -> None:
    """Read every cell of the files again, to find invalid cells; pipes are left out.

    Raises:
        SchemaError: a cell is invalid; the message has file and line.
    """
    for source in sources:
        if not source.path.is_fifo():  # a pipe can be read only once
            read_rows(source.path)


def read_source(path: Path) -> Source:
    """Read the results file ``path`` with its sidecar.

    If the sidecar is invalid or belongs to another run, or if the file was changed after its run,
    the result has a ``problem``. This is no error, because a comparison needs only the CSV.

    Raises:
        SchemaError: the results file cannot be read, or has no rows.
    """
    rows = tuple(read_measurements(path))
    if not rows:
        raise SchemaError(
            f"{path}: the file has no rows", "give a file of a run that measured at least one case"
        )
    found = plain_sidecar(path, set(map(attrgetter("run_id"), rows)))
    known = found.data or {}
    facts = sidecar_facts(known) if known else {}
    return Source(path, rows, facts, str(found.problem), str(known.get("pair_id") or ""))


@contextmanager
def for_many_files() -> Iterator[None]:
    """Make the code in the ``with`` block read many files faster."""
    _keep_freed_memory()
    with without_collector():
        yield


def _keep_freed_memory() -> None:
    """Make the C library reuse the memory of one file for the next file.

    The C library returns freed blocks above a threshold to the system, so that every file causes
    page faults. The threshold rises to the size of the largest block freed so far (mallopt(3),
    M_MMAP_THRESHOLD).
    """
    bytes(_LARGEST_BLOCK)


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the garbage collector, which finds nothing: rows of text and numbers have no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
