"""The Python API: a run as one function call.

The same engine as `membench run`; it draws nothing and returns the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from membench.measure.events import Observer, Silent
from membench.measure.options import DEFAULT_DISK_BUDGET, DEFAULT_TIMEOUT, RunOptions
from membench.measure.run import Outcome, prepare, start
from membench.record import table
from membench.record.schema import Row


def run(
    *,
    profile: str = "quick",
    select: Iterable[str] = (),
    skip: Iterable[str] = (),
    rounds: int | None = None,
    device: str = "auto",
    output: str | Path | None = None,
    label: str | None = None,
    seed: int | None = None,
    scratch: str | Path | None = None,
    disk_budget: int = DEFAULT_DISK_BUDGET,
    timeout: float = DEFAULT_TIMEOUT,
    strict: bool = False,
    observer: Observer | None = None,
) -> Outcome:
    """Measure this machine; see `RunOptions` for the arguments.

    Call it from the main thread: SIGINT and SIGTERM end the run early, with
    ``Outcome.signum`` set and the partial results kept.

    Returns:
        The outcome: ``rows`` (a sequence of `Row`), ``csv`` (the file that
        holds them), ``wall`` (where the time went, in seconds).

    Raises:
        MembenchError: what the command line would end with, as one line and a hint.
    """
    options = RunOptions(
        profile=profile,
        select=tuple(select),
        skip=tuple(skip),
        rounds=rounds,
        device=device,
        output=None if output is None else Path(output),
        label=label,
        seed=seed,
        scratch=None if scratch is None else Path(scratch),
        disk_budget=disk_budget,
        timeout=timeout,
        strict=strict,
        argv=("membench.run",),
    )
    watch = observer or Silent()
    return start(prepare(options, watch), watch)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a results file, in its order.

    Raises:
        SchemaError: it cannot be read, or breaks a rule of the schema.
    """
    return table.read_rows(Path(path))
