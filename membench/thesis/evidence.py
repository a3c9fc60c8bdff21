"""What a run holds that a claim needs, and the verdict that this allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from membench.record.schema import Row
from membench.registry import matches
from membench.terms import Better
from membench.thesis.claims import Claim, Input, Kind


class Word(StrEnum):
    """The four verdicts on a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable here"


@dataclass(frozen=True)
class Verdict:
    """A verdict and the plain reason for it."""

    word: Word
    reason: str


@dataclass(frozen=True)
class Found:
    """The rows of one input; ``best`` is the best of them, None where there is none."""

    input: Input
    rows: tuple[Row, ...]

    @property
    def best(self) -> Row | None:
        """The best row in the direction of its metric."""
        if not self.rows:
            return None
        pick = max if self.rows[0].better is Better.HIGHER else min
        return pick(self.rows, key=lambda row: row.value or 0.0)


@dataclass(frozen=True)
class Evidence:
    """A claim beside what was measured of it."""

    claim: Claim
    inputs: tuple[Found, ...]

    @property
    def missing(self) -> tuple[Input, ...]:
        """The inputs that no row provides."""
        return tuple(found.input for found in self.inputs if not found.rows)

    @property
    def verdict(self) -> Verdict:
        """Never more than the measurements support: without the model, inconclusive."""
        kinds = set(self.claim.kinds)
        if kinds == {Kind.NONE}:
            return Verdict(Word.NOT_TESTABLE, "no quantity is claimed that could be measured")
        if kinds == {Kind.RECORD}:
            return Verdict(
                Word.INCONCLUSIVE,
                "decided by dated public records, which this report does not weigh",
            )
        return Verdict(Word.INCONCLUSIVE, self._lack())

    def _lack(self) -> str:
        measured = {found.input.part for found in self.inputs if found.rows}
        absent = dict.fromkeys(one.part for one in self.missing if one.part not in measured)
        if absent:
            return " and ".join(f"no {part} measurement" for part in absent)
        if self.missing:
            return "not all of its inputs are measured"
        return "its inputs are measured, but the model that weighs them is not part of this version"


def evidence(claim: Claim, rows: Iterable[Row]) -> Evidence:
    """The credible rows of ``rows`` that ``claim`` needs; cited figures are no measurements."""
    ok = [row for row in rows if row.credible and row.backend != "cited"]
    return Evidence(
        claim,
        tuple(
            Found(
                need,
                tuple(
                    row
                    for row in ok
                    if matches(row.case, need.select)
                    and row.metric is need.metric
                    and row.stat is need.stat
                ),
            )
            for need in claim.inputs
        ),
    )
