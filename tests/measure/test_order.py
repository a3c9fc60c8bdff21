"""The order of a round: shuffled, complete, and repeatable from the seed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from membench.core.terms import Metric, Stat, Tier
from membench.measure.order import order
from membench.results.plan import Plan, PlannedCase


def planned(number: int, skipped: str = "") -> PlannedCase:
    return PlannedCase(
        id=f"ddr/copy/n={number}",
        bench="ddr/copy",
        params={"n": number},
        version=1,
        tier=Tier.DDR,
        yields=((Metric.BANDWIDTH, Stat.MEDIAN),),
        seconds=1.0,
        memory=0,
        disk=0,
        backend="cpu",
        skipped=skipped,
    )


PLAN = Plan(
    run_id="20260101T000000Z-0000",
    machine="box",
    profile="quick",
    rounds=5,
    seed=1,
    timeout=10.0,
    device="auto",
    software="0",
    argv=(),
    started="2026-01-01T00:00:00Z",
    cases=tuple(planned(n, skipped="no" if n == 3 else "") for n in range(12)),
)


def ids(plan: Plan, round_: int) -> tuple[str, ...]:
    return tuple(case.id for case in order(plan, round_))


@given(st.integers(0, 2**31), st.integers(1, 20))
def test_a_round_has_every_runnable_case_once(seed: int, round_: int) -> None:
    plan = replace(PLAN, seed=seed)
    cases = order(plan, round_)
    assert sorted(case.id for case in cases) == sorted(c.id for c in plan.cases if not c.skipped)
    assert order(plan, round_) == cases


def test_rounds_and_seeds_have_orders_of_their_own() -> None:
    by_round = {ids(PLAN, round_) for round_ in range(1, 6)}
    by_seed = {ids(replace(PLAN, seed=seed), 1) for seed in range(5)}
    assert len(by_round) == 5
    assert len(by_seed) == 5


def test_the_order_is_the_same_in_every_version_of_python() -> None:
    # Fixed expected values, because resumed runs and readers of sidecars rely on this order.
    assert [case.params["n"] for case in order(PLAN, 1)] == [4, 0, 2, 7, 9, 5, 6, 11, 10, 1, 8]


def test_what_is_measured_once_a_run_is_in_the_first_round_alone() -> None:
    once = replace(planned(3), rounds=1)
    plan = replace(PLAN, cases=(planned(1), planned(2), once))
    assert once.id in ids(plan, 1)
    assert all(once.id not in ids(plan, round_) for round_ in (2, 3, 5))
    assert len(ids(plan, 2)) == 2


def test_half_of_the_rounds_are_every_other_round() -> None:
    half = replace(planned(0), rounds=5)
    plan = replace(PLAN, rounds=10, cases=(half,))
    assert [round_ for round_ in range(1, 11) if ids(plan, round_)] == [1, 3, 5, 7, 9]


@given(st.integers(1, 40), st.integers(0, 50))
def test_a_case_has_its_rounds_spread_over_the_run(rounds: int, own: int) -> None:
    case = replace(planned(0), rounds=own)
    plan = replace(PLAN, rounds=rounds, cases=(case,))
    found = [round_ for round_ in range(1, rounds + 1) if plan.measures(case, round_)]
    assert len(found) == plan.rounds_of(case) == min(own or rounds, rounds)
    assert found[0] == 1
    gaps = [after - before for before, after in zip(found, [*found[1:], rounds + 1], strict=True)]
    assert max(gaps) - min(gaps) <= 1


@given(st.integers(0, 2**31))
def test_only_the_first_round_begins_with_the_shortest_case(seed: int) -> None:
    cases = [*PLAN.cases, replace(planned(12), seconds=0.1)]
    plan = replace(PLAN, seed=seed, cases=tuple(cases))
    assert ids(plan, 1)[0] == "ddr/copy/n=12"
    first = {ids(replace(plan, seed=seed + n), round_)[0] for n in range(8) for round_ in (2, 3)}
    assert len(first) > 1
