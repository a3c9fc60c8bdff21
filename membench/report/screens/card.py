"""The card of `membench run --card md`: six lines of Markdown with the results of a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from membench.analysis.ladder import SHOWN, Rung
from membench.core.terms import Metric
from membench.core.text import shell_word
from membench.measure.run import RunOutcome
from membench.report.page.markdown_text import code, escaped, table_row
from membench.report.screens.judged import JudgedRung, best_text, share_text, verdict_text
from membench.report.screens.tier_table import rung_text

_DIGITS = 16
"""Number of hexadecimal digits of the shown SHA-256; 64 bits are enough to distinguish files."""


def card(
    outcome: RunOutcome,
    found: Sequence[JudgedRung],
    sentence: str,
    references: Sequence[str],
    quality: str,
) -> tuple[str, ...]:
    """The lines of the card: a table with one column per tier, and two list items.

    Args:
        sentence: the consequence of the results for serving a model.
        quality: the data quality and the flags of the rows.

    Raises:
        OSError: the results file cannot be read.
    """
    assert outcome.csv is not None
    digest = hashlib.sha256(outcome.csv.read_bytes()).hexdigest()[:_DIGITS]
    verdicts = map(_verdict, found) if references else ["no reference"] * len(found)
    command = " ".join(map(shell_word, outcome.plan.argv)) or "membench run"
    origin = f"{code(command)}, membench {escaped(outcome.plan.software)}, results {code(digest)}"
    return (
        table_row([outcome.plan.machine, *(rung_text(one.rung) for one in found)]),
        table_row(["---"] * (1 + len(found)), plain=True),
        table_row(["measured", *(_measured(one.rung) for one in found)]),
        table_row([f"against {', '.join(references)}" if references else "verdict", *verdicts]),
        f"- {escaped(sentence)}",
        f"- {origin}, {escaped(quality)}",
    )


def _measured(rung: Rung) -> str:
    return ", ".join(_value(rung, metric) for metric in SHOWN if metric in rung.best)


def _verdict(judged: JudgedRung) -> str:
    """``98%, pass``: the measured share of the reference value, and the verdict."""
    return ", ".join(filter(None, (share_text(judged), verdict_text(judged)))) or "not judged"


def _value(rung: Rung, metric: Metric) -> str:
    return best_text(rung.best[metric])
