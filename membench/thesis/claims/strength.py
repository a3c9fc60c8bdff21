"""Checks whether the evidence for a part of a claim is strong enough for a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from membench.core.messages import Message, tr
from membench.core.terms import ClaimClass
from membench.results.schema import Row
from membench.thesis.claims.assumptions import SUBSTITUTE, Assumptions
from membench.thesis.claims.kinds import DECIDING, EvidenceKind, ordered
from membench.thesis.claims.ledger import Part


def kind_of_row(row: Row) -> EvidenceKind:
    """The kind of evidence of a row: "measured here" for every row that is not cited."""
    if not row.cited:
        return EvidenceKind.HERE
    match row.detail.get("kind"):
        case "datasheet":
            return EvidenceKind.VENDOR
        case "derived":
            return EvidenceKind.MODEL
        case _:
            return EvidenceKind.ELSEWHERE


def kinds_read(
    part: Part,
    names: Iterable[str],
    rows: Mapping[str, Sequence[Row]],
    entries: Assumptions,
) -> tuple[EvidenceKind, ...]:
    """The kinds of evidence that ``part`` uses, the strongest first.

    These are the kinds of the inputs ``names``, plus `MODEL` if the part is modelled, plus
    `ELSEWHERE` if the part uses traces.
    """
    found = {EvidenceKind.MODEL} if part.cls is ClaimClass.MODELLED else set()
    if part.traces:
        found.add(EvidenceKind.ELSEWHERE)
    for name in names:
        if name in rows:
            found |= {kind_of_row(row) for row in rows[name]}
        elif (entry := entries.get(name) or entries.get(f"{SUBSTITUTE}{name}")) is not None:
            found.add(entry.evidence_kind)
    return ordered(found)


def weak(part: Part, rows: Mapping[str, Sequence[Row]], entries: Assumptions) -> Message | None:
    """Why the evidence is too weak for a verdict on ``part``; None if it is strong enough."""
    names = part.rests_on or (*part.measurements, *part.assumptions)
    kinds = kinds_read(part, names, rows, entries)
    if not kinds or DECIDING & set(kinds):
        return None
    return _ALONE[kinds]


_ALONE = {
    (EvidenceKind.VENDOR,): tr("vendor figures alone"),
    (EvidenceKind.FORECAST,): tr("forecasts alone"),
    (EvidenceKind.VENDOR, EvidenceKind.FORECAST): tr("vendor figures and forecasts alone"),
}
ALONE_MEANS = {
    _ALONE[EvidenceKind.VENDOR,]: tr(
        "the verdict rests only on the vendor's own figures, which no one else confirms"
    ),
    _ALONE[EvidenceKind.FORECAST,]: tr(
        "the verdict rests only on forecasts, and the outcome has not been reported yet"
    ),
    _ALONE[EvidenceKind.VENDOR, EvidenceKind.FORECAST]: tr(
        "the verdict rests only on vendor figures and forecasts"
    ),
}
"""Result of `weak` -> explanation, which is the end of a sentence."""
