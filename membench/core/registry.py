"""Find all benches, and select cases by glob.

`scan` looks for benches in the modules below a package and in plug-ins: modules that other
distributions list in the entry-point group ``membench.benches``. Below the package, it leaves out
modules with a leading underscore.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from membench.core.case import PROFILES, Bench, Case
from membench.core.errors import NothingMatched, UsageError
from membench.core.globs import matches, near
from membench.core.record import record
from membench.core.snapshot import Machine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "membench.benches"


@record
class Registry:
    """All benches by name, and a message for each problem with a plug-in."""

    benches: Mapping[str, Bench]
    problems: tuple[str, ...] = ()

    def cases(
        self, profile: str, machine: Machine, settings: Iterable[str] = ()
    ) -> tuple[Case, ...]:
        """All cases of ``profile`` on ``machine``, in the order of the benches.

        Args:
            settings: texts ``BENCHGLOB:KEY=VALUE``. Each text makes VALUE the only value of the
                axis KEY in the matching benches.

        Raises:
            UsageError: a setting is malformed, no matching bench has the axis, or the axis cannot
                have the value.
            NothingMatched: a setting matches no bench, or no case of the profile.
        """
        benches = dict(self.benches)
        chosen = [self._set(text, benches, machine) for text in settings]
        found = {name: tuple(one.cases(profile, machine)) for name, one in benches.items()}
        for text, names in zip(settings, chosen, strict=True):
            if not any(found[name] for name in names):
                raise NothingMatched(
                    f"--set {text}: the {profile} profile has no case with this value",
                    self._remedy(text, [benches[name] for name in names], profile, machine),
                )
        return tuple(case for cases in found.values() for case in cases)

    def _remedy(self, text: str, held: Sequence[Bench], profile: str, machine: Machine) -> str:
        """A hint for a setting ``text`` whose value no case of ``profile`` has.

        ``held`` are the benches that match ``text``, after the setting was applied.
        """
        for other in PROFILES:
            if other != profile and any(any(one.cases(other, machine)) for one in held):
                return f"the {other} profile has cases with this value: --profile {other}"
        setting = text.rpartition(":")[2]
        key = setting.partition("=")[0]
        known = (self.benches[one.name].cases(other, machine) for one in held for other in PROFILES)
        case = next(chain.from_iterable(known), None)
        if case is None:  # no value of the axis gives a case here
            return "membench list --profile full --all shows the cases; select other benches"
        parts = [part for part in case.id.split("/") if not part.startswith(f"{key}=")]
        return (
            "instead of --set, select the complete case id, which need not be in a profile: "
            f"--select {'/'.join([*parts, setting])}"
        )

    @staticmethod
    def _set(text: str, benches: dict[str, Bench], machine: Machine) -> tuple[str, ...]:
        """Apply the setting ``text`` to ``benches`` in place; return the changed benches' names."""
        pattern, colon, rest = text.rpartition(":")
        key, equals, value = rest.partition("=")
        if not (pattern and colon and key and equals and value):
            raise UsageError(
                f"--set '{text}' is not a setting",
                "write BENCHGLOB:KEY=VALUE, such as 'ddr/*:size=4GiB'",
            )
        named = [one for one in benches.values() if matches(one.name, pattern)]
        if not named:
            raise NothingMatched(f"no bench matches '{pattern}'", near(pattern, benches))
        having = [one for one in named if any(axis.name == key for axis in one.axes)]
        if not having:
            axes = dict.fromkeys(axis.name for one in named for axis in one.axes)
            raise UsageError(
                f"--set {text}: no bench that matches '{pattern}' has the axis '{key}'",
                f"choose an axis of the matching benches: {', '.join(axes)}"
                if axes
                else "the matching benches have no axis; choose other benches",
            )
        for one in having:
            try:
                benches[one.name] = one.holding(key, value, machine)
            except UsageError as error:
                raise UsageError(f"--set {text}: {error}", error.hint) from None
        return tuple(one.name for one in having)

    def case(self, case_id: str, machine: Machine) -> Case | None:
        """The case with the complete id ``case_id``, inside or outside the profiles.

        The result is None if the id is incomplete, is a glob, or names an unknown bench.

        Raises:
            UsageError: the id is malformed, or contains an unknown axis or an invalid value.
        """
        found = self.benches.get(case_id.partition("=")[0].rpartition("/")[0])
        if found is None or any(sign in case_id for sign in "*?["):
            return None
        return found.asked(case_id, machine)


def scan(package: ModuleType) -> Registry:
    """Find the benches in all modules below ``package`` and in plug-ins.

    Raises:
        ValueError: two benches below ``package`` have the same name.
    """
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
    # Sort only by prefix, so that the benches of a prefix keep their order, such as STREAM's order.
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
    """The entry points of the group ``membench.benches``, sorted by name."""
    # Importing importlib.metadata takes longer than importing click.
    if not any(_may_have_plug_ins(Path(place or ".")) for place in sys.path):
        return ()
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)


def _may_have_plug_ins(place: Path) -> bool:
    try:
        if not place.is_dir():
            return place.exists()  # the entry of sys.path may be an archive
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


def choose(
    cases: Iterable[Case],
    select: Iterable[str],
    skip: Iterable[str],
    whole: Callable[[str], Case | None] = lambda _: None,
) -> tuple[Case, ...]:
    """The cases that match a glob of ``select`` (empty: all), but no glob of ``skip``.

    The matches of the first glob of ``select`` come first. The matches of one glob have the order
    of ``cases``.

    Args:
        whole: returns the case with a given complete id, or None; called for a text of ``select``
            that matches no case of ``cases``.

    Raises:
        NothingMatched: a glob of ``select`` matches no case, or ``skip`` leaves no case.
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
