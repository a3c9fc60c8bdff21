"""The ledger of a fleet run: a JSON file with the state of each host.

With the ledger, `membench fleet run --resume` can continue a fleet run that was killed.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path, PurePosixPath

from membench.core.errors import MembenchError, SchemaError
from membench.core.files import atomic_write, shown
from membench.core.plain import dump, load
from membench.core.record import record
from membench.core.untrusted import MAX_JSON, parse_json, read_bytes

SCHEMA = "membench.fleet/1"
SUFFIX = ".fleet.json"
_WRITTEN = "restore the file that membench fleet run wrote, or remove the file"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")


class HostState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ARRIVED = "arrived"  # its results were copied here and checked
    FAILED = "failed"
    MISSING = "missing"  # no worker from this host connected


@record
class Host:
    """A host of a fleet run, with the state of its measurement.

    Attributes:
        name: name of the host and of its results directory, and value of the column `machine`.
        detail: the last event or message; one line of ASCII.
        csv: results file, relative to the ledger's directory; empty until the file was copied.
        failed_cases: number of `failed` rows.
        attempts: number of attempts to measure the host since the start or the last resumption of
            the fleet run.
    """

    name: str
    state: HostState = HostState.WAITING
    detail: str = ""
    csv: str = ""
    failed_cases: int = 0
    attempts: int = 0


@record
class FleetLedger:
    """The hosts and the arguments of a fleet run.

    Attributes:
        fleet_id: ``<UTC>-<4 hexadecimal digits>``.
        arguments: arguments of ``membench run`` on each host.
        per: ``host``, or ``worker`` if each worker counts as a host.
        directory: directory on each host for its journal and results; empty for the default.
    """

    fleet_id: str
    arguments: tuple[str, ...]
    hosts: tuple[Host, ...]
    per: str = "host"
    directory: str = ""
    schema: str = SCHEMA

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def of_state(self, *states: HostState) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.state in states)


def ledger_path(directory: Path, fleet_id: str) -> Path:
    return directory / f"{fleet_id}{SUFFIX}"


def write_ledger(directory: Path, ledger: FleetLedger) -> None:
    """Write ``ledger`` to its file in ``directory``.

    Raises:
        OutputError: the file cannot be written.
    """
    data = json.dumps(dump(ledger), indent=1, allow_nan=False).encode("ascii") + b"\n"
    atomic_write(ledger_path(directory, ledger.fleet_id), data)


def latest_ledger(directory: Path) -> FleetLedger | None:
    """Read the ledger of the newest fleet run in ``directory``; None if no ledger exists.

    Raises:
        SchemaError: the ledger cannot be read or is invalid.
    """
    names = sorted(path.name for path in directory.glob(f"*{SUFFIX}"))
    return read_ledger(directory / names[-1]) if names else None


def read_ledger(path: Path) -> FleetLedger:
    """Read and check the ledger at ``path``.

    Raises:
        SchemaError: the ledger cannot be read or is invalid; the message names the file.
    """
    try:
        data = parse_json(read_bytes(path, MAX_JSON))
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise SchemaError(f"the schema is not {SCHEMA}")
        ledger = load(FleetLedger, data)
        _check(ledger)
    except ValueError:
        raise SchemaError(f"{shown(path)} is not JSON", _WRITTEN) from None
    except MembenchError as error:
        raise SchemaError(f"{shown(path)}: {error}", error.hint or _WRITTEN) from None
    return ledger


def _check(ledger: FleetLedger) -> None:
    if not _ID.fullmatch(ledger.fleet_id):
        raise SchemaError("the fleet_id is invalid")
    if len({host.name for host in ledger.hosts}) != len(ledger.hosts):
        raise SchemaError("the ledger lists a host twice")
    for host in ledger.hosts:
        path = PurePosixPath(host.csv)
        if path.is_absolute() or ".." in path.parts:
            raise SchemaError("a results file is outside the directory of the ledger")
