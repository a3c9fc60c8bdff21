"""What the profiles promise: quick within 90 s, full within 20 min, no family over a quarter."""

from collections import defaultdict
from dataclasses import replace

import pytest

from membench.machine import Machine, snapshot
from membench.measure.options import RunOptions
from membench.measure.plan import estimate, make_plan
from membench.registry import registry
from membench.units import GIB

FULL_SECONDS = 20 * 60


@pytest.fixture(scope="module")
def machine() -> Machine:
    """This machine with the CPUs and memory of a common server, so that every case is planned."""
    here = snapshot()
    cpu = replace(here.cpu, affinity=tuple(range(64)), usable=64, quota=None)
    memory = replace(here.memory, total=256 * GIB, available=250 * GIB, cgroup_limit=None)
    return replace(here, cpu=cpu, memory=memory)


def test_quick_fits_into_90_seconds_and_2_gib(machine: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), machine)
    cost = estimate(plan)
    assert plan.rounds == 5
    assert 10 < cost.seconds <= 90
    assert cost.memory <= 2 * GIB


def test_full_fits_into_20_minutes_and_no_family_takes_over(machine: Machine) -> None:
    plan = make_plan(RunOptions(profile="full"), registry(), machine)
    assert plan.rounds == 10
    assert estimate(plan).seconds <= FULL_SECONDS
    families: defaultdict[str, float] = defaultdict(float)
    for case in plan.cases:
        families[registry().benches[case.bench].family] += plan.rounds * case.seconds
    assert {name: cost for name, cost in families.items() if cost > FULL_SECONDS / 4} == {}


def test_an_estimate_counts_what_can_run_and_nothing_else(machine: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), machine)
    half = replace(
        plan,
        cases=tuple(
            replace(case, skipped="no") if n % 2 else case for n, case in enumerate(plan.cases)
        ),
    )
    assert estimate(half).seconds < estimate(plan).seconds
    none = replace(plan, cases=tuple(replace(case, skipped="no") for case in plan.cases))
    assert estimate(none).memory == 0
