"""Import files and whole folders, and determine the origin of each file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from membench.core.errors import SchemaError
from membench.core.untrusted import MAX_TOML, read_bytes
from membench.results.formats import Importer
from membench.results.formats.figures import Origin, slug
from membench.results.formats.recognise import MAX_BYTES
from membench.results.schema import Row


@dataclass
class Intake:
    """The result of importing several files.

    Attributes:
        unplaced: description of content that gave no row -> number of occurrences.
        notes: note for the user -> number of files.
        refused: file that could not be read -> the reason.
    """

    rows: list[Row] = field(default_factory=list)
    unplaced: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    refused: dict[Path, str] = field(default_factory=dict)


def origin_of(tool: str, path: Path, data: bytes, given: Mapping[str, str]) -> Origin:
    """Determine the origin of the file ``path`` with the content ``data``.

    The run id depends on the time and the content of the file. So importing a file twice gives the
    same run.

    Raises:
        SchemaError: the time of the file cannot be read.
    """
    try:
        written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except (OSError, ValueError, OverflowError):
        raise SchemaError("the file cannot be read", "check that the file still exists") from None
    digest = hashlib.sha256(data).hexdigest()
    return Origin(
        tool=tool,
        run_id=f"{written:%Y%m%dT%H%M%SZ}-{digest[:8]}",
        machine=slug(given.get("machine", "")) or f"{tool}-{digest[:6]}",
        started=f"{written:%Y-%m-%dT%H:%M:%SZ}",
        given=given,
    )


def take(
    tool: str, read: Importer, paths: Iterable[Path], given: Mapping[str, str], intake: Intake
) -> None:
    """Read the files and folders ``paths`` with ``read``, and add the results to ``intake``.

    An unreadable file in a folder does not end the import. A file with the content of an earlier
    file is ignored.

    Raises:
        SchemaError: a file that the user named cannot be read. The message does not contain the
            path; the path is the last key of ``intake.refused``.
        UsageError: ``given`` lacks a fact that ``read`` needs, or has a wrong value for a fact.
    """
    contents: set[int] = set()
    for path, named in _files(paths):
        try:
            data = read_bytes(path, MAX_TOML if tool == "cited" else MAX_BYTES, pipe=named)
            if hash(data) in contents:
                intake.notes[
                    "a file was ignored, because an earlier file has the same content"
                ] += 1
                continue
            found = read(data, origin_of(tool, path, data, given))
        except SchemaError as error:
            intake.refused[path] = str(error)
            if named:
                raise
            continue
        contents.add(hash(data))
        intake.rows += found
        intake.unplaced.update(found.unplaced)
        intake.notes.update(found.notes)


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield (file, whether the user named the file); the files of a folder are sorted.

    In folders, symbolic links and files whose names begin with a dot are left out.
    """
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink() and not file.name.startswith("."):
                yield file, False
