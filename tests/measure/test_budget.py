"""Time limits of the profiles: quick takes 90 s, full 20 min, no family more than a quarter.

With an H100, quick may take 120 s. Each sum covers all cases of a machine with a GPU, two sockets
and a disk. The limits apply to the benches in the table of ``docs/profiles.md``. A new bench may
take a little more.
"""

import re
from dataclasses import replace

import pytest
from profile_table import (
    DISK,
    documented,
    family_of,
    gpu_server,
    made,
    of_benches,
    planned,
    server,
    shipped,
)

from membench.benches import registry
from membench.core.case import SWEEP_ROUNDS, Needs
from membench.core.snapshot import Machine
from membench.core.units import GIB
from membench.measure.options import RunOptions
from membench.measure.plan import (
    GPU_ROUND_SECONDS,
    ROUND_SECONDS,
    TUNE_SECONDS,
    estimate,
    family_seconds,
    make_plan,
)
from membench.results.plan import Plan, PlannedCase

QUICK_SECONDS = 90
QUICK_GPU_SECONDS = 120
FULL_SECONDS = 20 * 60

KEPT_FREE = 0.15
"""Share of quick with a GPU that must remain free, for slower machines and new benches."""

NEW = 0.05
"""Share of the time of a profile that all new benches together may add."""


@pytest.fixture(scope="module")
def machine() -> Machine:
    return server()


@pytest.fixture(scope="module")
def with_gpu() -> Machine:
    return gpu_server()


def full(machine: Machine) -> Plan:
    return planned("full", machine)


def test_quick_fits_into_90_seconds_and_2_gib(machine: Machine) -> None:
    plan = planned("quick", machine)
    cost = estimate(plan)
    assert plan.rounds == 5
    assert 10 < estimate(of_benches(plan, shipped())).seconds <= QUICK_SECONDS
    assert cost.seconds <= (1 + NEW) * QUICK_SECONDS
    assert cost.memory <= 2 * GIB


def test_quick_fits_into_120_seconds_with_a_gpu(with_gpu: Machine) -> None:
    plan = planned("quick", with_gpu)
    assert sum(needs_gpu(case) and not case.skipped for case in plan.cases) > 30
    shipping = estimate(of_benches(plan, shipped())).seconds
    assert shipping <= (1 - KEPT_FREE) * QUICK_GPU_SECONDS
    assert estimate(plan).seconds <= QUICK_GPU_SECONDS


def test_full_fits_into_20_minutes_and_no_family_takes_over(
    machine: Machine, with_gpu: Machine
) -> None:
    for plan in (full(machine), full(with_gpu)):
        assert plan.rounds == 10
        assert estimate(of_benches(plan, shipped())).seconds <= FULL_SECONDS
        assert estimate(plan).seconds <= (1 + NEW) * FULL_SECONDS
        assert too_long(plan) == {}


def test_everything_that_such_a_machine_has_is_in_the_sum(with_gpu: Machine) -> None:
    """The only skipped cases are cases that need a second GPU."""
    reasons = {case.skipped for case in full(with_gpu).cases if case.skipped}
    assert reasons == {"needs 2 GPUs, but membench may use only 1"}


def test_the_default_of_every_bench_has_all_rounds_and_the_rest_of_a_sweep_five(
    with_gpu: Machine,
) -> None:
    plan = full(with_gpu)
    every: dict[str, int] = {}
    for case in plan.cases:
        own = registry().benches[case.bench].rounds
        assert plan.rounds_of(case) in ({own} if own else {plan.rounds, SWEEP_ROUNDS["full"]})
        every[case.bench] = every.get(case.bench, 0) + (not own and not case.rounds)
    tuned = {case.bench for case in plan.cases if case.tuned}
    for bench, count in every.items():
        assert count == (0 if registry().benches[bench].rounds else 1 + (bench in tuned)), bench


def test_whoever_asks_for_rounds_gets_them_for_every_case(with_gpu: Machine) -> None:
    plan = make_plan(RunOptions(profile="full", rounds=10), registry(), with_gpu, DISK)
    once = [case for case in plan.cases if registry().benches[case.bench].rounds]
    assert {plan.rounds_of(case) for case in plan.cases if case not in once} == {10}
    assert {plan.rounds_of(case) for case in once} == {1}


def test_quick_measures_everything_in_all_of_its_rounds(with_gpu: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), with_gpu, DISK)
    assert {plan.rounds_of(case) for case in plan.cases} == {5}


def needs_gpu(case: PlannedCase) -> bool:
    return Needs.GPU in registry().benches[case.bench].needs


def too_long(plan: Plan) -> dict[str, float]:
    """Family -> seconds, for families with more than a quarter of the full profile."""
    seconds = family_seconds(plan, lambda case: registry().benches[case.bench].family)
    return {name: cost for name, cost in seconds.items() if cost > FULL_SECONDS / 4}


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


def test_a_gpu_costs_its_rounds_and_its_tuning(machine: Machine, with_gpu: Machine) -> None:
    only = RunOptions(select=("hbm/read/*",))
    plan = make_plan(only, registry(), with_gpu)
    cases = [case for case in plan.cases if not case.skipped]
    tuned = sum(case.tuned for case in cases)
    assert tuned == 1
    beside = estimate(plan).seconds - plan.rounds * sum(case.seconds for case in cases)
    assert beside == pytest.approx(
        plan.rounds * (ROUND_SECONDS + GPU_ROUND_SECONDS) + tuned * TUNE_SECONDS
    )
    assert estimate(make_plan(only, registry(), machine)).seconds == plan.rounds


def test_the_documented_sums_are_those_of_the_plan(with_gpu: Machine) -> None:
    """The table is in ``docs/profiles.md``. ``python ci/documents.py`` writes the table."""
    table = numbers(documented())
    generated = numbers(made(of_benches(full(with_gpu), shipped())))
    assert table.keys() == generated.keys()
    for line, (cases, seconds) in generated.items():
        assert table[line][0] == cases, line
        # The seconds are rounded, and other caches change them slightly.
        assert table[line][1] == pytest.approx(seconds, abs=1.01), line


def test_a_table_that_is_written_names_every_bench_that_can_run(with_gpu: Machine) -> None:
    plan = full(with_gpu)
    runnable = {family_of(case.bench) for case in plan.cases if not case.skipped}
    named = re.findall(r"`([^`]+)`", made(plan))
    assert {family_of(bench) for bench in named} == runnable
    assert len(named) == len(set(named))


def numbers(table: str) -> dict[str, tuple[str, float]]:
    """First cell of each line -> (cases, seconds)."""
    lines = re.findall(r"^\| (.+?) \| (\d*) ?\| \**(\d+)\** \|$", table, re.MULTILINE)
    assert len(lines) == table.count("\n")
    return {name: (cases, float(seconds)) for name, cases, seconds in lines}
