"""Reads the sidecar of a results file, and describes the problems of the sidecar.

Every command that reads results uses these functions, so all commands warn in the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from membench.core.errors import MembenchError, SchemaError
from membench.core.files import shown
from membench.core.messages import tr
from membench.core.plain import load
from membench.core.record import record
from membench.core.snapshot import Machine
from membench.results.paths import sidecar_path
from membench.results.sidecar import Sidecar, digest, read_plain


@record
class PlainSidecar:
    """The sidecar as JSON.

    Attributes:
        data: the sidecar; None if the sidecar is missing, cannot be read or describes another run.
        problem: one sentence without a period: why ``data`` is None although the sidecar exists,
            or that the CSV was changed after its run; empty otherwise.
        changed: whether the CSV was changed after its run; False if ``data`` is None.
    """

    data: Mapping[str, Any] | None = None
    problem: str = ""
    changed: bool = False


@record
class OwnSidecar:
    """The parsed sidecar. ``problem`` and ``changed`` are as in `PlainSidecar`.

    Attributes:
        sidecar: None if the sidecar is missing, cannot be read or describes another run.
        machine: the machine snapshot of ``sidecar``; None if it cannot be read.
    """

    sidecar: Sidecar | None = None
    machine: Machine | None = None
    problem: str = ""
    changed: bool = False


def plain_sidecar(csv: Path, runs: Collection[str], named: Path | None = None) -> PlainSidecar:
    """Read the sidecar of ``csv``; a pipe has no sidecar.

    Args:
        runs: the run ids of the rows in ``csv``.
        named: the file that `problem` names; None for ``csv``.
    """
    named = named or csv
    if not csv.is_file():
        return PlainSidecar()
    try:
        data = read_plain(csv)
        if data is None:
            return PlainSidecar()
        if not describes(data, runs):
            return PlainSidecar(problem=_of_another_run(named))
        if digest(csv) == data.get("sha256"):
            return PlainSidecar(data)
    except MembenchError as error:
        return PlainSidecar(problem=sidecar_unusable(csv, error, named))
    changed = tr("{file} was changed after its run: its numbers may be wrong", file=shown(named))
    return PlainSidecar(data, changed, changed=True)


def describes(sidecar: Mapping[str, Any], runs: Collection[str]) -> bool:
    """Whether ``sidecar``, as JSON, is about one of ``runs`` (run ids)."""
    plan = sidecar.get("plan")
    return isinstance(plan, Mapping) and str(plan.get("run_id")) in runs


def own_sidecar(csv: Path, runs: Collection[str], named: Path | None = None) -> OwnSidecar:
    """Call `plain_sidecar`, and parse the sidecar and its machine snapshot."""
    found = plain_sidecar(csv, runs, named)
    if found.data is None:
        return OwnSidecar(problem=found.problem)
    try:
        sidecar = load(Sidecar, found.data)
    except SchemaError as error:
        return OwnSidecar(problem=sidecar_unusable(csv, error, named))
    try:
        machine = load(Machine, sidecar.machine)
    except SchemaError as error:
        problem = tr(
            "{sidecar} has an invalid description of the machine: {error}",
            sidecar=shown(sidecar_path(named or csv)),
            error=error,
        )
        return OwnSidecar(sidecar, None, found.problem or problem, found.changed)
    return OwnSidecar(sidecar, machine, found.problem, found.changed)


def sidecar_unusable(csv: Path, error: MembenchError, named: Path | None = None) -> str:
    """The sentence about the sidecar of ``csv``, which cannot be read because of ``error``.

    ``named`` is as in `plain_sidecar`.
    """
    why, path = str(error), shown(sidecar_path(csv))
    why = why.removeprefix(path) if why.startswith(path) else f": {why}"
    return tr(
        "{error}; the file is not used, so the machine and the settings of the run are unknown",
        error=shown(sidecar_path(named or csv)) + why,
    )


def _of_another_run(csv: Path) -> str:
    return tr(
        "{sidecar} describes another run than {file} and is not used",
        sidecar=shown(sidecar_path(csv)),
        file=shown(csv),
    )
