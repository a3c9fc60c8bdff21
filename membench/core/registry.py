"""Finding benches, and choosing cases by glob.

Benches are found by themselves: every module below the package that is scanned,
and every module that another distribution names under the entry-point group
``membench.benches``.  There is no global list that an import would fill.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from membench.core.case import Bench, Case
from membench.core.errors import NothingMatched
from membench.core.snapshot import Machine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "membench.benches"


@dataclass(frozen=True)
class Registry:
    """The benches by name, and a line for every plug-in that could not be loaded."""

    benches: Mapping[str, Bench]
    problems: tuple[str, ...] = ()

    def cases(self, profile: str, machine: Machine) -> tuple[Case, ...]:
        """All cases of ``profile`` on ``machine``, in the order of the benches."""
        return tuple(
            case for bench in self.benches.values() for case in bench.cases(profile, machine)
        )


def scan(package: ModuleType) -> Registry:
    """The benches of every module below ``package``, and those of plug-ins."""
    benches: dict[str, Bench] = {}
    for module in _modules_below(package):
        for found in benches_of(module):
            if found.name in benches:
                raise ValueError(f"two benches are named '{found.name}'")
            benches[found.name] = found
    problems: list[str] = []
    for entry in _plug_ins():
        try:
            for found in benches_of(entry.load()):
                if found.name in benches:
                    problems.append(f"plug-in '{entry.name}': bench '{found.name}' exists already")
                else:
                    benches[found.name] = found
        except Exception as error:  # somebody else's code: name it and go on without it
            problems.append(
                f"plug-in '{entry.name}' does not load: {type(error).__name__}: {error}"
            )
    # By prefix, and within one as declared: STREAM's kernels keep STREAM's order.
    ordered = sorted(benches.items(), key=lambda item: item[0].partition("/")[0])
    return Registry(dict(ordered), tuple(problems))


def benches_of(module: ModuleType) -> tuple[Bench, ...]:
    """The benches that ``module`` declares, in the order of their definition."""
    return tuple(
        value
        for value in vars(module).values()
        if isinstance(value, Bench) and value.function.__module__ == module.__name__
    )


def _plug_ins() -> Sequence[EntryPoint]:
    """The entry points of the group, by name.

    `importlib.metadata` takes as long to import as click.  So it is only asked
    where some distribution names the group at all, or cannot be looked into.
    """
    if not any(_may_have_plug_ins(Path(place or ".")) for place in sys.path):
        return ()
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)


def _may_have_plug_ins(place: Path) -> bool:
    try:
        if not place.is_dir():
            return place.exists()  # an archive
        group = f"[{ENTRY_POINT_GROUP}]"
        return any(
            group in file.read_text("utf-8") for file in place.glob("*-info/entry_points.txt")
        )
    except (OSError, UnicodeDecodeError):
        return True


def _modules_below(package: ModuleType) -> Iterator[ModuleType]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    for name in sorted(info.name for info in found if not info.ispkg):
        if not name.rpartition(".")[2].startswith("_"):
            yield importlib.import_module(name)


def matches(case_id: str, pattern: str) -> bool:
    """``pattern`` is a glob for the id, or for the part of it before some ``/``.

    ``*`` crosses slashes: ``ddr``, ``ddr/*``, ``ddr/copy`` and ``*/threads=1/*`` all work.
    """
    pattern = pattern.rstrip("/")
    return fnmatchcase(case_id, pattern) or fnmatchcase(case_id, f"{pattern}/*")


def choose(cases: Iterable[Case], select: Iterable[str], skip: Iterable[str]) -> tuple[Case, ...]:
    """The cases that match any of ``select`` (all where it is empty) and none of ``skip``.

    The order is that of the selectors, and within one that of ``cases``.

    Raises:
        NothingMatched: a selector matches no case, or nothing is left.
    """
    cases = tuple(cases)
    chosen: dict[str, Case] = {}
    for pattern in tuple(select) or ("*",):
        found = [case for case in cases if matches(case.id, pattern)]
        if not found:
            raise NothingMatched(
                f"no case matches '{pattern}'", "membench list names the cases; '*' crosses slashes"
            )
        chosen |= {case.id: case for case in found if case.id not in chosen}
    skip = tuple(skip)
    left = tuple(
        case for case in chosen.values() if not any(matches(case.id, pattern) for pattern in skip)
    )
    if not left:
        raise NothingMatched("--skip leaves no case", "skip less, or select more")
    return left
