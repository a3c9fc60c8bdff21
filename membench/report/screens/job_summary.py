"""The step summary of a GitHub Actions job: the Markdown file that GITHUB_STEP_SUMMARY names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from membench.core.errors import OutputError

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1 << 20
"""Maximum size of a step summary in bytes; GitHub does not show a larger file at all."""


def append_summary(texts: Iterable[str]) -> bool:
    """Append the first of ``texts`` that fits in the step summary.

    The result is False if the environment names no summary file, or if no text fits.

    Raises:
        OutputError: the file cannot be written.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return False
    try:
        with Path(path).open("ab") as file:
            for text in texts:
                data = text.encode()
                if file.tell() + len(data) <= LIMIT:
                    file.write(data)
                    return True
    except OSError as error:
        raise OutputError(
            f"cannot append to {VARIABLE}={path}: {error.strerror}",
            f"set {VARIABLE} to a file that you may write, or unset the variable",
        ) from None
    return False
