"""Commands for a reader: to measure the inputs of a claim, or to change one of its assumptions.

A reader who disagrees with a verdict disagrees with one of its inputs. For every claim, this module
finds one input whose change changes the verdict, and the command that changes it. The changed
verdict is computed before the command is shown.
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
from membench.thesis.claims.judging import PartVerdict, word_in
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import Ledger, Part
from membench.thesis.claims.rule import combine
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.strength import weak

_BEYOND = 1.001
"""Factor by which the flip is exceeded, because bisection finds it only approximately."""
_FACTORS = (1.0, 1.25, 0.8, 2.0, 0.5, 4.0, 0.25, 10.0, 0.1, 100.0, 0.01)


@record
class Assumed:
    """`--assume` options that change the verdict on ``moves`` to ``becomes``."""

    options: tuple[str, ...]
    moves: str
    becomes: ClaimVerdict

    @property
    def command(self) -> str:
        """The command that shows the changed verdict; ``mybox.csv`` stands for the results file."""
        options = "".join(f" --assume '{option}'" for option in self.options)
        return f"membench report mybox.csv -o verdicts.json{options}"


def measuring(told: Ledger, parts: Iterable[Part]) -> tuple[str, ...]:
    """The commands that measure the inputs of ``parts`` and judge them.

    Empty if no input is a measurement. A part that compares two machines also needs the commands
    for a second machine.
    """
    needs = [told.inputs[name] for name in dict.fromkeys(n for p in parts for n in p.measurements)]
    globs = dict.fromkeys(need.select[0] for need in needs)
    if not globs:
        return ()
    select = "".join(f" --select '{glob}'" for glob in globs)
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
) -> Assumed | None:
    """The first change that changes the verdict on the claim or on a part.

    Changes are tried in this order: the flip of the verdict, if it changes an assumption; another
    kind of evidence for a figure that only a vendor or a forecast gives; a record that the claim
    waits for; a measurement that no row provides.

    Args:
        parts: the parts of one claim.
        waited: names that may be given although ``entries`` do not contain them, with their units.
    """
    now = combine(part.word for part in parts)
    before = {part.part.id: part.word for part in parts}
    second: Assumed | None = None
    for options in _candidates(parts, flip, entries, told):
        try:
            changed = given(options, entries, waited, date.min)
        except AssumptionError:
            continue
        there = moved_scenario(scenario, entries, changed)
        words = {
            part.part.id: word_in(part.part, there, changed) if part.part.thresholds else part.word
            for part in parts
        }
        becomes = combine(words.values())
        if becomes is not now:
            return Assumed(options, parts[0].part.id[:3], becomes)
        for name, word in words.items():
            if second is None and word is not before[name]:
                second = Assumed(options, name, word)
    return second


def moved_scenario(scenario: Scenario, before: Assumptions, after: Assumptions) -> Scenario:
    """``scenario`` with new draws for the entries that changed."""
    values = dict(scenario.values)
    missing = dict(scenario.missing)
    draws = len(next(iter(values.values())))
    for name, entry in after.items():
        if before.get(name) == entry:
            continue
        own = name.removeprefix(SUBSTITUTE)
        if own != name and own in scenario.rows:
            continue  # an assumption does not replace a measurement
        values[own] = entry.scale * latin_hypercube(
            name, entry.low, entry.high, draws=draws, seed=scenario.seed
        )
        missing.pop(own, None)
    return replace(scenario, values=values, missing=missing)


def _candidates(
    parts: Sequence[PartVerdict], flip: Flip | None, entries: Assumptions, told: Ledger
) -> Iterator[tuple[str, ...]]:
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
    """The value of ``entry`` just beyond the flip, rounded away from it to three digits."""
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
    """Options that give one figure of ``part`` as measured elsewhere, at and near its value."""
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
    """Options that give missing inputs typical H100 values; variants with one input changed."""
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
