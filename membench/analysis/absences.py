"""The cases that could not be compared, listed so that none is dropped silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from membench.analysis.comparison import Comparison, Line
from membench.core.record import record
from membench.core.terms import Status


@record
class Absence:
    """Cases for which some labels have no number, for one reason.

    Attributes:
        kind: ``failed``, ``skipped``, or ``only`` for cases that the other labels have no row of.
        labels: those with the failure or the skip; for ``only``, those with a number.
        cases: ids, with metric and statistic if only some rows of the case are affected.
    """

    kind: str
    labels: tuple[str, ...]
    reason: str
    cases: tuple[str, ...]


def absences(comparison: Comparison) -> list[Absence]:
    """Failures first, then cases that only one side has, then skips."""
    groups: dict[tuple[str, tuple[str, ...], str], list[Line]] = {}
    for line in comparison.lines:
        for key in _keys(comparison, line):
            groups.setdefault(key, []).append(line)
    rows = Counter(line.row.case for line in comparison.lines)
    order = [Status.FAILED, "only", Status.SKIPPED]
    return [
        Absence(*key, cases=_cases(lines, rows))
        for key, lines in sorted(groups.items(), key=lambda group: order.index(group[0][0]))
    ]


def _keys(comparison: Comparison, line: Line) -> Iterator[tuple[str, tuple[str, ...], str]]:
    labels = [side.label for side in comparison.sides]
    for kind in (Status.FAILED, Status.SKIPPED):
        by_reason: dict[str, list[str]] = {}
        for label, entry in zip(labels, line.entries, strict=True):
            for reason in entry.failures if kind is Status.FAILED else entry.skips:
                by_reason.setdefault(reason, []).append(label)
        for reason, several in by_reason.items():
            yield str(kind), tuple(several), reason
    states = [entry.status for entry in line.entries]
    if "missing" in states and Status.OK in states:
        having = zip(labels, states, strict=True)
        yield "only", tuple(label for label, state in having if state == Status.OK), ""


def _cases(lines: list[Line], rows: Counter[str]) -> tuple[str, ...]:
    here = Counter(line.row.case for line in lines)
    return tuple(
        dict.fromkeys(
            line.row.case
            if here[line.row.case] == rows[line.row.case]
            else f"{line.row.case} ({line.row.metric} {line.row.stat})"
            for line in lines
        )
    )
