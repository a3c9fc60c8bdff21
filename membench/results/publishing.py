"""Write results to their final path without changing other files."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from membench.core.errors import MembenchError
from membench.core.files import write_together
from membench.results.paths import journal_path, sidecar_path, with_mark
from membench.results.schema import Row
from membench.results.sidecar import Sidecar, digest, read_sidecar, to_json
from membench.results.table import to_csv


def publish(csv: Path, rows: Sequence[Row], sidecar: Sidecar) -> Path:
    """Write ``rows`` to ``csv`` or to the next free name, and ``sidecar`` beside the CSV.

    Only files that the same run wrote earlier are replaced. The sidecar is written first, so a new
    CSV always has its sidecar.

    Returns:
        The path of the CSV: ``csv``, or ``<name>-2.csv``, ``<name>-3.csv``, ... beside ``csv``.

    Raises:
        SchemaError: a row breaks the schema.
        OutputError: the files cannot be written.
    """
    table = to_csv(rows)
    document = to_json(sidecar, hashlib.sha256(table).hexdigest())
    for place in _places(csv):
        beside = sidecar_path(place)
        if _is_ours(place, sidecar.plan.run_id):
            write_together([(beside, document), (place, table)], replace=True)
            return place
        if place != csv and journal_path(place).exists():
            continue  # belongs to a run that is still in progress
        try:
            write_together([(beside, document), (place, table)], replace=False)
        except FileExistsError:
            continue
        return place
    raise AssertionError("unreachable, because the file names never run out")


def _places(csv: Path) -> Iterator[Path]:
    yield csv
    yield from (with_mark(csv, f"-{number}") for number in itertools.count(2))


def _is_ours(csv: Path, run_id: str) -> bool:
    """Whether the run ``run_id`` wrote the sidecar, and ``csv`` is unchanged or does not exist."""
    beside = sidecar_path(csv)
    if csv.is_symlink() or beside.is_symlink():
        return False
    try:
        sidecar = read_sidecar(csv)
        if sidecar is None or sidecar.plan.run_id != run_id:
            return False
        return not csv.exists() or digest(csv) == sidecar.sha256
    except MembenchError:
        return False
