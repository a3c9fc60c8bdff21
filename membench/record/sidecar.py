"""The sidecar: what stands beside a results file, as JSON.

`compare` works without it; it explains a run and lets one see that the CSV is
the one that the run wrote.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from membench.errors import OutputError, SchemaError
from membench.record.files import atomic_write, shown
from membench.record.journal import Note
from membench.record.paths import sidecar_path
from membench.record.plain import dump, load
from membench.record.plan import Plan

SCHEMA = "membench.run/1"


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """A run as it was made.

    Attributes:
        plan: what it set out to do, with its arguments (``argv``) and ``seed``.
        machine: the machine snapshot, as plain data.
        order: by round, the case ids in the order that was drawn for it.
        notes: what was noted, clocks at the rounds' ends included.
        seconds: where the wall time went, by kind of work.
        interrupted: the run ended before its plan did.
        sha256: hex digest of the bytes of the CSV.
    """

    schema: str = SCHEMA
    plan: Plan
    machine: dict[str, Any]
    order: tuple[tuple[str, ...], ...] = ()
    notes: tuple[Note, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False
    sha256: str = ""


def write_sidecar(csv: Path, sidecar: Sidecar) -> Path:
    """Write ``sidecar`` beside ``csv``, with the digest of ``csv`` as it stands; return its path.

    Raises:
        OutputError: ``csv`` cannot be read or the sidecar not be written.
    """
    path = sidecar_path(csv)
    whole = dump(replace(sidecar, sha256=_digest(csv)))
    atomic_write(path, json.dumps(whole, indent=1, allow_nan=False).encode("ascii") + b"\n")
    return path


def read_sidecar(csv: Path) -> Sidecar | None:
    """The sidecar of ``csv``, or None where there is none.

    Raises:
        SchemaError: there is one, and it cannot be read.
    """
    path = sidecar_path(csv)
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SchemaError(f"cannot read {shown(path)}: {error.strerror or error}") from None
    except ValueError:
        raise SchemaError(f"{shown(path)} is not JSON") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        family = isinstance(schema, str) and schema.partition("/")[0] == SCHEMA.partition("/")[0]
        raise SchemaError(
            f"{shown(path)} is not a {SCHEMA}" + (f" but a {schema:.40}" if family else ""),
            "upgrade membench" if family else "",
        )
    try:
        return load(Sidecar, data)
    except SchemaError as error:
        raise SchemaError(f"{shown(path)}: {error}") from None


def verify_sha256(csv: Path, sidecar: Sidecar) -> bool:
    """``csv`` is byte for byte what the run wrote.

    Raises:
        OutputError: ``csv`` cannot be read.
    """
    return _digest(csv) == sidecar.sha256


def _digest(csv: Path) -> str:
    try:
        with csv.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OutputError(f"cannot read {shown(csv)}: {error.strerror or error}") from None
