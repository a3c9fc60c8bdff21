"""Progress of a check that measures; no tables, because standard output is for data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from membench.report.screens.console import console, is_terminal
from membench.report.screens.progress import ProgressBar, ProgressLines, Watcher
from membench.results.schema import Row


class CheckBar(ProgressBar):
    """The bar of a run, without a table."""

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Print nothing, because the check follows soon."""


class CheckLines(ProgressLines):
    """One line per case, on standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.console = console(sys.stderr)

    def round_ended(self, round_: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Print nothing, because the check follows soon."""


def check_watcher(*, table: bool) -> Watcher:
    """A bar if a table is printed to a terminal, otherwise lines on standard error."""
    return CheckBar() if table and is_terminal() else CheckLines()
