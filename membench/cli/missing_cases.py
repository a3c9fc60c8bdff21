"""Make a `membench run` command for cases that have imported or published values."""

from __future__ import annotations

from collections.abc import Iterable

from membench.results.compact.row import Measurement

_MOST = 3
"""Maximum number of cases in the command."""


def command_for(rows: Iterable[Measurement]) -> str:
    """A `membench run` command for the first few cases of ``rows`` that a run can measure.

    Empty if a run can measure none of the cases, for example because the rows have names of another
    tool.
    """
    from membench.benches import registry
    from membench.core.errors import UsageError
    from membench.core.text import shell_word
    from membench.machine import snapshot

    benches, machine = registry(), snapshot()
    words: list[str] = []
    for case in dict.fromkeys(row.case for row in rows):
        try:
            known = benches.case(case, machine) is not None
        except UsageError:  # the bench does not have this axis, or not this value
            continue
        if known:
            words.append(f"--select {shell_word(case)}")
        if len(words) == _MOST:
            break
    return f"membench run {' '.join(words)}" if words else ""
