"""From rows and assumptions to a verdict on every claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from membench.core.terms import Badge, ClaimVerdict
from membench.results.schema import Row
from membench.thesis.claims.assumptions import SUBSTITUTE, Assumptions, assumptions
from membench.thesis.claims.draws import DRAWS, SEED
from membench.thesis.claims.evidence import machines
from membench.thesis.claims.flip import Flip, smallest_flip
from membench.thesis.claims.judging import (
    PartVerdict,
    Sensitivity,
    Words,
    judge_part,
    limits,
    names_of,
    reads_machine,
)
from membench.thesis.claims.kept_words import kept_words, words_key
from membench.thesis.claims.ledger import Claim, Ledger, ledger
from membench.thesis.claims.rule import combine
from membench.thesis.claims.scenario import Scenario, subjects


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on one claim of one machine."""

    claim: Claim
    word: ClaimVerdict
    parts: tuple[PartVerdict, ...]
    flip: Flip | None

    @property
    def badges(self) -> tuple[Badge, ...]:
        """Those of its parts, each once."""
        return tuple(dict.fromkeys(badge for part in self.parts for badge in part.badges))


@dataclass(frozen=True)
class Subject:
    """What one machine's measurements say; ``machine`` is empty where nothing was measured."""

    machine: str
    device: str
    rows: tuple[Row, ...]
    claims: tuple[ClaimResult, ...]

    @property
    def badges(self) -> tuple[Badge, ...]:
        """Those of its claims, each once."""
        return tuple(dict.fromkeys(badge for claim in self.claims for badge in claim.badges))


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of every machine, and what they were drawn from."""

    ledger: Ledger
    entries: Assumptions
    seed: int
    draws: int
    subjects: tuple[Subject, ...]


@dataclass(frozen=True)
class MachineClaim:
    """One claim of one machine, and all that its verdict depends on."""

    claim: Claim
    scenario: Scenario
    entries: Assumptions


Spread = Callable[
    [Callable[[MachineClaim], ClaimResult], Sequence[MachineClaim]], Iterable[ClaimResult]
]
"""Applies a function to points, in any order and anywhere, and answers in their order."""


def waited_for(told: Ledger, entries: Assumptions) -> frozenset[str]:
    """Names that an assumptions file may add: records to come, and substituted measurements."""
    substitutes = {
        f"{SUBSTITUTE}{name}" for name, need in told.inputs.items() if need.machines == 1
    }
    return (told.names - entries.keys()) | substitutes


def verdicts(
    rows: Sequence[Row],
    override: Path | None = None,
    *,
    seed: int = SEED,
    draws: int = DRAWS,
    spread: Spread | None = None,
) -> Verdicts:
    """The verdicts on all claims, for every machine in ``rows``.

    The same rows, assumptions and seed give the same verdicts.

    Args:
        override: a file of assumptions in place of those that are shipped.
        spread: judges the claims somewhere else; None: here, one after the other.

    Raises:
        AssumptionError: that file does not stand.
    """
    told = ledger()
    entries = assumptions(override, declared=waited_for(told, assumptions()))
    by_machine = machines(rows)
    scenarios = subjects(told, entries, rows, draws, seed)
    if spread is None:
        # Parts that read no machine are judged once; as shipped, once for all reports.
        shared = _as_shipped(seed, draws) if override is None else _Shared()
        with kept_words(shared.words, words_key(entries, seed, draws)):
            judged = []
            for scenario in scenarios.values():
                moved = Sensitivity(scenario, shared.words)
                with kept_words(moved.own, words_key(entries, seed, draws, scenario, told.inputs)):
                    judged.append(_claims(told, moved, entries, shared))
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
    """The verdict on one claim of one machine, by nothing but what ``point`` holds."""
    shared = _Shared()
    return _claim(point.claim, Sensitivity(point.scenario, shared.words), point.entries, shared)


def _claims(
    told: Ledger, moved: Sensitivity, entries: Assumptions, shared: _Shared
) -> tuple[ClaimResult, ...]:
    return tuple(_claim(claim, moved, entries, shared) for claim in told.claims)


@dataclass(frozen=True)
class _Shared:
    """What is known of parts that read no machine: the same for every machine."""

    parts: dict[str, PartVerdict] = field(default_factory=dict)
    words: Words = field(default_factory=dict)


@cache
def _as_shipped(_seed: int, _draws: int) -> _Shared:
    return _Shared()


def _claim(claim: Claim, moved: Sensitivity, entries: Assumptions, shared: _Shared) -> ClaimResult:
    parts = []
    for part in claim.parts:
        if reads_machine(part):
            parts.append(judge_part(part, moved.scenario, entries, moved))
        else:
            if part.id not in shared.parts:
                shared.parts[part.id] = judge_part(part, moved.scenario, entries, moved)
            parts.append(shared.parts[part.id])
    word = combine(part.word for part in parts)
    return ClaimResult(claim, word, tuple(parts), _claim_flip(parts, moved, entries, word))


def _claim_flip(
    parts: Sequence[PartVerdict], moved: Sensitivity, entries: Assumptions, now: ClaimVerdict
) -> Flip | None:
    """What flips the claim as a whole: a change is seen by every part that reads it."""
    drawn = [part for part in parts if part.judgement is not None]
    if len(parts) == 1:
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
        if name in scenario.values
    )
    return smallest_flip(word_of, names, now, limits(entries, names))
