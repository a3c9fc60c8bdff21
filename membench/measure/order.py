"""The order of the cases in a round: shuffled, so that no case always follows the same one."""

from __future__ import annotations

import random

from membench.results.plan import Plan, PlannedCase


def order(plan: Plan, round_: int) -> tuple[PlannedCase, ...]:
    """The runnable cases of ``plan`` in the order of ``round_``: a function of the seed alone."""
    cases = [case for case in plan.cases if not case.skipped and plan.measures(case, round_)]
    random.Random(f"{plan.seed}/{round_}").shuffle(cases)  # not a secret: it must be repeatable
    return tuple(cases)
