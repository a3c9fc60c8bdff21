"""The summary of a step of a GitHub Actions job: a file that the runner names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from membench.core.errors import OutputError

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1 << 20
"""Bytes that GitHub takes of one step: a longer summary is not shown at all."""


def append_summary(make: Callable[[int], str]) -> bool:
    """Append what ``make`` makes of the bytes that are left; whether there is a summary file.

    Raises:
        OutputError: the summary file cannot be written.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(make(LIMIT - file.tell()))
    except OSError as error:
        raise OutputError(f"cannot append to {VARIABLE}={path}: {error.strerror}") from None
    return True
