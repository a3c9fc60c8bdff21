"""The sidecar: a JSON file beside the results file that describes the run."""

from __future__ import annotations

import json
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from membench.core.errors import OutputError, SchemaError
from membench.core.files import atomic_write, shown
from membench.core.plain import dump, load
from membench.core.record import record
from membench.core.untrusted import MAX_JSON, open_file, parse_json, read_bytes
from membench.results.journal.reading import JournalEvent
from membench.results.paths import sidecar_path
from membench.results.plan import Plan

SCHEMA = "membench.run/1"
_WRITTEN = "give the JSON file that the run wrote, or remove the file"


@record(kw_only=True)
class Sidecar:
    """The description of a run.

    Attributes:
        machine: the machine snapshot, as plain data.
        order: for each round, the case ids in the order of measurement.
        notes: the events of the journal.
        seconds: activity -> wall time in seconds, since the start or the last resumption.
        interrupted: whether the run ended before the plan was complete.
        pair_id: an id that both runs of a paired run share; empty for other runs.
        sha256: SHA-256 of the CSV, in hexadecimal.
    """

    schema: str = SCHEMA
    plan: Plan
    machine: dict[str, Any]
    order: tuple[tuple[str, ...], ...] = ()
    notes: tuple[JournalEvent, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False
    pair_id: str = ""
    sha256: str = ""


def write_sidecar(csv: Path, sidecar: Sidecar) -> Path:
    """Write ``sidecar`` beside ``csv``, with the SHA-256 of ``csv``; return the sidecar's path.

    Raises:
        OutputError: ``csv`` cannot be read, or the sidecar cannot be written.
    """
    path = sidecar_path(csv)
    atomic_write(path, to_json(sidecar, digest(csv)))
    return path


def to_json(sidecar: Sidecar, sha256: str) -> bytes:
    """Format ``sidecar`` as JSON, with the digest ``sha256`` of the CSV in hexadecimal."""
    whole = dump(replace(sidecar, sha256=sha256))
    return json.dumps(whole, indent=1, allow_nan=False).encode("ascii") + b"\n"


def read_sidecar(csv: Path) -> Sidecar | None:
    """Read the sidecar of ``csv``; None if there is no sidecar.

    Raises:
        SchemaError: the sidecar cannot be read or is invalid.
    """
    data = read_plain(csv)
    try:
        return None if data is None else load(Sidecar, data)
    except SchemaError as error:
        raise SchemaError(f"{shown(sidecar_path(csv))}: {error}") from None


def read_plain(csv: Path) -> dict[str, Any] | None:
    """Read the sidecar of ``csv`` as a JSON object; None if there is no sidecar.

    Only the entry ``schema`` is checked.

    Raises:
        SchemaError: the sidecar cannot be read, or has another schema.
    """
    path = sidecar_path(csv)
    if not path.exists():
        return None
    try:
        data = parse_json(read_bytes(path, MAX_JSON))
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint) from None
    except ValueError:
        raise SchemaError(
            f"{shown(path)} is not JSON",
            _WRITTEN,
        ) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        family = isinstance(schema, str) and schema.partition("/")[0] == SCHEMA.partition("/")[0]
        raise SchemaError(
            f"{shown(path)} has the schema {schema:.40}, not {SCHEMA}"
            if family
            else f"{shown(path)} does not have the schema {SCHEMA}",
            "upgrade membench" if family else _WRITTEN,
        )
    whole: dict[str, Any] = data
    return whole


def verify_sha256(csv: Path, sidecar: Sidecar) -> bool:
    """Whether ``csv`` is unchanged since the run wrote the file.

    Raises:
        OutputError: ``csv`` cannot be read.
    """
    return digest(csv) == sidecar.sha256


def is_original(csv: Path) -> bool | None:
    """Whether ``csv`` is unchanged since its run; None without a sidecar or without its SHA-256.

    Raises:
        OutputError: ``csv`` cannot be read.
        SchemaError: the sidecar cannot be read, or has another schema.
    """
    path = sidecar_path(csv)
    if not path.exists():
        return None
    found = digest(csv)
    # `to_json` writes the SHA-256 last. Parsing thousands of sidecars would take long.
    if read_bytes(path, MAX_JSON).endswith(f'"sha256": "{found}"\n}}\n'.encode()):
        return True
    sidecar = read_plain(csv)
    written = sidecar.get("sha256") if sidecar is not None else None
    return None if not written else written == found


def digest(csv: Path) -> str:
    """The SHA-256 of ``csv``, in hexadecimal.

    Raises:
        OutputError: ``csv`` cannot be read.
    """
    import hashlib  # takes long, and a reader of the sidecar alone does not need it

    try:
        with open_file(csv) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, SchemaError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"cannot read {shown(csv)}: {reason}", "check that the file exists and is readable"
        ) from None
