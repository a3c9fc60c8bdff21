"""Find the reference results, in an installed package or in a checkout.

A wheel contains ``results/reference/`` as ``membench/reference/``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from membench.core.errors import MembenchError, UsageError
from membench.core.near import asked_back, nearest

PREFIX = "ref:"
_PACKAGE = Path(__file__).parents[1]


def reference_root() -> Path | None:
    """The folder with one subfolder per reference; None if the folder does not exist."""
    places = (_PACKAGE / "reference", _PACKAGE.parent / "results" / "reference")
    return next((place for place in places if place.is_dir()), None)


def reference_names() -> list[str]:
    root = reference_root()
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root else []


def reference_name(argument: str) -> str:
    """Return the name in ``argument``, which has the form ``ref:NAME``.

    Raises:
        UsageError: there is no such reference.
    """
    name = argument.removeprefix(PREFIX)
    if name == argument or name not in reference_names():
        near = (f"{PREFIX}{one}" for one in nearest(name, reference_names()))
        hint = asked_back(near) or "membench list --references shows the names of the references"
        raise UsageError(f"there is no reference '{argument}'", hint)
    return name


def reference_paths(name: str) -> list[Path]:
    """The results files of the reference ``name``, sorted.

    Raises:
        MembenchError: the reference has no results files.
    """
    paths = sorted(((reference_root() or Path()) / name).glob("*.csv"))
    if not paths:
        raise MembenchError(f"the reference {name} has no results file", "install membench again")
    return paths


def files_of(arguments: Iterable[str | Path]) -> list[Path]:
    """Replace each ``ref:NAME`` in ``arguments`` by the results files of the reference.

    Raises:
        UsageError: there is no such reference.
        MembenchError: a reference has no results files.
    """
    found: list[Path] = []
    for argument in map(str, arguments):
        is_reference = argument.startswith(PREFIX)
        found += reference_paths(reference_name(argument)) if is_reference else [Path(argument)]
    return found
