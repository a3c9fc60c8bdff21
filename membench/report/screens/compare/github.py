"""Write a comparison to the step summary of a GitHub Actions job."""

from __future__ import annotations

from collections.abc import Sequence

from membench.analysis.comparison import Comparison
from membench.analysis.verdict import Verdict
from membench.report.screens.compare.markdown import to_markdown
from membench.report.screens.compare.notes import summary
from membench.report.screens.compare.view import CompareBlock, arrange
from membench.report.screens.job_summary import append_summary


def publish(comparison: Comparison, blocks: Sequence[CompareBlock]) -> str:
    """Append the comparison to the job's step summary, and return the text to print.

    The text has the number of rows of each verdict. Without a summary file, the text has the whole
    comparison as Markdown.

    Raises:
        OutputError: the summary file cannot be written.
    """
    if not append_summary(lambda limit: fitting(comparison, blocks, limit)):
        return to_markdown(comparison, blocks)
    return "\n".join(summary(comparison)) + "\n"


def fitting(comparison: Comparison, blocks: Sequence[CompareBlock], limit: int) -> str:
    """The comparison as Markdown, if possible of at most ``limit`` bytes.

    If the text is too long, rows with the verdict "same" are left out, then all tables.
    """
    whole = to_markdown(comparison, blocks)
    if len(whole) <= limit:
        return whole
    changed = arrange(comparison, [one for one in Verdict if one is not Verdict.SAME])
    shorter = to_markdown(comparison, changed)
    if len(shorter) <= limit:
        return shorter
    return "".join(f"- {line}\n" for line in summary(comparison))
