"""List the cases of a comparison that could not be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from membench.analysis.comparison import Comparison
from membench.analysis.line import Line
from membench.core.record import record
from membench.core.terms import Status


@record
class Absence:
    """Cases that could not be compared; all have the same kind, labels and reason.

    Attributes:
        kind: ``failed``, ``skipped``, or ``only`` (for cases that some labels did not measure).
        labels: for ``only``, the labels with a value. Otherwise the labels whose cases failed or
            were skipped.
        reason: empty for ``only``.
        cases: case ids. If only some rows of a case are affected, metric and statistic follow the
            case id.
    """

    kind: str
    labels: tuple[str, ...]
    reason: str
    cases: tuple[str, ...]


def absences(comparison: Comparison) -> list[Absence]:
    """List failed cases, then cases that only some labels measured, then skipped cases."""
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
        for side, lost in sorted(line.lost.items()):
            for reason in lost.failures if kind is Status.FAILED else lost.skips:
                by_reason.setdefault(reason, []).append(labels[side])
        for reason, several in by_reason.items():
            yield str(kind), tuple(several), reason
    places = line.figures.places
    if 0 < len(places) < len(labels) and "missing" in line.statuses:
        yield "only", tuple(labels[side] for side in places), ""


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
