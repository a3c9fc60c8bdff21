"""The step summary of a GitHub Actions job: a Markdown file named by GITHUB_STEP_SUMMARY."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from membench.core.errors import OutputError

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1 << 20
"""Maximum size of a step summary in bytes; GitHub does not show a larger file at all."""


def append_summary(make: Callable[[int], str]) -> bool:
    """Append ``make(remaining bytes)`` to the step summary.

    Returns:
        Whether the environment names a summary file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(make(LIMIT - file.tell()))
    except OSError as error:
        raise OutputError(
            f"cannot append to {VARIABLE}={path}: {error.strerror}",
            f"set {VARIABLE} to a file that you may write, or unset the variable",
        ) from None
    return True
