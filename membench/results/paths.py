"""The paths of a run's files, and the check that membench can write these files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from membench.core.errors import OutputError
from membench.core.files import output_error, probe, shown, taken
from membench.core.text import shell_word


def default_path(results: Path, machine: str, started: str, profile: str) -> Path:
    """``<results>/<machine>/<UTC>_<profile>.csv``; UTC is the time ``started``, ISO 8601 with Z."""
    stamp = started.partition(".")[0].rstrip("Z").replace("-", "").replace(":", "")
    return results / machine / f"{stamp}Z_{profile}.csv"


def unused_path(csv: Path) -> Path:
    """The first of ``NAME.csv``, ``NAME_2.csv``, ... that has no CSV, sidecar or journal yet."""
    number, path = 1, csv
    while any(os.path.lexists(one) for one in (path, sidecar_path(path), journal_path(path))):
        number += 1
        path = with_mark(csv, f"_{number}")
    return path


def with_mark(csv: Path, mark: str) -> Path:
    """Insert ``mark`` before the suffix ``.csv``; append ``mark`` to a name without this suffix."""
    stem = _stem(csv)
    return csv.with_name(f"{stem}{mark}{csv.name[len(stem) :]}")


def sidecar_path(csv: Path) -> Path:
    return csv.with_name(f"{_stem(csv)}.json")


def journal_path(csv: Path) -> Path:
    return csv.with_name(f"{_stem(csv)}.journal")


def has_journal(csv: Path) -> bool:
    """Whether the journal of ``csv`` exists; a broken link counts as a journal."""
    path = journal_path(csv)
    return path.exists() or path.is_symlink()


def _stem(csv: Path) -> str:
    """The file name without ``.csv``. Another suffix stays, as in ``run.v1``."""
    return csv.name[:-4] if csv.suffix.lower() == ".csv" else csv.name


@contextmanager
def new_directory(csv: Path) -> Iterator[None]:
    """Remove parent directories of ``csv`` that the ``with`` block created but left empty.

    Raises:
        OutputError: ``csv`` is a relative path, and the working directory has been deleted.
    """
    try:
        parents = csv.absolute().parents
    except OSError as error:
        raise output_error(csv, error) from None
    missing = [place for place in parents if not place.exists()]
    try:
        yield
    finally:
        for place in missing:
            with suppress(OSError):
                place.rmdir()


def check_output(csv: Path) -> None:
    """Create the directory of ``csv``, and check that a run can write new files there.

    Raises:
        OutputError: the CSV, its sidecar or its journal exists or cannot be written.
    """
    try:
        csv.parent.mkdir(parents=True, exist_ok=True)
        check_unused(csv)
        probe(csv.parent)
    except FileExistsError:  # mkdir raises this if a parent is a file
        parent = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        raise output_error(csv, parent) from None
    except (OSError, ValueError) as error:
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise output_error(csv, cause) from None


def check_unused(csv: Path) -> None:
    """Check that ``csv``, its sidecar and its journal do not exist.

    Raises:
        OutputError: one of the three exists, or cannot exist.
    """
    if csv.name in ("", ".."):
        raise OutputError(
            f"{shown(csv)} is a directory", f"name a file: -o {shell_word(csv / 'run.csv')}"
        )
    for path in (csv, sidecar_path(csv), journal_path(csv)):
        _refuse_existing(csv, path)


def _refuse_existing(csv: Path, path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:  # a parent is a file, or the name is too long
        raise output_error(csv, error) from None
    name = shown(path)
    if stat.S_ISDIR(mode):
        raise OutputError(
            f"{name} is a directory", f"name a file: -o {shell_word(csv / 'run.csv')}"
        )
    if not stat.S_ISREG(mode):
        raise OutputError(f"{name} is not a regular file", "give -o a new file name")
    if journal_path(csv).is_file():
        raise OutputError(
            f"{name} exists: its run was interrupted, or is still going on",
            f"continue an interrupted run with --resume {shell_word(csv)}; otherwise, give -o a "
            "new file name",
        )
    raise taken(path)
