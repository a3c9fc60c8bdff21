"""Check the untrusted files that a host returns, and store the valid files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membench.core.errors import MembenchError, SchemaError
from membench.core.files import output_error, taken, write_together
from membench.core.terms import Status
from membench.core.text import ascii_line
from membench.core.units import about_size
from membench.fleet.task import MAX_FILE
from membench.results.paths import check_output, default_path, sidecar_path
from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows

DONE = (0, 3)
"""Exit codes of a complete run: 0 if no case failed, 3 if some cases failed."""


@dataclass(frozen=True)
class Arrived:
    """The stored results of a host.

    Attributes:
        csv: path, relative to the directory of the fleet run.
        failed: number of rows with the status `failed`.
    """

    csv: Path
    rows: int
    failed: int


def keep(directory: Path, host: str, reply: Any) -> Arrived:
    """Write the files in the answer ``reply`` to ``directory/host``, if all files are valid.

    Raises:
        MembenchError: the run failed, a file is invalid, the directory already has another file of
            the same name, or a write failed. Nothing is stored then.
    """
    code, csv, sidecar = _parts(reply)
    if code not in DONE:
        raise MembenchError(_failure(code, reply))
    try:
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=directory) as folder:
            incoming = Path(folder) / "results.csv"
            incoming.write_bytes(csv)
            sidecar_path(incoming).write_bytes(sidecar)
            try:
                started, profile, rows, failed = _checked(incoming, host)
            except SchemaError as error:
                said = str(error).replace(f"{folder}/", "")
                raise SchemaError(f"the host's answer is invalid: {said}", error.hint) from None
    except OSError as error:
        raise output_error(directory, error) from None
    target = default_path(directory, host, started, profile)
    if not _is_there(target, csv):
        check_output(target)
        try:
            write_together([(sidecar_path(target), sidecar), (target, csv)], replace=False)
        except FileExistsError:
            raise taken(target) from None
    return Arrived(target.relative_to(directory), rows, failed)


def _is_there(target: Path, csv: bytes) -> bool:
    # An earlier client may have stored the results, and died before it wrote the ledger.
    try:
        return target.read_bytes() == csv and sidecar_path(target).is_file()
    except OSError:
        return False


def _parts(reply: Any) -> tuple[int, bytes, bytes]:
    if not isinstance(reply, dict):
        raise SchemaError("the host's answer is invalid: the exit code or a file is missing")
    code, csv, sidecar = (reply.get(name) for name in ("code", "csv", "sidecar"))
    if not (isinstance(code, int) and isinstance(csv, bytes) and isinstance(sidecar, bytes)):
        raise SchemaError("the host's answer is invalid: the exit code or a file is missing")
    if max(len(csv), len(sidecar)) > MAX_FILE:
        raise SchemaError(
            f"the host's answer is invalid: a file is larger than {about_size(MAX_FILE)}"
        )
    return code, csv, sidecar


def _failure(code: int, reply: dict[str, Any]) -> str:
    errors = reply.get("errors")
    said = ascii_line(errors)[:400].strip() if isinstance(errors, str) else ""
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the run ended with {ended}{': ' if said else ''}{said.removeprefix('Error: ')}"


def _checked(csv: Path, host: str) -> tuple[str, str, int, int]:
    """Check the run in ``csv``; return start time, profile, count of rows, count of failed rows."""
    rows = read_rows(csv)
    sidecar = read_sidecar(csv)
    if not rows or sidecar is None:
        raise SchemaError("the CSV has no rows, or the JSON is missing")
    if {row.machine for row in rows} != {host}:
        raise SchemaError(f"the results belong to a machine other than {host}")
    if {row.run_id for row in rows} != {sidecar.plan.run_id}:
        raise SchemaError("the CSV and the JSON belong to different runs")
    if not verify_sha256(csv, sidecar):
        raise SchemaError("the CSV was changed after its run")
    if sidecar.interrupted:
        raise SchemaError("the results are from an interrupted run")
    plan = sidecar.plan
    if plan.profile not in {"quick", "full"} or not _is_stamp(plan.started):
        raise SchemaError("the plan in the JSON has no valid time or profile")
    failed = sum(row.status is Status.FAILED for row in rows)
    return plan.started, plan.profile, len(rows), failed


def _is_stamp(text: str) -> bool:
    """Whether ``text`` can be part of a file name, with only digits and separators of ISO 8601."""
    return 0 < len(text) <= 32 and not set(text) - set("0123456789-:.TZ")
