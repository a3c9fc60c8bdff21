"""Which rows count as evidence for an input, and when two machines count as one experiment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from gpu_box import make_box, make_row

from membench.core.terms import Badge, ClaimVerdict, Metric, Stat, Status
from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumptions, shipped
from membench.thesis.claims.device_names import device_slug
from membench.thesis.claims.evidence import badges, find
from membench.thesis.claims.given import given
from membench.thesis.claims.judging import judge_part
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.scenario import Scenario, subjects

INPUTS = ledger().inputs
PARTS = {part.id: part for part in ledger().parts}


def scenarios(rows: list[Row], entries: Assumptions | None = None) -> dict[str, Scenario]:
    return subjects(ledger(), entries or shipped(), rows, 50, 1)


def test_the_best_case_that_can_be_trusted_counts() -> None:
    rows = [
        make_row("hbm/read/size=256MiB", Metric.BANDWIDTH, 2900),
        make_row("hbm/read/size=1GiB", Metric.BANDWIDTH, 3000),
        make_row("hbm/read/size=1MiB", Metric.BANDWIDTH, 9000, flags=("cache-served",)),
        make_row("hbm/read/size=2GiB", Metric.BANDWIDTH, 9000, flags=("above-peak",)),
        make_row("hbm/reads/size=1GiB", Metric.BANDWIDTH, 9000),
        make_row("hbm/write/size=1GiB", Metric.BANDWIDTH, 9000),
        make_row("hbm/read/size=1GiB", Metric.ENERGY, 9000),
    ]
    found = find(INPUTS["hbm-read"], rows)
    assert [row.value for row in found.rows] == [3000]
    assert found.rounds == (2970e9, 3000e9, 3030e9)


def test_of_a_latency_the_lowest_is_best() -> None:
    case = "ssd/read/pattern=seq/block=1MiB/qd="
    rows = [
        make_row(f"{case}1", Metric.LATENCY, 3e6, stat=Stat.P99),
        make_row(f"{case}8", Metric.LATENCY, 2e6, stat=Stat.P99),
        make_row(f"{case}4", Metric.LATENCY, 1e6),
        make_row("ssd/read/pattern=rand/block=4KiB/qd=1", Metric.LATENCY, 1e5, stat=Stat.P99),
    ]
    assert find(INPUTS["ssd-read-p99"], rows).rows[0].case == f"{case}8"


@pytest.mark.parametrize("case", ["gpu/gemm/bf16/size=8192", "gpu/gemm/dtype=fp16/size=8192"])
def test_both_forms_of_a_matrix_product_are_found(case: str) -> None:
    assert find(INPUTS["gemm"], [make_row(case, Metric.FLOPS, 700_000)]).rows
    assert not find(INPUTS["gemm"], [make_row("gpu/gemm/fp8", Metric.FLOPS, 1)]).rows


def test_own_measurements_come_before_imported_and_cited_ones() -> None:
    cited = make_row("hbm/read/a=1", Metric.BANDWIDTH, 9000, backend="cited")
    imported = make_row("hbm/read/a=2", Metric.BANDWIDTH, 8000, backend="import:babelstream")
    own = make_row("hbm/read/a=3", Metric.BANDWIDTH, 3000)
    need = INPUTS["hbm-read"]
    assert find(need, [cited, imported, own]).rows == (own,)
    assert find(need, [cited, imported]).rows == (imported,)
    assert find(need, [cited]).rows == (cited,)
    assert badges([own]) == ()
    assert badges([cited, imported, own]) == (Badge.IMPORTED, Badge.CITED)


def test_runs_of_one_machine_are_pooled() -> None:
    one = make_row("hbm/read/a=1", Metric.BANDWIDTH, 3000)
    two = make_row("hbm/read/a=1", Metric.BANDWIDTH, 2800, run_id="r-2")
    old = make_row("hbm/read/a=1", Metric.BANDWIDTH, 2000, run_id="r-3", case_version=2)
    found = find(INPUTS["hbm-read"], [one, two, old])
    assert found.rows == (one, two)
    assert len(found.rounds) == 6


def test_why_nothing_is_there_is_said() -> None:
    need = INPUTS["hbm-read"]
    assert find(need, []).missing == "HBM read bandwidth (hbm/read): not measured"
    skipped = replace(
        make_row("hbm/read/a=1", Metric.BANDWIDTH, 1, status=Status.SKIPPED, reason="no GPU"),
        value=None,
        rounds=0,
        round_values=(),
    )
    assert find(need, [skipped]).missing.endswith(": no GPU")
    gemm = replace(skipped, case="gpu/gemm/bf16/n=8192", metric=Metric.FLOPS, unit="GFLOP/s")
    assert find(INPUTS["gemm"], [gemm]).missing.endswith(": no GPU")
    flagged = make_row("hbm/read/a=1", Metric.BANDWIDTH, 1, flags=("above-peak",))
    assert "no usable row (flags: above-peak)" in find(need, [flagged]).missing


def test_a_missing_measurement_is_no_data_and_never_a_specification() -> None:
    rows = [row for row in make_box({}) if "gemm" not in row.case]
    found = judge_part(PARTS["C12a"], scenarios(rows)["box"], shipped())
    assert (found.word, found.why) == (ClaimVerdict.INCONCLUSIVE, "no data")
    assert "16-bit matrix multiplication" in found.reason
    assert found.judgement is None
    assert found.flip is None
    assert set(found.missing) == {"gemm"}


def test_a_substituted_measurement_wears_a_badge() -> None:
    rows = [row for row in make_box({}) if "gemm" not in row.case]
    like = shipped()["device.h100.bf16"]
    given = replace(like, name="measurement.gemm", own=True)
    entries = {**shipped(), given.name: given}
    found = judge_part(PARTS["C12a"], scenarios(rows, entries)["box"], entries)
    assert found.word is ClaimVerdict.SUPPORTED
    assert found.badges == (Badge.SUBSTITUTED, Badge.OVERRIDDEN)
    assert given in found.used
    measured = judge_part(PARTS["C12a"], scenarios(make_box({}), entries)["box"], entries)
    assert measured.badges == ()  # no substitute is needed for a measured input


@pytest.mark.parametrize(
    ("device", "slug"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("AMD EPYC", ""),
        ("", ""),
    ],
)
def test_a_device_is_known_by_its_name(device: str, slug: str) -> None:
    row = make_row("hbm/read/a=1", Metric.BANDWIDTH, 1, device=device)
    assert device_slug([row], shipped()) == slug


def test_measurements_of_two_machines_are_never_mixed() -> None:
    rows = [row for row in make_box({}) if not row.case.startswith("hbm")]
    rows += [row for row in make_box({}, machine="b") if row.case.startswith("hbm")]
    for scenario in scenarios(rows).values():
        assert judge_part(PARTS["C13b"], scenario, shipped()).why == "no data"


def pair(scale: dict[str, float], device: str) -> list[Row]:
    there = {"machine": "b", "run_id": "r-2", "device": device}
    case = "decode/attn/batch=8"
    return [
        *make_box({}),
        make_row(case, Metric.RATE, 100),
        *make_box(scale, **there),
        make_row(case, Metric.RATE, 140, **there),
    ]


@pytest.mark.parametrize(
    ("scale", "reason"),
    [
        ({}, "HBM of b is about as fast as HBM of box"),
        ({"hbm-read": 2.4, "gemm": 2.3}, "b computes 2.30 times as fast as box"),
    ],
)
def test_what_is_no_experiment_stays_one_machine(
    scale: dict[str, float],
    reason: str,
) -> None:
    found = judge_part(
        PARTS["C13a"],
        scenarios(pair(scale, "NVIDIA B200"))["box"],
        shipped(),
    )
    assert (found.word, found.why) == (ClaimVerdict.INCONCLUSIVE, "one machine")
    assert reason in found.reason


def test_without_a_second_machine_it_is_one_machine() -> None:
    rows = [*make_box({}), make_row("decode/attn/batch=8", Metric.RATE, 100)]
    found = judge_part(PARTS["C13a"], scenarios(rows)["box"], shipped())
    assert (found.word, found.why) == (ClaimVerdict.INCONCLUSIVE, "one machine")


def test_where_compute_was_not_compared_it_is_said() -> None:
    rows = [row for row in pair({"hbm-read": 1.4}, "unknown") if "gemm" not in row.case]
    found = judge_part(PARTS["C13a"], scenarios(rows)["box"], shipped())
    assert found.word is ClaimVerdict.SUPPORTED
    assert found.note == "It is unknown whether both machines have equal compute."
    (variant,) = found.variants
    assert np.median(variant.draws) == pytest.approx(1.0, abs=0.05)


def test_assumed_compute_is_compared_in_one_unit() -> None:
    """The user gives one rate in TFLOP/s; the built-in rate of the other machine is in PFLOP/s."""
    own = given(["device.h200.bf16=989 TFLOP/s"], shipped(), {}, date(2026, 1, 1))
    rows = [
        replace(row, device="NVIDIA H100 SXM" if row.machine == "box" else "NVIDIA H200")
        for row in pair({"hbm-read": 1.4}, "NVIDIA H200")
        if "gemm" not in row.case
    ]
    found = judge_part(PARTS["C13a"], scenarios(rows, own)["box"], own)
    assert found.word is ClaimVerdict.SUPPORTED, found.reason


def test_products_in_fp8_are_no_16_bit_products() -> None:
    """The id of the fp8 case also contains BF16, the type of its result."""
    rows = [
        make_row("gpu/gemm/bf16/n=8192/out=bf16", Metric.FLOPS, 740e3),
        make_row("gpu/gemm/fp8/n=8192/sums=fast/out=bf16", Metric.FLOPS, 1290e3),
    ]
    assert find(ledger().inputs["gemm"], rows).rows == (rows[0],)
    assert not find(ledger().inputs["gemm"], rows[1:]).rows
