"""Collect the expected values of a check: from references, from files, or from earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from membench.analysis.check.expectation import Expectation, expectations
from membench.analysis.check.from_history import HISTORY, expected_by_history
from membench.analysis.references import (
    Reference,
    find_reference,
    references,
    references_of,
)
from membench.analysis.sources import read_source
from membench.core.errors import UsageError
from membench.core.near import did_you_mean
from membench.core.snapshot import Machine
from membench.core.terms import Status
from membench.results.reference_files import PREFIX, reference_names
from membench.results.schema import Row

AUTO = "auto"


def expected_of(
    arguments: Sequence[str],
    rows: Sequence[Row],
    machine: Machine | None,
    paths: Sequence[Path] = (),
) -> tuple[Expectation, ...]:
    """Collect the expected values from ``arguments``.

    An argument is:

    - ``ref:NAME`` or a file
    - ``auto``: the references for the devices and processors in ``rows``, and the reference runs of
      this machine
    - ``history``: other runs of this machine in the folders of ``paths``

    Raises:
        UsageError: an argument is unknown, or ``history`` finds too few runs.
        SchemaError: a file cannot be read.
    """
    found: list[Expectation] = []
    for argument in dict.fromkeys(arguments):
        if argument == AUTO:
            for one in _of_machine(rows, machine):
                found += _of_reference(one)
        elif argument == HISTORY:
            names, runs = {row.machine for row in rows}, {row.run_id for row in rows}
            slugs = () if machine is None else (machine.slug, *machine.former)
            found += expected_by_history(paths, (*names, *slugs), frozenset(runs))
        elif argument.startswith(PREFIX):
            found += _of_reference(find_reference(argument))
        else:
            if not Path(argument).suffix and not Path(argument).exists():
                named = [AUTO, HISTORY, *(f"{PREFIX}{name}" for name in reference_names())]
                hint = did_you_mean(argument, named, "give ref:NAME, a file, history or auto")
                raise UsageError(f"--expect {argument} is neither a file nor a known name", hint)
            source = read_source(Path(argument))
            found += expectations(source.name, source.rows)
    return tuple(found)


def _of_reference(one: Reference) -> tuple[Expectation, ...]:
    return expectations(one.label, (row for source in one.sources for row in source.rows))


def _of_machine(rows: Sequence[Row], machine: Machine | None) -> tuple[Reference, ...]:
    shipped = references()
    devices = dict.fromkeys(row.device for row in rows if row.status is Status.OK and row.device)
    sockets = None
    if machine is not None:
        sockets = len({core.package for core in machine.cpu.cores}) or None
    names = {row.machine for row in rows}
    own = tuple(one for one in shipped if one.kind == "measured" and one.name in names)
    return (*own, *references_of(devices, sockets, shipped))
