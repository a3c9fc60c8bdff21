"""The references that come with membench: runs of named machines, and published figures.

Each is a folder of results files with a ``README.md`` whose first line is its
title.  `results/README.md` has the rule of what may stand there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from membench.analysis.sources import Source, read_sources
from membench.core.errors import MembenchError, UsageError
from membench.core.terms import Status
from membench.core.text import ascii_line
from membench.results.reference_files import reference_root

PREFIX = "ref:"


@dataclass(frozen=True)
class Reference:
    """One reference.

    Attributes:
        name: of its folder; ``ref:NAME`` on the command line.
        title: one line.
    """

    name: str
    title: str
    sources: tuple[Source, ...]

    @property
    def label(self) -> str:
        """What it is called in a comparison."""
        return f"{PREFIX}{self.name}"

    @property
    def kind(self) -> str:
        """``cited``: figures that somebody published; ``measured``: runs of membench."""
        cited = all(row.backend == "cited" for source in self.sources for row in source.rows)
        return "cited" if cited else "measured"

    @property
    def devices(self) -> tuple[str, ...]:
        """What did the work, each once."""
        rows = (row for source in self.sources for row in source.rows)
        return tuple(dict.fromkeys(row.device for row in rows if row.device))

    @property
    def cases(self) -> int:
        """How many cases have a number."""
        rows = (row for source in self.sources for row in source.rows)
        return len({row.case for row in rows if row.status is Status.OK})


def reference_names() -> list[str]:
    """The names of the references, sorted."""
    root = reference_root()
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root else []


def find_reference(argument: str) -> Reference:
    """The reference ``ref:NAME``.

    Raises:
        UsageError: it is not of that form, or there is no such reference.
        SchemaError: one of its files cannot be read.
    """
    name = argument.removeprefix(PREFIX)
    if name == argument or name not in reference_names():
        known = ", ".join(PREFIX + one for one in reference_names()) or "none"
        raise UsageError(f"there is no reference '{argument}'", f"there are: {known}")
    return _read(name)


def references() -> Sequence[Reference]:
    """All of them, by name.

    Raises:
        SchemaError: one of their files cannot be read.
    """
    return [_read(name) for name in reference_names()]


def _read(name: str) -> Reference:
    root = reference_root()
    folder = (root or Path()) / name
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise MembenchError(f"the reference {name} has no results file", "install membench again")
    return Reference(name, _title(folder / "README.md"), tuple(read_sources(paths)))


def _title(readme: Path) -> str:
    try:
        with readme.open(encoding="utf-8") as file:
            return ascii_line(file.readline().lstrip("# "))
    except (OSError, ValueError):
        return ""
