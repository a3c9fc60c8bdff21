"""The differences between the values of a label and the values of the reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from membench.analysis.alike import is_auto, likeness_of, sizes
from membench.analysis.figure import Basis, CaseRuns, pooled
from membench.analysis.in_turns import Values, settle_pairs
from membench.analysis.statistics import (
    CONFIDENCE,
    VALUES_NEEDED,
    RatioEstimate,
    estimates,
)
from membench.analysis.verdict import Reason, Verdict, judge
from membench.core.record import record
from membench.core.terms import FLAGS, INVALID_FLAGS
from membench.core.units import about_size

SINGLE_ROUND_CONFIDENCE = 0.99
"""Confidence level for samples of a single round.

The level is higher than usual, because such samples do not show the noise between rounds.
"""
SEVERAL_RUNS = f"measure at least {VALUES_NEEDED} runs per side, alternately (A B B A ...)"


@dataclass(frozen=True, slots=True)
class Difference:
    """How the values of a label differ from the values of the reference.

    Attributes:
        ratio: value of the label / value of the reference; may be None with the verdict `n/a`.
        interval: confidence interval of the ratio; None if there are too few values, or with the
            verdict `n/a`.
        best: ratio of the best samples; no verdict depends on this ratio.
        counts: number of values of the reference and of the label.
        single_round: whether the values are samples of a single round per label.
        in_turns: whether the values are pairs of rounds that were measured in turns.
        detail: why the values are not comparable; empty if they are comparable.
        settle: how to get a verdict instead of `unclear` or `n/a`.
        offset: fraction that the difference of two unchanged runs rarely exceeds; None if unknown,
            if the label or the reference has several runs, or for paired rounds.
    """

    verdict: Verdict
    reason: Reason
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    best: float | None = None
    confidence: float = CONFIDENCE
    counts: tuple[int, int] = (0, 0)
    single_round: bool = False
    in_turns: bool = False
    detail: str = ""
    settle: str = ""
    offset: float | None = None

    @property
    def within_offset(self) -> bool:
        """Whether the difference is at most `offset`; False if `offset` is unknown."""
        if self.offset is None or not self.ratio:
            return False
        return abs(math.log(self.ratio)) <= math.log1p(self.offset)


@record
class CasePair:
    """The values of the reference and of the label that is compared with the reference.

    Attributes:
        threshold: smallest relative difference that matters, a fraction.
        in_turns: the values as pairs of rounds; None unless the rounds were measured in turns.
    """

    reference: CaseRuns
    contender: CaseRuns
    threshold: float
    in_turns: Values | None = None


@record
class _Ready:
    """A comparable pair, with the values that the estimate uses: rounds, runs or samples."""

    place: int
    pair: CasePair
    first: CaseRuns
    second: CaseRuns
    single: bool

    @property
    def shape(self) -> tuple[int, int, bool]:
        """What pairs must have in common to be estimated in one call."""
        return len(self.first.values), len(self.second.values), self.single


def find(pairs: Sequence[CasePair]) -> list[Difference]:
    found: dict[int, Difference] = {}
    groups: dict[tuple[int, int, bool], list[_Ready]] = {}
    paired: dict[int, list[int]] = {}
    for place, pair in enumerate(pairs):
        hindered = None if _of_one_kind(pair) else obstacle(pair.reference, pair.contender)
        if hindered is not None:
            found[place] = hindered
            continue
        if pair.in_turns is not None:
            paired.setdefault(len(pair.in_turns[0]), []).append(place)
            continue
        first, second = pooled(pair.reference), pooled(pair.contender)
        single = first is not None and second is not None
        if first is None or second is None:
            first, second = pair.reference, pair.contender
        ready = _Ready(place, pair, first, second, single)
        groups.setdefault(ready.shape, []).append(ready)
    for (_, _, single), group in groups.items():
        estimated = estimates(
            [one.first.values for one in group],
            [one.second.values for one in group],
            SINGLE_ROUND_CONFIDENCE if single else CONFIDENCE,
        )
        for one, estimate in zip(group, estimated, strict=True):
            found[one.place] = _finding(one, estimate)
    for places in paired.values():
        found.update(zip(places, _in_turns([pairs[place] for place in places]), strict=True))
    return [found[place] for place in range(len(pairs))]


def _in_turns(pairs: Sequence[CasePair]) -> Iterator[Difference]:
    """Yield the difference for each of ``pairs``, which have equally many paired rounds."""
    from membench.analysis.signed_rank import paired_estimates  # separate runs do not need it

    values = [pair.in_turns for pair in pairs if pair.in_turns is not None]
    estimated = paired_estimates([first for first, _ in values], [second for _, second in values])
    for pair, (first, _), one in zip(pairs, values, estimated, strict=True):
        estimate, better = one.estimate, pair.reference.rows[0].better
        verdict, reason = judge(estimate.log_interval, pair.threshold, better)
        yield Difference(
            verdict=verdict,
            reason=reason,
            ratio=estimate.ratio,
            interval=estimate.interval,
            best=_best(pair),
            counts=(len(first), len(first)),
            in_turns=True,
            settle=settle_pairs(reason, len(first), one.deviation, pair.threshold),
        )


def _finding(ready: _Ready, estimated: RatioEstimate) -> Difference:
    first, second = ready.first, ready.second
    better = ready.pair.reference.rows[0].better
    verdict, reason = judge(estimated.log_interval, ready.pair.threshold, better)
    return Difference(
        verdict=verdict,
        reason=reason,
        ratio=estimated.ratio,
        interval=estimated.interval,
        best=_best(ready.pair),
        confidence=SINGLE_ROUND_CONFIDENCE if ready.single else CONFIDENCE,
        counts=(len(first.values), len(second.values)),
        single_round=ready.single,
        settle=_settle(reason, first, second),
    )


def _best(pair: CasePair) -> float | None:
    reference, contender = pair.reference.best, pair.contender.best
    ratio = contender / reference if reference and contender else math.inf
    return ratio if 0 < ratio < math.inf else None


@record
class _Ground:
    """A column whose value must be equal for both labels, so that the numbers are comparable."""

    reason: Reason
    column: str
    settle: str


_FEW_HUGE_PAGES = "few-huge-pages"
_SAME_VERSION = "run both sides with the same version of membench"
_GROUNDS = (
    _Ground(Reason.CASE_VERSION, "case_version", _SAME_VERSION),
    _Ground(Reason.UNIT, "unit", "measure both sides again with this version of membench"),
    _Ground(Reason.BYTES, "bytes_convention", _SAME_VERSION),
    _Ground(Reason.BACKEND, "backend", "run both sides on the same kind of device"),
)
_OUR_BACKENDS = frozenset({"cuda", "cpu", "storage"})
_ground_of = attrgetter(*(ground.column for ground in _GROUNDS))


def _of_one_kind(pair: CasePair) -> bool:
    """Whether all rows share one `Common` object, which has no flag of `INVALID_FLAGS`."""
    first, *others = (*pair.reference.commons, *pair.contender.commons)
    return all(one is first for one in others) and INVALID_FLAGS.isdisjoint(first.flags)


def obstacle(reference: CaseRuns, contender: CaseRuns) -> Difference | None:
    """A difference without a verdict if two values are not comparable; None if they are comparable.

    The difference has a ratio if only the sizes differ, or if a published figure is for another
    case.
    """
    counts = (len(reference.values), len(contender.values))
    if not INVALID_FLAGS.isdisjoint({*reference.flags, *contender.flags}):
        return Difference(
            Verdict.NA,
            Reason.ABOVE_PEAK,
            counts=counts,
            detail="a value above the peak of its tier is invalid",
            settle="use a larger size",
        )
    if len({_FEW_HUGE_PAGES in one.flags for one in (reference, contender)}) > 1:
        return Difference(
            Verdict.NA,
            Reason.PAGES,
            counts=counts,
            detail="only one side got enough huge pages",
            settle=FLAGS[_FEW_HUGE_PAGES].remedy,
        )
    sides = [set(map(_ground_of, one.commons)) for one in (reference, contender)]
    alike = len({one.case for side in (reference, contender) for one in side.commons}) > 1
    if len(sides[0] | sides[1]) == 1 and not alike:
        return None
    for place, ground in enumerate(_GROUNDS):
        if alike and ground.reason is Reason.CASE_VERSION:
            continue  # a bench got a new version when its default size changed
        here, there = ({values[place] for values in side if values[place]} for side in sides)
        if ground.reason is Reason.BACKEND:
            # The backend of an imported or published figure does not name the hardware.
            here, there = here & _OUR_BACKENDS, there & _OUR_BACKENDS
        if ground.reason is Reason.CASE_VERSION and not all(map(_is_ours, (reference, contender))):
            continue  # an imported or published figure has no case version
        if len(here | there) > 1:
            return Difference(
                Verdict.NA,
                ground.reason,
                counts=counts,
                detail=f"{ground.column} differs: {_words(here)} | {_words(there)}",
                settle=ground.settle,
            )
    if alike and (reference.cited or contender.cited):
        return _unlike_figure(reference, contender, counts)
    return _unlike_sizes(reference, contender, counts) if alike else None


def _is_ours(one: CaseRuns) -> bool:
    return not (one.cited or one.imported)


def _unlike_sizes(reference: CaseRuns, contender: CaseRuns, counts: tuple[int, int]) -> Difference:
    """The ratio of two memory rows: one has a requested size, the other has ``size=auto``."""
    here, there = (
        f"{'auto' if all(is_auto(one.case) for one in side.commons) else 'requested'} "
        f"({', '.join(map(about_size, sizes(side.rows))) or 'bytes unknown'})"
        for side in (reference, contender)
    )
    return Difference(
        Verdict.NA,
        Reason.SIZE,
        ratio=contender.value / reference.value,
        counts=counts,
        detail=f"size: {here} | {there}",
        settle="run both sides with the same size: --set BENCHGLOB:size=SIZE",
    )


def _unlike_figure(
    reference: CaseRuns, contender: CaseRuns, counts: tuple[int, int]
) -> Difference | None:
    """The ratio to a published figure for another case, without a verdict.

    None if the figure permits all differences between the cases, so that a verdict is possible.
    """
    found = likeness_of(reference.rows[0], contender.rows[0])
    if found is None or found.alike:
        return None
    cited = reference if reference.cited else contender
    return Difference(
        Verdict.NA,
        Reason.CASE,
        ratio=contender.value / reference.value,
        counts=counts,
        detail=f"the nearest case: {'; '.join(map(str, found.others))}",
        settle="compare figures of the same case"
        if reference.cited and contender.cited
        else "measure the case of the published figure: membench run --select "
        f"{cited.rows[0].case}",
    )


def _words(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values))) or "-"


def _settle(reason: Reason, first: CaseRuns, second: CaseRuns) -> str:
    """How to get a verdict instead of `unclear`; empty for other verdicts.

    More rounds are not recommended, because all rounds of a run share an offset.
    """
    if reason not in (Reason.FEW, Reason.WIDE):
        return ""
    if any(one.cited for one in (first, second)):
        return (
            "a published figure is a single value: for a verdict, measure the machine of the figure"
        )
    if any(one.imported and len(one.values) < VALUES_NEEDED for one in (first, second)):
        return f"import at least {VALUES_NEEDED} runs of the other tool under one label"
    if Basis.RUNS in (first.basis, second.basis):
        fewest = min(len(one.values) for one in (first, second) if one.basis is Basis.RUNS)
        if fewest < VALUES_NEEDED:
            return (
                f"give at least {VALUES_NEEDED} runs per side; with only one run per side, "
                "membench compares the rounds of the two runs"
            )
        return "give more runs per side"
    return SEVERAL_RUNS
