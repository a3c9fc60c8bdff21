"""Write the journal of a run.

Each record is synced to disk before the next case starts. So if the machine dies, at most the
result of the current case is lost.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from membench.core.errors import JournalError, OutputError
from membench.core.files import give_name, nameless, output_error, shown, sync_directory, write_all
from membench.core.plain import dump
from membench.results.case_result import CaseResult
from membench.results.journal.reading import (
    SCHEMA,
    Contents,
    JournalEvent,
    read_journal,
    refuse_link,
    unreadable,
)
from membench.results.plan import Plan

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Journal:
    """An open journal, locked against other processes if the filesystem has locks.

    Attributes:
        restored: whether `keep` had to write the file again.
    """

    def __init__(self, path: Path, descriptor: int, length: int) -> None:
        self.path = path
        self.restored = False
        self._descriptor = descriptor
        self._length = length

    @classmethod
    def create(cls, path: Path, plan: Plan, machine: Mapping[str, Any]) -> Self:
        """Start the journal of ``plan`` at ``path``, which must not exist.

        Raises:
            JournalError: the journal exists already.
            OutputError: ``path`` cannot be written; no incomplete file remains.
        """
        try:
            descriptor = nameless(path.parent, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise output_error(path, error) from None
        named = descriptor is None
        journal = cls(path, _new(path) if descriptor is None else descriptor, 0)
        try:
            _lock(path, journal._descriptor)
            journal._write({"schema": SCHEMA, "plan": dump(plan), "machine": dump(machine)})
            if not named:  # give the file its name only after the plan was written
                _name(path, journal._descriptor)
                named = True
            sync_directory(path.parent)
        except BaseException as error:
            if named:
                journal.remove()
            journal.close()
            if isinstance(error, OSError):
                raise output_error(path, error) from None
            raise
        return journal

    @classmethod
    def resume(cls, path: Path) -> tuple[Self, Contents]:
        """Open the journal at ``path`` to continue its run; an incomplete last record is removed.

        Raises:
            JournalError: the journal cannot be read, is open in another process, has no plan, or is
                damaged.
            OutputError: the journal cannot be locked, or the incomplete record cannot be removed.
        """
        try:
            refuse_link(path)
            flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags)
        except OSError as error:
            raise unreadable(path, error) from None
        try:
            _lock(path, descriptor)
            contents = read_journal(path)
            os.ftruncate(descriptor, contents.length)
            os.fsync(descriptor)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise output_error(path, error) from None
            raise
        return cls(path, descriptor, contents.length), contents

    def append(self, unit: CaseResult) -> None:
        """Write ``unit`` as a record, and sync the journal to disk.

        Raises:
            OutputError: the record cannot be written.
        """
        self._append({"unit": dump(unit)})

    def keep(self) -> bool:
        """Write the journal again if somebody removed its file; return whether this was necessary.

        Raises:
            OutputError: the journal cannot be written, or another file has its name.
        """
        here = os.fstat(self._descriptor)
        try:
            if os.path.samestat(here, self.path.lstat()):
                return False
            raise OutputError(
                f"{shown(self.path)} was replaced by another file during the run",
                "start a new run with a file name that no other program uses: -o NEW.csv",
            )
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise output_error(self.path, error) from None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            data = os.pread(self._descriptor, here.st_size, 0)
            descriptor = nameless(self.path.parent, os.O_RDWR | os.O_APPEND)
            named = descriptor is None
            descriptor = _new(self.path) if descriptor is None else descriptor
            try:
                _lock(self.path, descriptor)
                write_all(descriptor, data)
                os.fsync(descriptor)
                if not named:
                    _name(self.path, descriptor)
                sync_directory(self.path.parent)
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise output_error(self.path, error) from None
        os.close(self._descriptor)
        self._descriptor = descriptor
        self.restored = True
        return True

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write a `JournalEvent` as a record, and sync the journal to disk.

        Raises:
            OutputError: the record cannot be written.
        """
        self._append({"note": dump(JournalEvent(kind, dict(data)))})

    def close(self) -> None:
        """Close the file and release the lock; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close and delete the journal; an error while deleting is ignored."""
        try:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
                sync_directory(self.path.parent)
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, record: Mapping[str, Any]) -> None:
        self.keep()
        self._write(record)

    def _write(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            # An incomplete record would damage the journal when the next record follows.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
                os.fsync(self._descriptor)
            reason = output_error(self.path, error)
            advice = "; ".join(filter(None, (reason.hint, "then continue the run with --resume")))
            raise OutputError(str(reason), advice) from None
        self._length += len(line)


def _new(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise output_error(path, error) from None


def _name(path: Path, descriptor: int) -> None:
    try:
        give_name(descriptor, path)
    except FileExistsError:
        raise _taken(path) from None


def _taken(path: Path) -> JournalError:
    return JournalError(
        f"{shown(path)} exists: its run was interrupted, or is still going on",
        "continue an interrupted run with --resume; otherwise, give -o a new file name",
    )


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalError(
            f"another run is writing {shown(path)}",
            "wait until the other run ends, or give -o a new file name",
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # measure even if the filesystem has no locks
            raise output_error(path, error) from None
