"""Write a comparison to the step summary of a GitHub Actions job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from membench.analysis.comparison import Comparison
from membench.analysis.verdict import Verdict
from membench.report.screens.compare.markdown import to_markdown
from membench.report.screens.compare.notes import summary
from membench.report.screens.compare.view import CompareBlock, arrange
from membench.report.screens.job_summary import append_summary


def publish(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict] = ()
) -> str:
    """Append the comparison to the job's step summary, and return the text to print.

    The text is the `summary`. If there is no summary file or no room in the file, the text is the
    whole comparison as Markdown.

    Raises:
        OutputError: the summary file cannot be written.
    """
    if not append_summary(abridged(comparison, blocks, verdicts)):
        return to_markdown(comparison, blocks, verdicts)
    return "\n".join(summary(comparison)) + "\n"


def abridged(
    comparison: Comparison, blocks: Sequence[CompareBlock], verdicts: Collection[Verdict] = ()
) -> Iterator[str]:
    """Yield shorter and shorter Markdown.

    The first text is the whole comparison. The second has no lines in which every verdict is
    ``same``. The third is the `summary`.
    """
    yield to_markdown(comparison, blocks, verdicts)
    changed = arrange(comparison, [one for one in Verdict if one is not Verdict.SAME])
    yield to_markdown(comparison, changed)
    yield "".join(f"- {line}\n" for line in summary(comparison))
