"""The commands that a report suggests for a claim.

Some commands measure the inputs of the claim. One more command changes assumptions so that a
verdict changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from membench.core.record import record
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.assumptions import SUBSTITUTE, Assumption, AssumptionError, Assumptions
from membench.thesis.claims.draws import latin_hypercube
from membench.thesis.claims.flip import Flip
from membench.thesis.claims.given import given, text_of
from membench.thesis.claims.judging import PartVerdict, names_of, reads_machine, word_in
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import Ledger, Part
from membench.thesis.claims.rule import combine
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.strength import weak

_BEYOND = 1.001
"""Factor for a step, because bisection is approximate."""
_FACTORS = (1.0, 1.25, 0.8, 2.0, 0.5, 4.0, 0.25, 10.0, 0.1, 100.0, 0.01)


@record
class Assumed:
    """Changed assumptions that change a verdict.

    Attributes:
        options: the arguments of `--assume`.
        moves: id of the claim or of the part whose verdict changes.
        becomes: the new verdict.
    """

    options: tuple[str, ...]
    moves: str
    becomes: ClaimVerdict

    @property
    def command(self) -> str:
        options = "".join(f" --assume '{option}'" for option in self.options)
        return f"membench report mybox.csv -o verdicts.json{options}"


def measuring(told: Ledger, parts: Iterable[Part]) -> tuple[str, ...]:
    """The commands that measure the inputs of ``parts`` and compute the verdicts.

    The result is empty if no input is a measurement.
    """
    needs = [told.inputs[name] for name in dict.fromkeys(n for p in parts for n in p.measurements)]
    globs = dict.fromkeys(need.select[0] for need in needs)
    if not globs:
        return ()
    select = "".join(f" --select '{glob}'" for glob in globs)
    select = " --profile full" * any(need.full for need in needs) + select
    runs = [f"membench run{select} -o mybox.csv"]
    if any(need.machines > 1 for need in needs):
        runs.append(f"membench run{select} -o other.csv")
        return (*runs, "membench report mybox.csv other.csv -o verdicts.json")
    return (*runs, "membench report mybox.csv -o verdicts.json")


def assuming(
    parts: Sequence[PartVerdict],
    flip: Flip | None,
    scenario: Scenario,
    entries: Assumptions,
    told: Ledger,
    waited: Mapping[str, str],
    known: dict[tuple[str, tuple[str, ...]], ClaimVerdict],
) -> Assumed | None:
    """Find the first of `_candidates` that changes the verdict on the claim.

    If the verdict on the claim never changes, the result is the first candidate that changes the
    verdict on a part. The result is None if no candidate changes a verdict.

    Args:
        parts: all parts of one claim.
        flip: the smallest change of one input that changes the verdict on the claim.
        waited: the result of `waited_for`.
        known: (id of a part, options) -> the verdict. A cache for parts that use no machine.
    """
    now = combine(part.word for part in parts)
    before = {part.part.id: part.word for part in parts}
    second: Assumed | None = None
    for options in _candidates(parts, flip, entries, told):
        try:
            changed = given(options, entries, waited, date.min)
        except AssumptionError:
            continue
        moved = {name: changed[name] for name in (text.partition("=")[0] for text in options)}
        there = _moved_scenario(scenario, moved)
        read = {name.removeprefix(SUBSTITUTE) for name in moved}
        words = {}
        for part in parts:
            key = (part.part.id, options)
            if read.isdisjoint(names_of(part.part, scenario)):
                words[part.part.id] = part.word
            elif reads_machine(part.part):
                words[part.part.id] = word_in(part.part, there, changed)
            else:
                if key not in known:
                    known[key] = word_in(part.part, there, changed)
                words[part.part.id] = known[key]
        becomes = combine(words.values())
        if becomes is not now:
            return Assumed(options, parts[0].part.id[:3], becomes)
        for name, word in words.items():
            if second is None and word is not before[name]:
                second = Assumed(options, name, word)
    return second


def _moved_scenario(scenario: Scenario, moved: Assumptions) -> Scenario:
    """``scenario`` with new random draws for the entries ``moved``."""
    values = dict(scenario.values)
    missing = dict(scenario.missing)
    draws = len(next(iter(values.values())))
    for name, entry in moved.items():
        own = name.removeprefix(SUBSTITUTE)
        if own != name and own in scenario.rows:
            continue  # a measurement takes precedence over an assumption
        values[own] = entry.scale * latin_hypercube(
            name, entry.low, entry.high, draws=draws, seed=scenario.seed
        )
        missing.pop(own, None)
    return replace(scenario, values=values, missing=missing)


def _candidates(
    parts: Sequence[PartVerdict], flip: Flip | None, entries: Assumptions, told: Ledger
) -> Iterator[tuple[str, ...]]:
    """Changes to try, as options of `--assume`, in this order.

    - ``flip`` and the flips of the parts, if they change an assumption
    - another kind of evidence for a value that only a vendor or a forecast gives
    - a value for a record that no one has published yet
    - values for the missing measurements
    """
    flips = [flip, *(part.flip for part in parts)]
    for one in flips:
        if one is not None and one.name in entries:
            yield (_flipped(one, entries[one.name]),)
    for part in parts:
        if weak(part.part, part.rows, entries) is not None:
            yield from _better_known(part.part, entries)
    for part in parts:
        for name in part.part.assumptions:
            if name in told.awaited and name not in entries:
                record = told.awaited[name]
                yield (f"{name}={record.example:g} {record.unit}",)
    for part in parts:
        yield from _as_if_measured([name for name in part.missing if name in told.inputs], told)


def _flipped(flip: Flip, entry: Assumption) -> str:
    """The `--assume` text with the value of ``entry`` just beyond ``flip``.

    The value is rounded to three digits, away from the old value. A year is not rounded, and
    neither is a share whose range would exceed 1.
    """
    if entry.unit == "year":
        return text_of(entry, entry.value + flip.step * _BEYOND)
    value = entry.value * math.exp(flip.step * _BEYOND)
    digit = 10.0 ** (math.floor(math.log10(value)) - 2)
    outward = math.ceil if flip.step > 0 else math.floor
    rounded = outward(value / digit) * digit
    if entry.unit == "share" and rounded * entry.high / entry.value > 1:
        return text_of(entry, value)  # a share cannot exceed 1
    return text_of(entry, rounded)


def _better_known(part: Part, entries: Assumptions) -> Iterator[tuple[str, ...]]:
    """Options that declare one assumption of ``part`` as measured elsewhere.

    Each option multiplies the value by one of `_FACTORS`. To a year, the option adds the natural
    logarithm of the factor.
    """
    names = [name for name in part.rests_on or part.assumptions if name in entries]
    for factor in _FACTORS:
        for name in names:
            entry = entries[name]
            step = math.log(factor)
            value = entry.value + step if entry.unit == "year" else entry.value * factor
            if entry.unit == "share" and value > 1:
                continue
            yield (text_of(entry, value, EvidenceKind.ELSEWHERE),)


def _as_if_measured(names: Sequence[str], told: Ledger) -> Iterator[tuple[str, ...]]:
    """Options that assume typical H100 values for all missing measurements ``names``.

    Each set of options multiplies one of the values by one of `_FACTORS`.
    """
    typical = {name: told.inputs[name].typical for name in names}
    if not typical or not all(typical.values()):
        return
    for moved in typical:
        for factor in _FACTORS:
            yield tuple(
                f"{SUBSTITUTE}{name}={_times(text, factor if name == moved else 1.0)}"
                for name, text in typical.items()
            )


def _times(text: str, factor: float) -> str:
    number, _, unit = text.partition(" ")
    return f"{float(number) * factor:g} {unit}"
