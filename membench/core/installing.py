"""Shell commands that install or remove packages in the environment of membench, for hints.

A command for an extra names the packages of the extra, because a package index may not contain
membench.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import membench


def install_extra(extra: str) -> str:
    """The command that installs the packages of ``extra``, an extra in pyproject.toml."""
    return install(*requirements(extra) or (f"membench[{extra}]",))


def install(*packages: str) -> str:
    """The command that installs ``packages`` (pip requirements)."""
    return f"{_pip('install')} {shlex.join(packages)}"


def uninstall(*packages: str) -> str:
    """The command that removes ``packages`` without a confirmation prompt."""
    yes = "" if _by_uv() else "-y "
    return f"{_pip('uninstall')} {yes}{shlex.join(packages)}"


def requirements(extra: str) -> tuple[str, ...]:
    """The pip requirements of ``extra``; empty if the extra is unknown.

    The source is pyproject.toml, or ``Requires-Dist`` in the installed core metadata.
    """
    project = Path(membench.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        import tomllib

        try:
            known = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
            return tuple(known["optional-dependencies"][extra])
        except (OSError, ValueError, KeyError, TypeError):
            return ()
    from importlib import metadata  # loading this module takes longer than loading click

    try:
        lines = metadata.requires("membench") or []
    except metadata.PackageNotFoundError:
        return ()
    ends = re.compile(rf"\s*;\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]$")
    return tuple(ends.sub("", line) for line in lines if ends.search(line))


def _by_uv() -> bool:
    """Whether uv manages this environment: pip is not installed, and PATH has uv."""
    import shutil

    return find_spec("pip") is None and shutil.which("uv") is not None


def _pip(verb: str) -> str:
    python = interpreter()
    if _by_uv():
        return f"uv pip {verb} --python {python}"
    return f"{python} -m pip {verb}"


def interpreter() -> str:
    """The running Python interpreter as a shell word.

    The word is the bare name if PATH finds the interpreter, otherwise the path. The path is
    relative to the current directory or to ``~`` if possible, so that the user's name does not
    appear.
    """
    import shutil

    path = Path(sys.executable)
    if (found := shutil.which(path.name)) and Path(found) == path:
        return path.name
    for folder, prefix in ((_here(), ""), (Path.home(), "~/")):
        if folder is not None and path.is_relative_to(folder):
            return prefix + shlex.quote(str(path.relative_to(folder)))
    return shlex.quote(str(path))


def _here() -> Path | None:
    try:
        return Path(os.getcwd())  # noqa: PTH109 - Path.cwd() is the same call
    except OSError:  # the current directory was removed
        return None
