"""Stand-ins in C for libraries that this machine does not have."""

from __future__ import annotations

import subprocess
from pathlib import Path


def build(library: Path, source: str | Path, *options: str) -> Path:
    """Compile ``source``, a text or a file, into the shared library ``library``.

    Its name is also what the loader knows it by.  ``options`` follow the source, as ``-ldl`` must.
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
