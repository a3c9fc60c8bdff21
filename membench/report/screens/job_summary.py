"""The step summary of a GitHub Actions job, in a file that the runner names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from membench.core.errors import OutputError

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1 << 20
"""Maximum size of a step summary in bytes; GitHub shows nothing of a longer one."""


def append_summary(make: Callable[[int], str]) -> bool:
    """Append the text of ``make`` for the remaining bytes; False if there is no summary file."""
    path = os.environ.get(VARIABLE)
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(make(LIMIT - file.tell()))
    except OSError as error:
        raise OutputError(f"cannot append to {VARIABLE}={path}: {error.strerror}") from None
    return True
