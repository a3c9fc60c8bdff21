"""Commands that install or remove packages where this membench runs.

A package index does not have to know membench: it may come from a checkout, a URL or a wheel.
So a command names the packages that an extra stands for, and the interpreter that has them to
import, by the shortest name that a shell in this directory understands.
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
    """The command that installs what ``extra`` of pyproject.toml adds to membench."""
    return install(*requirements(extra) or (f"membench[{extra}]",))


def install(*packages: str) -> str:
    """The command that installs ``packages``, requirements as pip takes them."""
    return f"{_pip('install')} {shlex.join(packages)}"


def uninstall(*packages: str) -> str:
    """The command that removes ``packages`` without asking."""
    yes = "" if _by_uv() else "-y "
    return f"{_pip('uninstall')} {yes}{shlex.join(packages)}"


def requirements(extra: str) -> tuple[str, ...]:
    """The requirements of ``extra``: of the checkout if this is one, else as they were installed.

    Empty if nobody has them. Source of the form: core metadata, ``Requires-Dist``.
    """
    project = Path(membench.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        import tomllib

        try:
            known = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
            return tuple(known["optional-dependencies"][extra])
        except (OSError, ValueError, KeyError, TypeError):
            return ()
    from importlib import metadata  # as slow to load as click

    try:
        lines = metadata.requires("membench") or []
    except metadata.PackageNotFoundError:
        return ()
    ends = re.compile(rf"\s*;\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]$")
    return tuple(ends.sub("", line) for line in lines if ends.search(line))


def _by_uv() -> bool:
    """Environments that uv makes have no pip; uv fills them from outside."""
    import shutil

    return find_spec("pip") is None and shutil.which("uv") is not None


def _pip(verb: str) -> str:
    python = interpreter()
    if _by_uv():
        return f"uv pip {verb} --python {python}"
    return f"{python} -m pip {verb}"


def interpreter() -> str:
    """This interpreter as a word of a shell: a bare name if PATH leads to it, else its path.

    The path is relative if it is below this directory, and never names the home directory's
    owner.
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
    except OSError:  # the directory was removed
        return None
