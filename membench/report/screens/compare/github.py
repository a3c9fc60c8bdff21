"""A comparison in the summary of a GitHub Actions job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from membench.analysis.comparison import Comparison
from membench.analysis.verdict import Verdict
from membench.core.errors import OutputError
from membench.report.screens.compare.markdown import to_markdown
from membench.report.screens.compare.notes import summary
from membench.report.screens.compare.view import CompareBlock, arrange

VARIABLE = "GITHUB_STEP_SUMMARY"
LIMIT = 1 << 20
"""Bytes that GitHub takes of one step: a longer summary is not shown at all."""


def publish(comparison: Comparison, blocks: Sequence[CompareBlock]) -> str:
    """Append the comparison to the summary file of the job; what is left to print.

    That is the counts, or the whole where there is no summary file.

    Raises:
        OutputError: the summary file cannot be written.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return to_markdown(comparison, blocks)
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(fitting(comparison, blocks, LIMIT - file.tell()))
    except OSError as error:
        raise OutputError(f"cannot append to {VARIABLE}={path}: {error.strerror}") from None
    return "\n".join(summary(comparison)) + "\n"


def fitting(comparison: Comparison, blocks: Sequence[CompareBlock], limit: int) -> str:
    """Markdown of at most ``limit`` bytes: without what is the same, or without the tables."""
    whole = to_markdown(comparison, blocks)
    if len(whole) <= limit:
        return whole
    changed = arrange(comparison, [one for one in Verdict if one is not Verdict.SAME])
    shorter = to_markdown(comparison, changed)
    if len(shorter) <= limit:
        return shorter
    return "".join(f"- {line}\n" for line in summary(comparison))
