"""Show the progress of `membench check` while it measures, without provisional tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from membench.report.screens.console import is_terminal
from membench.report.screens.progress import ProgressBar, ProgressLines, Watcher
from membench.results.schema import Row


class CheckBar(ProgressBar):
    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Print nothing, because the check follows soon."""


class CheckLines(ProgressLines):
    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Print nothing, because the check follows soon."""


def check_watcher(*, table: bool) -> Watcher:
    """A bar if the check will be printed as a ``table`` on a terminal, otherwise lines.

    The lines are on standard error, because standard output is for the check.
    """
    return CheckBar() if table and is_terminal() else CheckLines()
