"""What the profiles promise: quick within 90 s, full within 20 min, no family over a quarter.

With an H100 quick has 120 s.  Both sums are of everything that such a machine has: its GPU, two
sockets, a disk.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from membench.benches import registry
from membench.core.case import SWEEP_ROUNDS, Needs
from membench.core.snapshot import Filesystem, Gpu, Gpus, Machine, Node
from membench.core.units import GIB
from membench.machine import snapshot
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

FULL_SECONDS = 20 * 60
DISK = Filesystem("/scratch", "/", "ext4", "", "nvme0n1", 1000 * GIB, direct_io="")


@pytest.fixture(scope="module")
def machine() -> Machine:
    """This machine with the CPUs and memory of a common server, so that every case is planned."""
    here = snapshot()
    cpu = replace(here.cpu, affinity=tuple(range(64)), usable=64, quota=None)
    sockets = tuple(
        Node(node, tuple(range(32 * node, 32 * node + 32)), 128 * GIB, (10, 20)) for node in (0, 1)
    )
    memory = replace(
        here.memory, total=256 * GIB, available=250 * GIB, cgroup_limit=None, nodes=sockets
    )
    return replace(here, cpu=cpu, memory=memory, gpus=Gpus())


@pytest.fixture(scope="module")
def with_gpu(machine: Machine) -> Machine:
    """The same with an H100."""
    gpu = Gpu(0, "NVIDIA H100 80GB HBM3", "0" * 12, 80 * GIB, "9.0")
    return replace(machine, gpus=Gpus(driver="580", cuda="13.0", devices=(gpu,)))


def full(machine: Machine) -> Plan:
    return make_plan(RunOptions(profile="full"), registry(), machine, DISK)


def test_quick_fits_into_90_seconds_and_2_gib(machine: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), machine, DISK)
    cost = estimate(plan)
    assert plan.rounds == 5
    assert 10 < cost.seconds <= 90
    assert cost.memory <= 2 * GIB


def test_quick_fits_into_120_seconds_with_a_gpu(with_gpu: Machine) -> None:
    plan = make_plan(RunOptions(profile="quick"), registry(), with_gpu, DISK)
    assert sum(needs_gpu(case) and not case.skipped for case in plan.cases) > 30
    assert estimate(plan).seconds <= 0.85 * 120  # the rest is for machines that are slower


def test_full_fits_into_20_minutes_and_no_family_takes_over(
    machine: Machine, with_gpu: Machine
) -> None:
    for plan in (full(machine), full(with_gpu)):
        assert plan.rounds == 10
        assert estimate(plan).seconds <= FULL_SECONDS
        assert too_long(plan) == {}


def test_everything_that_such_a_machine_has_is_in_the_sum(with_gpu: Machine) -> None:
    """Left out is what needs a second GPU: nothing else makes the plan look shorter."""
    reasons = {case.skipped for case in full(with_gpu).cases if case.skipped}
    assert reasons == {"needs 2 GPUs, this machine shows 1"}


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
    """The families that take more than a quarter of the time of the full profile."""
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
    plan = full(with_gpu)
    seconds = family_seconds(plan, lambda case: registry().benches[case.bench].family)
    text = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="ascii")
    rows = re.findall(r"^\| (`.*`) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    documented = {
        registry().benches[names.split("`")[1]].family: float(whole) for names, _, whole in rows
    }
    assert documented == pytest.approx(seconds, abs=0.51)
    (whole,) = re.findall(r"^\| \*\*in all\*\* \| \d+ \| \*\*(\d+)\*\* \|$", text, re.MULTILINE)
    assert float(whole) == pytest.approx(estimate(plan).seconds, abs=0.51)
