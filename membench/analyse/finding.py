"""One figure held against the reference's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.analyse.figure import Basis, Figure, pooled
from membench.analyse.statistics import CONFIDENCE, VALUES_NEEDED, estimate, mann_whitney_p
from membench.analyse.verdict import Reason, Verdict, judge
from membench.record.schema import Row

SINGLE_ROUND_CONFIDENCE = 0.99
"""For the samples of a single round, which hide the noise between rounds: be harder to convince."""
_MANY_ROUNDS = 10


@dataclass(frozen=True)
class Finding:
    """How a label's figure compares with the reference's.

    Attributes:
        ratio: label / reference, None where they cannot be compared.
        interval: confidence interval of the ratio, None where the values are too few.
        p: of the Mann-Whitney test, for those who ask; no verdict depends on it.
        counts: values of the reference and of the label.
        single_round: the values are samples of one round a side: not to be gated on.
        detail: the reason in words, empty where the numbers say it all.
        settle: what would turn `unclear` or `n/a` into an answer.
    """

    verdict: Verdict
    reason: Reason
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float = CONFIDENCE
    p: float | None = None
    counts: tuple[int, int] = (0, 0)
    single_round: bool = False
    detail: str = ""
    settle: str = ""


def find(reference: Figure, contender: Figure, threshold: float) -> Finding:
    """The finding on ``contender``; ``threshold`` is a fraction."""
    obstacle = _obstacle(reference, contender)
    if obstacle is not None:
        return obstacle
    first, second = pooled(reference), pooled(contender)
    single = first is not None and second is not None
    if first is None or second is None:
        first, second = reference, contender
    confidence = SINGLE_ROUND_CONFIDENCE if single else CONFIDENCE
    estimated = estimate(first.values, second.values, confidence)
    verdict, reason = judge(estimated.log_interval, threshold, reference.rows[0].better)
    return Finding(
        verdict=verdict,
        reason=reason,
        ratio=estimated.ratio,
        interval=estimated.interval,
        confidence=confidence,
        p=mann_whitney_p(first.values, second.values),
        counts=(len(first.values), len(second.values)),
        single_round=single,
        settle=_settle(reason, first, second),
    )


@dataclass(frozen=True)
class _Ground:
    """A property that both sides must share, or their numbers mean different things."""

    reason: Reason
    name: str
    of: Callable[[Row], str]
    settle: str


_GROUNDS = (
    _Ground(
        Reason.CASE_VERSION,
        "case_version",
        lambda row: str(row.case_version),
        "run both sides with the same version of membench",
    ),
    _Ground(Reason.UNIT, "unit", lambda row: row.unit, "run both sides with this membench"),
    _Ground(
        Reason.BYTES,
        "bytes_convention",
        lambda row: str(row.bytes_convention or ""),
        "run both sides with the same version of membench",
    ),
    _Ground(
        Reason.BACKEND,
        "backend",
        # Another tool's figure, or a cited one, does not say which hardware it used.
        lambda row: row.backend if row.backend in ("cuda", "cpu", "storage") else "",
        "run both sides on the same kind of device",
    ),
)


def _obstacle(reference: Figure, contender: Figure) -> Finding | None:
    counts = (len(reference.values), len(contender.values))
    if not all(row.credible for one in (reference, contender) for row in one.rows):
        return Finding(
            Verdict.NA,
            Reason.ABOVE_PEAK,
            counts=counts,
            detail="a value lies above the peak of its tier, so it is not the tier's",
            settle="use a larger size",
        )
    for ground in _GROUNDS:
        here, there = (
            {value for row in one.rows if (value := ground.of(row))}
            for one in (reference, contender)
        )
        if len(here | there) > 1:
            detail = f"{ground.name} differs: {_words(here)} | {_words(there)}"
            return Finding(
                Verdict.NA,
                ground.reason,
                counts=counts,
                detail=detail,
                settle=ground.settle,
            )
    return None


def _words(values: set[str]) -> str:
    return ", ".join(sorted(values)) or "-"


def _settle(reason: Reason, first: Figure, second: Figure) -> str:
    """The least that would help: more rounds while they are few, then more runs."""
    if reason not in (Reason.FEW, Reason.WIDE):
        return ""
    if Basis.RUNS in (first.basis, second.basis):
        fewest = min(len(one.values) for one in (first, second) if one.basis is Basis.RUNS)
        if fewest < VALUES_NEEDED:
            return f"give {VALUES_NEEDED} runs a side, or one run a side"
        return "give more runs a side"
    fewest = min(len(one.values) for one in (first, second))
    if Basis.SAMPLES in (first.basis, second.basis) or fewest < _MANY_ROUNDS:
        return f"run again with --rounds {_MANY_ROUNDS}"
    return f"run again on a quieter machine, or give {VALUES_NEEDED} runs a side"
