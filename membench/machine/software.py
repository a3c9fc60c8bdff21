"""Find the versions of the operating system, of membench, and of packages that affect results."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import membench
from membench.machine.kernel_text import read

_RELEVANT = re.compile(
    r"cupy(-cuda\d+x)?|numpy|numba|llvmlite|pandas|psutil|cuda-(bindings|core|pathfinder|toolkit)"
    r"|kvikio(-cu\d+)?|libkvikio(-cu\d+)?|nvidia-(cuda-(nvrtc|runtime)(-cu\d+)?|ml-py)"
)
_METADATA = re.compile(r"([A-Za-z0-9._]+)-([^-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info")
_PROGRAM = ("membench", "kernels", "pyproject.toml")
"""The files and folders of a checkout that decide what membench measures."""

_GIT_SECONDS = 2.0


def installed(paths: Iterable[str] | None = None) -> dict[str, str]:
    """Versions of all distributions that the interpreter finds, by normalised name.

    The versions come from the names of the metadata folders (packaging.python.org, "Recording
    installed projects"). importlib.metadata is slower, because it opens each file.
    """
    found: dict[str, str] = {}
    for path in sys.path if paths is None else paths:
        try:
            names = [entry.name for entry in Path(path).iterdir()]
        except OSError:
            continue  # a zip file or a missing folder
        for name in names:
            if match := _METADATA.fullmatch(name):
                found.setdefault(re.sub(r"[-_.]+", "-", match[1]).lower(), match[2])
    return found


def packages() -> dict[str, str]:
    """Name -> version of the installed distributions that affect results, sorted by name."""
    return {
        name: version for name, version in sorted(installed().items()) if _RELEVANT.fullmatch(name)
    }


def read_system(root: Path = Path("/")) -> str:
    """Name and version of the Linux distribution; empty if unknown."""
    text = read(root / "etc/os-release") or read(root / "usr/lib/os-release")
    for key in ("PRETTY_NAME", "NAME"):
        if match := re.search(rf"^{key}=(.*)$", text, re.MULTILINE):
            return match[1].strip().strip("\"'")
    return ""


def read_kernel(root: Path = Path("/")) -> str:
    """The release of the running kernel, such as ``6.8.0-45-generic``."""
    return read(root / "proc/sys/kernel/osrelease") or os.uname().release


def libc() -> str:
    """The C library, such as ``glibc 2.36`` or ``musl``; empty if unknown."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return "musl" if any(Path("/lib").glob("ld-musl-*")) else ""


def python() -> str:
    """Version of the Python interpreter, with its name if it is not CPython."""
    version = sys.version.split()[0]
    name = sys.implementation.name
    return version if name == "cpython" else f"{name} {version}"


def software_version(package: Path | None = None) -> str:
    """The value of the `membench` column, such as ``0.1.0``.

    In a checkout, the value contains the commit: ``0.1.0+g1234e56``. If the program has changes
    that are not committed, ``.dirty`` follows. If git fails, the value is only the version.
    """
    package = Path(membench.__file__).parent if package is None else package
    checkout = package.parent
    if not ((checkout / ".git").exists() and (checkout / "pyproject.toml").is_file()):
        return membench.__version__
    import subprocess  # imported here because most uses of this module start no process

    # A git hook of another repository may have set GIT_DIR.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}

    command = ("git", "--no-optional-locks")

    def git(*arguments: str) -> str:
        # `git describe --dirty` would lock the index and could block a user's commit.
        return subprocess.run(
            [*command, *arguments],
            cwd=checkout,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=7", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *_PROGRAM)
        dirty = ".dirty" if changed else ""
    except (OSError, subprocess.SubprocessError):
        return membench.__version__
    known = re.fullmatch(r"[0-9a-f]{7,}", commit)
    return f"{membench.__version__}+g{commit}{dirty}" if known else membench.__version__
