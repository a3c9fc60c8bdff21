"""An invalid journal is refused before the first measurement."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.errors import JournalError, SchemaError
from membench.core.snapshot import Machine
from membench.core.terms import Metric, Stat, Status, Tier
from membench.measure.run import prove_rows
from membench.results.case_result import CaseResult, Reading
from membench.results.journal.reading import Contents
from membench.results.plan import Pairing, Plan, PlannedCase
from membench.results.plan_check import check

CASE = PlannedCase(
    id="ssd/read/size=1MiB",
    bench="ssd/read",
    params={},
    version=1,
    tier=Tier.SSD,
    yields=((Metric.BANDWIDTH, Stat.MEDIAN),),
    seconds=1.0,
    memory=0,
    disk=0,
    backend="storage",
)
PLAN = Plan(
    run_id="20260131T080412Z-7f3a",
    machine="box-1",
    profile="quick",
    rounds=2,
    seed=1,
    timeout=10.0,
    device="cpu",
    software="0.1.0",
    argv=(),
    started="2026-01-31T08:04:12Z",
    cases=(CASE,),
)
GOOD = CaseResult(
    round=1,
    case=CASE.id,
    status=Status.OK,
    started="2026-01-31T08:04:13Z",
    readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, 2, (1.0, 3.0)),),
    cache_state="cold",
    detail={"resident": "0%"},
)
EDITS: dict[str, CaseResult] = {
    "a case that is not planned": replace(GOOD, case="ddr/other"),
    "round 0": replace(GOOD, round=0),
    "round 3 of 2": replace(GOOD, round=3),
    "a time that is none": replace(GOOD, started="soon"),
    "a share that is none": replace(GOOD, detail={"resident": "lots"}),
    "a word that is none": replace(GOOD, cache_state="lukewarm"),
    "an unknown backend": replace(GOOD, backend="abacus"),
    "fewer than no samples": replace(
        GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, -3, ()),)
    ),
    "no samples": replace(GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, 9, ()),)),
    "too few samples": replace(
        GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, 9, (2.0,)),)
    ),
    "too few quantiles": replace(
        GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, 900, (2.0,), quantiles=True),)
    ),
    "the value 0": replace(
        GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 0.0, 2, (0.0, 0.0)),)
    ),
    "an endless sample": replace(
        GOOD, readings=(Reading(Metric.BANDWIDTH, Stat.MEDIAN, 2.0, 2, (2.0, math.inf)),)
    ),
}


def prove(unit: CaseResult, machine: Machine) -> None:
    prove_rows(Path("r.journal"), Contents(PLAN, {}, (unit,)), machine)


@pytest.fixture(scope="module")
def machine() -> Machine:
    from membench.machine import snapshot

    return snapshot([])


def test_a_good_journal_can_be_completed(machine: Machine) -> None:
    prove(GOOD, machine)
    many = tuple(float(n) for n in range(1, 130))
    quantiles = Reading(Metric.BANDWIDTH, Stat.MEDIAN, 65.0, 1000, many, quantiles=True)
    prove(replace(GOOD, readings=(quantiles,)), machine)
    prove(replace(GOOD, readings=(), status=Status.FAILED, reason="it broke"), machine)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_result_is_refused_in_one_line(edit: str, machine: Machine) -> None:
    with pytest.raises(JournalError, match=r"^r\.journal cannot be completed: ") as error:
        prove(EDITS[edit], machine)
    assert len(str(error.value).splitlines()) == 1


PAIR = Pairing(pair_id=PLAN.run_id, side="a", partner="o_b.csv")


def test_the_other_side_of_a_pair_lies_in_the_same_directory() -> None:
    """A stranger's journal must not make membench read or write files in other directories."""
    check(replace(PLAN, pair=PAIR))
    for partner in ("", ".", "..", "../o_b.csv", "/etc/o_b.csv", "o\0.csv"):
        with pytest.raises(SchemaError, match="'pair' of the plan is invalid"):
            check(replace(PLAN, pair=replace(PAIR, partner=partner)))
    for changes in ({"side": "c"}, {"pair_id": "../x"}):
        with pytest.raises(SchemaError, match="'pair' of the plan"):
            check(replace(PLAN, pair=replace(PAIR, **changes)))
