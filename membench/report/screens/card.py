"""A card to paste: six lines of Markdown that say what a machine delivers, and how to repeat it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from membench.analysis.ladder import SHOWN, Rung, ladder
from membench.core.terms import Metric
from membench.core.text import shell_word
from membench.core.units import format_value
from membench.measure.run import RunOutcome
from membench.report.page.markdown_text import code, escaped
from membench.report.screens.serving import serving, serving_sentence
from membench.report.screens.tier_table import rung_text

_DIGITS = 16
"""Hexadecimal digits of the hash: 64 bits tell any two files apart."""


def card(outcome: RunOutcome) -> tuple[str, ...]:
    """A table with a column a tier, the sentence on a served model, and command and hash.

    Raises:
        OSError: the results file cannot be read.
    """
    assert outcome.csv is not None
    rungs = ladder(outcome.rows)
    digest = hashlib.sha256(outcome.csv.read_bytes()).hexdigest()[:_DIGITS]
    command = " ".join(map(shell_word, outcome.plan.argv))
    sentence = serving_sentence(serving(outcome.rows, outcome.machine))
    return (
        _row([outcome.plan.machine, *map(rung_text, rungs)]),
        _row(["---"] * (1 + len(rungs)), plain=True),
        _row(["measured", *map(_measured, rungs)]),
        _row(["verdict", *map(_verdict, rungs)]),
        f"- {escaped(sentence)}",
        f"- {code(command)}, membench {escaped(outcome.plan.software)}, "
        f"SHA-256 of the results {code(digest)}",
    )


def _measured(rung: Rung) -> str:
    return ", ".join(_value(rung, metric) for metric in SHOWN if metric in rung.best)


def _value(rung: Rung, metric: Metric) -> str:
    return format_value(metric, rung.best[metric].value or 0.0)


def _row(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cell if plain else escaped(cell) for cell in cells)} |"
