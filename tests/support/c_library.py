"""Compile C stubs of libraries that this machine does not have."""

from __future__ import annotations

import subprocess
from pathlib import Path


def build(library: Path, source: str | Path, *options: str) -> Path:
    """Compile ``source`` (text or a file) to the shared library ``library``.

    The file name is also the soname. ``options`` come after the source, as ``-ldl`` requires.
    """
    text = source if isinstance(source, str) else None
    subprocess.run(
        [
            *("cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
            *(f"-Wl,-soname,{library.name}", "-o", str(library)),
            *("-x", "c", "-" if text is not None else str(source), *options),
        ],
        input=text,
        text=True,
        check=True,
    )
    return library
