"""Computes a verdict on every claim from rows and assumptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from membench.core.record import record
from membench.core.terms import Badge, ClaimVerdict
from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumptions
from membench.thesis.claims.commands import Assumed, assuming, measuring
from membench.thesis.claims.draws import DRAWS, SEED
from membench.thesis.claims.evidence import machines
from membench.thesis.claims.flip import Flip, smallest_flip
from membench.thesis.claims.given import assumed, waited_for
from membench.thesis.claims.judging import (
    PartVerdict,
    Sensitivity,
    Words,
    judge_part,
    limits,
    names_of,
    reads_machine,
)
from membench.thesis.claims.kept_words import CONSTANT, as_json, kept_words
from membench.thesis.claims.kinds import EvidenceKind, ordered
from membench.thesis.claims.ledger import Claim, Ledger, ledger
from membench.thesis.claims.rule import combine
from membench.thesis.claims.scenario import Scenario, subjects


@record
class ClaimResult:
    """The verdict on one claim for one machine.

    Attributes:
        flip: the smallest change of one input that changes the verdict; None if none was found.
        measure: the commands that measure the inputs.
        assume: assumptions that change the verdict on the claim or on a part; None if none were
            found.
    """

    claim: Claim
    word: ClaimVerdict
    parts: tuple[PartVerdict, ...]
    flip: Flip | None
    measure: tuple[str, ...] = ()
    assume: Assumed | None = None

    @property
    def kinds(self) -> tuple[EvidenceKind, ...]:
        return ordered(kind for part in self.parts for kind in part.kinds)

    @property
    def badges(self) -> tuple[Badge, ...]:
        return tuple(dict.fromkeys(badge for part in self.parts for badge in part.badges))


@record
class Subject:
    """The verdicts on all claims for one machine; ``machine`` is empty without measurements."""

    machine: str
    device: str
    rows: tuple[Row, ...]
    claims: tuple[ClaimResult, ...]

    @property
    def badges(self) -> tuple[Badge, ...]:
        return tuple(dict.fromkeys(badge for claim in self.claims for badge in claim.badges))


@record
class Verdicts:
    ledger: Ledger
    entries: Assumptions
    seed: int
    draws: int
    subjects: tuple[Subject, ...]

    @property
    def day(self) -> date:
        """The day of the newest run, or else of the newest assumption."""
        runs = [row.started[:10] for one in self.subjects for row in one.rows if row.started]
        if runs:
            return date.fromisoformat(max(runs))
        return max(entry.date for entry in self.entries.values())


@record
class MachineClaim:
    """All inputs of the verdict on one claim for one machine."""

    claim: Claim
    scenario: Scenario
    entries: Assumptions


Spread = Callable[
    [Callable[[MachineClaim], ClaimResult], Sequence[MachineClaim]], Iterable[ClaimResult]
]
"""Applies a function to each item, in any process, and returns the results in order."""


def verdicts(
    rows: Sequence[Row],
    override: Path | None = None,
    *,
    assume: Sequence[str] = (),
    today: date | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
    spread: Spread | None = None,
) -> Verdicts:
    """The verdicts on all claims, for every machine in ``rows``.

    Args:
        override, assume, today: see `assumed`.
        spread: distributes the claims to worker processes; None to use only this process.

    Raises:
        AssumptionError: the file ``override`` or an entry of the file is invalid.
        UsageError: a text in ``assume`` is invalid.
    """
    told = ledger()
    entries = assumed(override, assume, today)
    by_machine = machines(rows)
    scenarios = subjects(told, entries, rows, draws, seed)
    if spread is None:
        # Verdicts that depend on no machine are computed once; with built-in assumptions, once per
        # process.
        shipped = override is None and not assume
        shared = _as_shipped(seed, draws) if shipped else _Shared()
        anywhere = next(iter(scenarios.values())).only(entries)
        with kept_words(anywhere, shared.words):
            judged = [_claims(told, scenario, entries, shared) for scenario in scenarios.values()]
    else:
        points = [
            MachineClaim(claim, scenario, entries)
            for scenario in scenarios.values()
            for claim in told.claims
        ]
        found = iter(spread(judge_point, points))
        judged = [tuple(islice(found, len(told.claims))) for _ in scenarios]
    return Verdicts(
        told,
        entries,
        seed,
        draws,
        tuple(
            Subject(machine, scenario.device, by_machine.get(machine, ()), claims)
            for (machine, scenario), claims in zip(scenarios.items(), judged, strict=True)
        ),
    )


def judge_point(point: MachineClaim) -> ClaimResult:
    """The verdict on one claim for one machine. A worker process can call this function."""
    return _claim(ledger(), point.claim, point.scenario, point.entries, _Shared(), {})


def _claims(
    told: Ledger, scenario: Scenario, entries: Assumptions, shared: _Shared
) -> tuple[ClaimResult, ...]:
    own: Words = {}
    lent: Words = {}
    with kept_words(scenario, own), kept_words(scenario.borrowing(), lent):
        return tuple(
            _claim(told, claim, scenario, entries, shared, lent if claim.borrows else own)
            for claim in told.claims
        )


@record
class _Shared:
    """A cache of verdicts that depend on no machine.

    Attributes:
        claims, parts: id -> the result.
        words: verdicts after a change of one input.
        assumed: (id of a part, options of `--assume`) -> the verdict with these options.
    """

    claims: dict[str, ClaimResult] = field(default_factory=dict)
    parts: dict[str, PartVerdict] = field(default_factory=dict)
    words: Words = field(default_factory=dict)
    assumed: dict[tuple[str, tuple[str, ...]], ClaimVerdict] = field(default_factory=dict)


@cache
def _as_shipped(_seed: int, _draws: int) -> _Shared:
    return _Shared()


def _claim(
    told: Ledger,
    claim: Claim,
    scenario: Scenario,
    entries: Assumptions,
    shared: _Shared,
    own: Words,
) -> ClaimResult:
    if claim.id in shared.claims:
        return shared.claims[claim.id]
    seen = scenario.borrowing() if claim.borrows else scenario
    moved = Sensitivity(seen, shared.words, own)
    parts = []
    for part in claim.parts:
        if reads_machine(part):
            parts.append(judge_part(part, moved.scenario, entries, moved))
        else:
            if part.id not in shared.parts:
                shared.parts[part.id] = judge_part(part, moved.scenario, entries, moved)
            parts.append(shared.parts[part.id])
    word = combine(part.word for part in parts)
    flip = changeable = _claim_flip(parts, moved, entries, word)
    if flip is not None and flip.name not in entries:  # no option can change a measurement
        changeable = _claim_flip(parts, moved, entries, word, assumed_only=True)
    result = ClaimResult(
        claim,
        word,
        tuple(parts),
        flip,
        measuring(told, claim.parts),
        assuming(parts, changeable, seen, entries, told, waited_for(told, entries), shared.assumed),
    )
    if not any(reads_machine(part) for part in claim.parts):
        shared.claims[claim.id] = result
    return result


def _claim_flip(
    parts: Sequence[PartVerdict],
    moved: Sensitivity,
    entries: Assumptions,
    now: ClaimVerdict,
    *,
    assumed_only: bool = False,
) -> Flip | None:
    """The smallest change of one input that changes the verdict ``now`` on the whole claim.

    None if no such change was found. With ``assumed_only``, only assumptions are changed, not
    measurements.
    """
    drawn = [part for part in parts if part.judgement is not None and not part.weak]
    if len(parts) == 1 and not assumed_only:
        return parts[0].flip
    scenario = moved.scenario
    reads = {part.part.id: set(names_of(part.part, scenario)) for part in drawn}

    def word_of(name: str, step: float) -> ClaimVerdict:
        return combine(
            moved.word(part.part, name, step) if name in reads.get(part.part.id, ()) else part.word
            for part in parts
        )

    near = sorted((part.flip for part in drawn if part.flip), key=lambda flip: abs(flip.step))
    names = dict.fromkeys(
        name
        for name in (
            *(flip.name for flip in near),
            *(name for part in drawn for name in names_of(part.part, scenario)),
        )
        if name in scenario.values and (name in entries or not assumed_only)
    )
    return smallest_flip(word_of, names, now, limits(entries, names))


def computed_words() -> dict[str, Any]:
    """The content of `constant_words.json`: verdicts that depend on no measurement."""
    told, entries, shared = ledger(), assumed(), _Shared()
    (scenario,) = subjects(told, entries, (), DRAWS, SEED).values()
    _claims(told, scenario, entries, shared)
    return as_json(scenario.only(entries), shared.words)


if __name__ == "__main__":
    CONSTANT.write_text(json.dumps(computed_words()) + "\n", encoding="utf-8")
