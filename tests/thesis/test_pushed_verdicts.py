"""Every testable part of a claim can get each verdict, so no verdict is fixed in advance.

For each part, one or several inputs are changed until the rule gives the wanted verdict. Then the
part is judged again from rows or assumptions with the changed values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from gpu_box import edited, make_box, make_row

from membench.core.terms import ClaimClass, ClaimVerdict, Metric
from membench.results.schema import Row
from membench.thesis.claims import strata
from membench.thesis.claims.assumptions import Assumption, Assumptions, shipped
from membench.thesis.claims.judging import judge_part
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import Part, ledger
from membench.thesis.claims.scenario import Scenario, subjects
from membench.thesis.claims.statistics import STATISTICS

pytestmark = pytest.mark.slow

DRAWS, SEED = 60, 1
PARTS = {part.id: part for part in ledger().parts}
CLASSES = ("hopper", "blackwell", "rubin")
MEMORY = tuple(f"class.{gpu}.memory" for gpu in CLASSES)
PREFILL = tuple(f"class.{gpu}.prefill" for gpu in CLASSES)
FASTER = (
    *PREFILL,
    "system.extra_capacity",
    "system.link",
)
"""Inputs of a faster GPU with the capacity and the link that this GPU needs.

Faster GPUs need more capacity. Hits pay only if the link speeds up more than the GPUs.
"""
PACE = {
    "system.link": 1.5,
    **dict.fromkeys(MEMORY, -0.4),  # DDR serves more hits if HBM is smaller
    # The growth is the ratio of the wafer counts minus one. Growth and ratio must both reach 89 %.
    "record.cowos.demand_2025": 0.0,
    "record.cowos.demand_2026": math.log(1.89 * 0.67) / math.log(0.89 / 0.48),
}
"""Input -> its step, as a multiple of the step of the other inputs."""
KNOBS: Mapping[str, tuple[str, ...]] = {
    # Measurements decide these parts.
    "C04b": ("gemm",),
    "C04c": ("gemm",),
    "C11c": ("ssd-hbm",),
    "C12a": ("ssd-hbm",),
    "C12c": ("gemm",),
    "C13b": ("zerocopy",),
    "C15b": ("ssd-read",),
    "C15c": ("ssd-read",),
    "C16a": ("gemm",),
    "C16b": ("ssd-write",),
    "C17b": ("kv-h2d",),
    "C15a": ("gemm", "ssd-hbm", "h2d"),
    "C27": ("hbm-read", "gemm", "h2d"),
    # Measured efficiencies affect old and new hardware equally, and capacity is a property of the
    # device. So prices, capacities and workloads decide.
    "C02a": ("workload.thinking.output", "workload.thinking.input"),
    "C02b": ("workload.agent.context_p50", "workload.agent.requests"),
    "C07b": ("price.rack_rubin",),
    "C10b": ("device.h100.memory",),
    "C11b": ("system.link",),
    "C12b": FASTER,
    "C15d": FASTER,
    "C17a": ("system.ddr_capacity", *MEMORY),
    "C25b": ("price.rack_rubin",),
}
STEPS: list[float] = sorted(np.linspace(-10, 10, 81).tolist(), key=abs)
DECIDED = (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED, ClaimVerdict.INCONCLUSIVE)


def scenario_of(rows: list[Row], entries: Assumptions) -> Scenario:
    return next(iter(subjects(ledger(), entries, rows, DRAWS, SEED).values()))


def word_of(part: Part, scenario: Scenario) -> ClaimVerdict:
    assert part.thresholds is not None
    return strata.word_of(STATISTICS[part.statistic](scenario), part.thresholds)


def step_to(part: Part, scenario: Scenario, knobs: tuple[str, ...], word: ClaimVerdict) -> float:
    """The smallest step of ``knobs`` at which ``part`` gets the verdict ``word``."""
    for step in STEPS:
        moved = scenario
        for knob in knobs:
            moved = moved.moved(knob, step * PACE.get(knob, 1.0))
        if word_of(part, moved) is word:
            return step
    raise AssertionError(f"no step of {knobs} makes {part.id} {word}")


def test_every_measured_or_modelled_part_is_pushed() -> None:
    asked = {
        part.id for part in PARTS.values() if part.cls in (ClaimClass.MEASURED, ClaimClass.MODELLED)
    }
    assert asked == {*KNOBS, "C13a"}


@pytest.mark.parametrize("word", DECIDED)
@pytest.mark.parametrize("name", sorted(KNOBS))
def test_a_part_can_come_out_as(
    name: str,
    word: ClaimVerdict,
) -> None:
    part, knobs = PARTS[name], KNOBS[name]
    step = step_to(part, scenario_of(make_box({}), shipped()), knobs, word)
    if any(knob in part.measurements for knob in knobs):
        rows = make_box(dict.fromkeys(knobs, math.exp(step)))
        entries: Assumptions = shipped()
    else:
        rows = make_box({})
        entries = edited({knob: step * PACE.get(knob, 1.0) for knob in knobs})
    found = judge_part(part, scenario_of(rows, entries), entries)
    assert found.word is word
    assert found.judgement is not None
    assert {row.case for several in found.rows.values() for row in several} or not part.measurements


@pytest.mark.parametrize(
    ("elasticity", "word"),
    [
        (0.9, ClaimVerdict.SUPPORTED),
        (0.8, ClaimVerdict.SUPPORTED),
        (0.4, ClaimVerdict.INCONCLUSIVE),
        (0.1, ClaimVerdict.CONTRADICTED),
    ],
)
@pytest.mark.parametrize("metric", [Metric.RATE, Metric.BANDWIDTH, Metric.LATENCY])
def test_two_machines_decide_the_elasticity(
    elasticity: float,
    word: ClaimVerdict,
    metric: Metric,
) -> None:
    ratio = 4.8 / 3.35
    there = {"machine": "other", "run_id": "r-2", "device": "NVIDIA H200"}
    gain = ratio ** (-elasticity if metric is Metric.LATENCY else elasticity)
    rows = [
        *make_box({}),
        *make_box({"hbm-read": ratio}, **there),
        make_row("decode/attn/model=llama-3.1-8b/batch=8", metric, 100.0),
        make_row("decode/attn/model=llama-3.1-8b/batch=8", metric, 100.0 * gain, **there),
    ]
    scenarios = subjects(ledger(), shipped(), rows, DRAWS, SEED)
    assert set(scenarios) == {"box", "other"}
    for scenario in scenarios.values():
        found = judge_part(PARTS["C13a"], scenario, shipped())
        assert found.word is word
        (variant,) = found.variants
        assert np.median(variant.draws) == pytest.approx(elasticity, abs=0.04)
        assert {row.machine for row in found.rows["pair-rate"]} == {"box", "other"}


def test_of_several_common_versions_of_a_case_the_latest_counts() -> None:
    ratio = 4.8 / 3.35
    there = {"machine": "other", "run_id": "r-2", "device": "NVIDIA H200"}
    case = "decode/attn/model=llama-3.1-8b/batch=8"
    gains = {10: ratio**0.9, 9: ratio**0.1, 11: 1.0}
    rows = [
        *make_box({}),
        *make_box({"hbm-read": ratio}, **there),
        *(make_row(case, Metric.RATE, 100.0, case_version=version) for version in (9, 10)),
        *(
            make_row(case, Metric.RATE, 100.0 * gain, case_version=version, **there)
            for version, gain in gains.items()
        ),
    ]
    scenario = subjects(ledger(), shipped(), rows, DRAWS, SEED)["box"]
    found = judge_part(PARTS["C13a"], scenario, shipped())
    assert found.word is ClaimVerdict.SUPPORTED
    assert {row.case_version for row in found.rows["pair-rate"]} == {10}


RECORDS = {
    part.id: part for part in PARTS.values() if part.cls is ClaimClass.RECORD and not part.waits_for
}


def known_better(entries: Assumptions) -> Assumptions:
    """``entries``, in which the kind of all evidence is "measured elsewhere".

    Vendor figures alone would decide nothing.
    """
    return {
        name: replace(entry, evidence=EvidenceKind.ELSEWHERE) for name, entry in entries.items()
    }


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_an_edited_record_flips_what_records_decide(name: str) -> None:
    part = RECORDS[name]
    as_shipped = known_better(shipped())
    before = judge_part(part, scenario_of([], as_shipped), as_shipped)
    assert before.flip is not None
    entries = known_better(edited({before.flip.name: before.flip.step}))
    after = judge_part(part, scenario_of([], entries), entries)
    assert after.word is before.flip.becomes
    assert after.word is not before.word
    # Changing one record, or all records of one origin, reaches both decided verdicts.
    origins = {record.rpartition(".")[0] for record in part.assumptions}
    groups = [[record] for record in part.assumptions]
    groups += [[one for one in part.assumptions if one.startswith(prefix)] for prefix in origins]
    groups.append([*part.assumptions])
    exact = {
        one: replace(entry, low=entry.value, high=entry.value) for one, entry in shipped().items()
    }
    scenario = scenario_of([], exact)
    reached = {before.word}
    for group in groups:
        for step in np.linspace(-2.5, 2.5, 201).tolist():
            moved = scenario
            for record in group:
                moved = moved.moved(record, step * PACE.get(record, 1.0))
            reached.add(word_of(part, moved))
    assert reached >= {ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED}


@pytest.mark.parametrize(
    ("name", "record", "supports", "contradicts"),
    [
        ("C18b", "record.nvlink6.loaded_share", 0.95, 0.4),
        ("C10a", "record.sharing.discarded_share", 0.6, 0.2),
        ("C22", "record.tsmc.n2_share_2026", 0.075, 0.15),
    ],
)
def test_a_record_that_a_claim_waits_for_decides_it(
    name: str, record: str, supports: float, contradicts: float
) -> None:
    def word(value: float | None) -> tuple[ClaimVerdict, str]:
        entries = shipped()
        if value is not None:
            like = entries["workload.agent.shared"]
            values = {"name": record, "value": value, "low": value, "high": value, "unit": "share"}
            given = {key: getattr(like, key) for key in ("source", "date", "kind")}
            entries[record] = Assumption(**{**given, **values, "own": True})
        found = judge_part(PARTS[name], scenario_of([], entries), entries)
        return found.word, found.why

    assert word(None) == (ClaimVerdict.INCONCLUSIVE, "no record")
    assert word(supports) == (ClaimVerdict.SUPPORTED, "")
    assert word(contradicts) == (ClaimVerdict.CONTRADICTED, "")
