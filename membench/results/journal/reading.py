"""Read a journal: JSON lines with the plan, and then case results and events."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any

from membench.core.errors import JournalError, MembenchError, SchemaError
from membench.core.files import shown
from membench.core.plain import load
from membench.core.record import record
from membench.core.untrusted import parse_json, read_bytes
from membench.results.case_result import CaseResult
from membench.results.plan import Plan
from membench.results.plan_check import check

SCHEMA = "membench.journal/1"
MAX_BYTES = 512 << 20


@record
class JournalEvent:
    """An event of a run that is not a case result, such as the start of a round."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@record
class Contents:
    """The content of a journal.

    Attributes:
        units: the case results in the order of the journal; for each case and round, only the last
            result.
        machine: the machine snapshot, as plain data.
        length: number of bytes of the complete records.
    """

    plan: Plan
    machine: dict[str, Any]
    units: tuple[CaseResult, ...] = ()
    notes: tuple[JournalEvent, ...] = ()
    length: int = 0


def read_journal(path: Path) -> Contents:
    """Read the journal at ``path``, without an incomplete last record.

    Raises:
        JournalError: the journal cannot be read, has no plan or is damaged.
    """
    refuse_link(path)
    if not path.exists():
        raise unreadable(path, FileNotFoundError())
    try:
        data = read_bytes(path, MAX_BYTES)
    except SchemaError as error:
        raise JournalError(f"{shown(path)}: {error}", error.hint) from None
    lines = data.split(b"\n")[:-1]
    records: list[dict[str, Any]] = []
    length = 0
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(line))
        except ValueError:
            if number == len(lines) and records:
                break
            raise _damaged(path, number, "the line is not a JSON object") from None
        length += len(line) + 1
    if not records:
        raise JournalError(
            f"{shown(path)} has no plan: the run ended before it wrote the plan",
            "delete the file and start a new run",
        )
    return _contents(path, records, length)


def _record(line: bytes) -> dict[str, Any]:
    record = parse_json(line)
    if not isinstance(record, dict):
        raise ValueError(line)  # noqa: TRY004  # read_journal() treats it like broken JSON
    return record


def _contents(path: Path, records: list[dict[str, Any]], length: int) -> Contents:
    head = records[0]
    schema = head.get("schema")
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith(SCHEMA.partition("/")[0] + "/"):
            raise JournalError(
                f"{shown(path)} is a {schema:.40}, which this version of membench cannot read",
                "resume the run with the version of membench that started the run",
            )
        raise JournalError(
            f"{shown(path)} is not a journal of membench",
            "give --resume the name of the results file of the interrupted run",
        )
    loaded = [_loaded(path, number, record) for number, record in enumerate(records, start=1)]
    start = loaded[0]
    units: dict[tuple[int, str], CaseResult] = {}
    for one in loaded:
        if isinstance(one, CaseResult):
            units.pop((one.round, one.case), None)
            units[one.round, one.case] = one
    notes = tuple(one for one in loaded if isinstance(one, JournalEvent))
    if not isinstance(start, _Head):
        raise _damaged(path, 1, "the line has no plan")
    return Contents(start.plan, start.machine, tuple(units.values()), notes, length)


@record
class _Head:
    plan: Plan
    machine: dict[str, Any]


def _loaded(
    path: Path, number: int, record: dict[str, Any]
) -> _Head | CaseResult | JournalEvent | None:
    """Load the record of line ``number``; None if only a newer membench knows its kind."""
    try:
        if "plan" in record:
            head = load(_Head, record)
            check(head.plan)
            return head
        if "unit" in record:
            return load(CaseResult, record["unit"])
        return load(JournalEvent, record["note"]) if "note" in record else None
    except SchemaError as error:
        raise _damaged(path, number, str(error)) from None


def _damaged(path: Path, line: int, reason: str) -> MembenchError:
    return JournalError(
        f"{shown(path)} is damaged at line {line}: {reason}",
        "start a new run with a new file name: -o NEW.csv",
    )


def refuse_link(path: Path) -> None:
    """Reject a symbolic link: removing the journal would remove the link instead of the file.

    Raises:
        JournalError: ``path`` is a symbolic link.
    """
    if path.is_symlink():
        raise JournalError(
            f"{shown(path)} is a symbolic link, but a journal must be a regular file",
            "give --resume the results file beside the real journal",
        )


def unreadable(path: Path, error: OSError) -> JournalError:
    if isinstance(error, FileNotFoundError):
        return JournalError(
            f"there is no {shown(path)}, so there is nothing to resume",
            "give --resume the name of the results file of a run that was interrupted",
        )
    return JournalError(
        f"cannot read {shown(path)}: {error.strerror or error}",
        "check the permissions of the file",
    )
