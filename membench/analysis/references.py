"""The references that membench contains: runs of named machines, and published figures.

A reference is a folder of results files with a ``README.md``, whose first line is the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from membench.analysis.sources import Source, read_sources
from membench.core.record import record
from membench.core.terms import Status
from membench.core.text import ascii_line
from membench.core.untrusted import MAX_TOML, parse_toml, read_bytes
from membench.results.reference_files import (
    PREFIX,
    reference_name,
    reference_names,
    reference_paths,
    reference_root,
)

FIGURES = "figures.toml"


@record
class Reference:
    """A reference: results of a named machine, or published figures.

    Attributes:
        title: one line that describes the reference.
        devices_named: names of the GPU, processor or disk that the figures describe, as the system
            reports the names.
        sockets: number of processor sockets that the figures describe; None if irrelevant.
    """

    name: str
    title: str
    sources: tuple[Source, ...]
    devices_named: tuple[str, ...] = ()
    sockets: int | None = None

    @property
    def label(self) -> str:
        return f"{PREFIX}{self.name}"

    @property
    def kind(self) -> str:
        """``cited`` for published figures, ``measured`` for runs of membench."""
        cited = all(row.backend == "cited" for source in self.sources for row in source.rows)
        return "cited" if cited else "measured"

    @property
    def devices(self) -> tuple[str, ...]:
        rows = (row for source in self.sources for row in source.rows)
        return tuple(dict.fromkeys(row.device for row in rows if row.device))

    @property
    def cases(self) -> int:
        """Number of cases with a value."""
        rows = (row for source in self.sources for row in source.rows)
        return len({row.case for row in rows if row.status is Status.OK})


def find_reference(argument: str) -> Reference:
    """Read the reference NAME; ``argument`` is ``ref:NAME``.

    Raises:
        UsageError: ``argument`` is not of the form ``ref:NAME``, or no reference has this name.
        SchemaError: a file of the reference cannot be read.
    """
    return _read(reference_name(argument))


def references() -> Sequence[Reference]:
    """Read all references, in the order of their names."""
    return [_read(name) for name in reference_names()]


def references_of(
    devices: Iterable[str], sockets: int | None, found: Iterable[Reference]
) -> tuple[Reference, ...]:
    """The references in ``found`` that name at least one of ``devices``.

    Args:
        devices: device names from results files.
        sockets: number of sockets of the machine; None if unknown. References for any other number
            of sockets are left out.
    """
    several = tuple(devices)
    return tuple(
        one
        for one in found
        if (one.sockets is None or one.sockets == sockets)
        and any(_is_named(name, device) for name in one.devices_named for device in several)
    )


def _is_named(name: str, device: str) -> bool:
    """Whether the device of a row is the device ``name`` of a reference.

    - For a GPU or a processor, the names must be equal except for upper and lower case, the clock
      frequency and a last word ``CPU``.
    - For a disk, ``device`` must contain ``name`` in parentheses. The size of the disk may follow
      in the parentheses.
    """
    model = device.partition(" @ ")[0].removesuffix(" CPU")
    within = re.search(rf"\({re.escape(name)}[ )]", device, re.IGNORECASE)
    return model.lower() == name.lower() or within is not None


def _read(name: str) -> Reference:
    folder = (reference_root() or Path()) / name
    names, sockets = _identity(folder / FIGURES)
    sources = tuple(read_sources(reference_paths(name)))
    return Reference(name, _title(folder / "README.md"), sources, names, sockets)


def _identity(figures: Path) -> tuple[tuple[str, ...], int | None]:
    """The device names and the number of sockets in the file ``figures``, which may be missing."""
    if not figures.is_file():
        return (), None
    content = parse_toml(read_bytes(figures, MAX_TOML, text=True))
    return tuple(map(ascii_line, content.get("names", ()))), content.get("sockets")


def _title(readme: Path) -> str:
    try:
        with readme.open(encoding="utf-8") as file:
            return ascii_line(file.readline().lstrip("# "))
    except (OSError, ValueError):
        return ""
