"""Shuffles the cases of each round, so that a case does not always follow the same case."""

from __future__ import annotations

import random

from membench.results.plan import Plan, PlannedCase


def order(plan: Plan, round_: int) -> tuple[PlannedCase, ...]:
    """The runnable cases of ``plan`` in round ``round_``, in the order of measurement.

    The plan's seed and the round determine the order. Round 1 begins with the shortest case.
    """
    cases = [case for case in plan.cases if not case.skipped and plan.measures(case, round_)]
    random.Random(f"{plan.seed}/{round_}").shuffle(cases)
    if round_ == 1 and cases:  # begin with the shortest case, so that the user soon sees a result
        cases.insert(0, cases.pop(cases.index(min(cases, key=lambda case: case.seconds))))
    return tuple(cases)
