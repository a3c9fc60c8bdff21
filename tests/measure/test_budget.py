"""What the profiles promise: quick within 90 s, full within 20 min, no family over a quarter.

With a GPU quick has 120 s, and full 20 min for the cases that need one.
"""

from collections import defaultdict
from dataclasses import replace

import pytest

from membench.case import Needs
from membench.machine import Gpu, Gpus, Machine, snapshot
from membench.measure.options import RunOptions
from membench.measure.plan import estimate, make_plan
from membench.record.plan import Plan, PlannedCase
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


@pytest.fixture(scope="module")
def with_gpu(machine: Machine) -> Machine:
    """The same with an H100."""
    gpu = Gpu(0, "NVIDIA H100 80GB HBM3", "0" * 12, 80 * GIB, "9.0")
    return replace(machine, gpus=Gpus(driver="580", cuda="13.0", devices=(gpu,)))


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
    assert too_long(plan) == {}


def test_quick_fits_into_120_seconds_with_a_gpu(with_gpu: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), with_gpu)
    assert sum(needs_gpu(case) and not case.skipped for case in plan.cases) > 30
    assert estimate(plan).seconds <= 120


def test_the_gpu_cases_of_full_fit_into_20_minutes(with_gpu: Machine) -> None:
    plan = make_plan(RunOptions(profile="full"), registry(), with_gpu)
    of_gpu = replace(plan, cases=tuple(case for case in plan.cases if needs_gpu(case)))
    assert estimate(of_gpu).seconds <= FULL_SECONDS
    assert too_long(plan) == {}


def needs_gpu(case: PlannedCase) -> bool:
    return Needs.GPU in registry().benches[case.bench].needs


def too_long(plan: Plan) -> dict[str, float]:
    """The families that take more than a quarter of the time of the full profile."""
    families: defaultdict[str, float] = defaultdict(float)
    for case in plan.cases:
        rounds = min(case.rounds or plan.rounds, plan.rounds)
        families[registry().benches[case.bench].family] += rounds * case.seconds
    return {name: cost for name, cost in families.items() if cost > FULL_SECONDS / 4}


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


def test_what_is_measured_once_a_run_costs_its_time_once(machine: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), machine)
    (case, *_) = (case for case in plan.cases if not case.skipped)
    only = replace(plan, cases=(case,))
    once = replace(plan, cases=(replace(case, rounds=1),))
    saved = estimate(only).seconds - estimate(once).seconds
    assert saved == pytest.approx((plan.rounds - 1) * case.seconds)
