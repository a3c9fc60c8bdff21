"""Finds benches, and selects cases by glob.

Benches are searched in every module below the scanned package, and in every module that another
distribution names in the entry-point group ``membench.benches``. No bench registers itself.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from membench.core.case import Bench, Case
from membench.core.errors import NothingMatched, UsageError
from membench.core.near import MOST, asked_back, nearest
from membench.core.record import record
from membench.core.snapshot import Machine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "membench.benches"


@record
class Registry:
    """The benches by name, and one line for each plug-in that could not be loaded."""

    benches: Mapping[str, Bench]
    problems: tuple[str, ...] = ()

    def cases(
        self, profile: str, machine: Machine, settings: Iterable[str] = ()
    ) -> tuple[Case, ...]:
        """All cases of ``profile`` on ``machine``, in the order of the benches.

        Args:
            settings: texts ``BENCHGLOB:KEY=VALUE``, each of which fixes an axis to one value.

        Raises:
            UsageError: a setting is malformed, or its axis cannot have that value.
            NothingMatched: a setting leaves no case in the profile.
        """
        benches = dict(self.benches)
        chosen = [self._set(text, benches, machine) for text in settings]
        found = {name: tuple(one.cases(profile, machine)) for name, one in benches.items()}
        for text, names in zip(settings, chosen, strict=True):
            if not any(found[name] for name in names):
                raise NothingMatched(
                    f"--set {text}: the {profile} profile has no such case",
                    f"its benches are {', '.join(names)}: --profile full may have them",
                )
        return tuple(case for cases in found.values() for case in cases)

    @staticmethod
    def _set(text: str, benches: dict[str, Bench], machine: Machine) -> tuple[str, ...]:
        """Apply one setting to ``benches``; return the names of the benches that have its axis."""
        pattern, colon, rest = text.rpartition(":")
        key, equals, value = rest.partition("=")
        if not (pattern and colon and key and equals and value):
            raise UsageError(
                f"'{text}' is not a setting", "write BENCHGLOB:KEY=VALUE, such as 'ddr/*:size=4GiB'"
            )
        named = [one for one in benches.values() if matches(one.name, pattern)]
        if not named:
            raise NothingMatched(f"no bench matches '{pattern}'", near(pattern, benches))
        having = [one for one in named if any(axis.name == key for axis in one.axes)]
        if not having:
            axes = dict.fromkeys(axis.name for one in named for axis in one.axes)
            raise UsageError(
                f"no bench that matches '{pattern}' has {key}=",
                f"their axes are {', '.join(axes) or 'none'}",
            )
        for one in having:
            benches[one.name] = one.holding(key, value, machine)
        return tuple(one.name for one in having)

    def case(self, case_id: str, machine: Machine) -> Case | None:
        """The case with this complete id, in a profile or not; None if the id is incomplete.

        Raises:
            UsageError: a part of the id names an unknown axis or an invalid value.
        """
        found = self.benches.get(case_id.partition("=")[0].rpartition("/")[0])
        if found is None or any(sign in case_id for sign in "*?["):
            return None
        return found.asked(case_id, machine)


def scan(package: ModuleType) -> Registry:
    """Find the benches in all modules below ``package`` and in plug-ins."""
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
                    problems.append(f"plug-in '{entry.name}': bench '{found.name}' already exists")
                else:
                    benches[found.name] = found
        except Exception as error:  # a plug-in may raise anything
            problems.append(
                f"plug-in '{entry.name}' cannot be loaded: {type(error).__name__}: {error}"
            )
    # Sorted by prefix; within one prefix the order of declaration is kept, such as STREAM's.
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
    """The entry points of the group, sorted by name.

    Importing `importlib.metadata` takes as long as importing click, so it is imported only if a
    distribution mentions the group or has metadata that cannot be read directly.
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
    """Whether the glob ``pattern`` matches the id, or a prefix of the id that ends before a ``/``.

    ``*`` crosses slashes: ``ddr``, ``ddr/*``, ``ddr/copy`` and ``*/threads=1/*`` all work.
    """
    pattern = pattern.rstrip("/")
    return fnmatchcase(case_id, pattern) or fnmatchcase(case_id, f"{pattern}/*")


def near(pattern: str, ids: Iterable[str]) -> str:
    """A hint for a glob that matches none of ``ids``: similar globs that do match.

    A suggestion is an id, a bench name or a prefix, followed by the glob's own ending.
    """
    known = dict.fromkeys(ids)
    benches = dict.fromkeys(
        one.partition("=")[0].rpartition("/")[0] if "=" in one else one for one in known
    )
    prefixes = dict.fromkeys(one.partition("/")[0] for one in known)
    found: list[str] = []
    if "=" in pattern:
        bench = pattern.partition("=")[0].rpartition("/")[0]
        own = [one for one in known if one.startswith(f"{bench}/")]
        found = nearest(pattern, own or known) or own[:MOST]
    if not found:
        stem = pattern.rstrip("/*")
        ending = pattern[len(stem) :]
        stems = nearest(stem, [*prefixes, *benches])
        found = [f"{one}{ending}" for one in stems]
    return asked_back(found) or "membench list names the cases; '*' also matches slashes"


def choose(
    cases: Iterable[Case],
    select: Iterable[str],
    skip: Iterable[str],
    whole: Callable[[str], Case | None] = lambda _: None,
) -> tuple[Case, ...]:
    """The cases that match any of ``select`` (all cases if it is empty) and none of ``skip``.

    They are ordered by selector, then as in ``cases``.

    Args:
        whole: finds the case with a complete id that is not in ``cases``.

    Raises:
        NothingMatched: a selector matches no case, or nothing is left.
    """
    cases = tuple(cases)
    chosen: dict[str, Case] = {}
    for pattern in tuple(select) or ("*",):
        found = [case for case in cases if matches(case.id, pattern)]
        if not found and (asked := whole(pattern)) is not None:
            found = [asked]
        if not found:
            ids = (case.id for case in cases)
            raise NothingMatched(f"no case matches '{pattern}'", near(pattern, ids))
        chosen |= {case.id: case for case in found if case.id not in chosen}
    skip = tuple(skip)
    left = tuple(
        case for case in chosen.values() if not any(matches(case.id, pattern) for pattern in skip)
    )
    if not left:
        raise NothingMatched("--skip leaves no case", "skip fewer cases, or select more")
    return left
