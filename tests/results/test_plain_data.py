"""Dataclasses survive conversion to JSON and back. Foreign JSON gives an error of one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.errors import SchemaError
from membench.core.plain import dump, load
from membench.core.snapshot import Cache, Core, Cpu, GpuIdentity, Gpus, Machine, Memory, Node
from membench.core.terms import Metric
from membench.results.case_result import CaseResult
from membench.results.plan import Plan

MACHINE = Machine(
    slug="box-1",
    cpu=Cpu(
        model="Some CPU",
        architecture="x86_64",
        cores=(Core(0, 0, 0, 0), Core(1, 0, 0, 0)),
        affinity=(0, 1),
        quota=1.5,
        usable=1,
        caches=(Cache(3, "unified", 2**25, 64, (0, 1)),),
        governor="",
        hypervisor="kvm",
    ),
    memory=Memory(
        2**33, 2**32, None, None, 4096, 2**21, "madvise", 0, 0, (Node(0, (0, 1), 2**33, (10,)),)
    ),
    gpus=Gpus("580.1", "13.0", (GpuIdentity(0, "Some GPU", "ab12", 2**36, "9.0"),)),
    filesystems=(),
    system="Linux",
    kernel="6.1",
    libc="glibc 2.36",
    python="3.11.2",
    load=(0.1, 0.2, 0.3),
    packages={"numpy": "2.1"},
)


def through_json(value: object) -> Any:
    return json.loads(json.dumps(dump(value), allow_nan=False))


def test_contract_types_come_back_equal(
    make_plan: Callable[..., Plan], make_unit: Callable[..., CaseResult]
) -> None:
    assert load(Machine, through_json(MACHINE)) == MACHINE
    assert load(Plan, through_json(make_plan())) == make_plan()
    assert load(CaseResult, through_json(make_unit())) == make_unit()


@given(st.data())
@settings(max_examples=examples(60))
def test_any_unit_comes_back_equal(data: st.DataObject) -> None:
    unit = data.draw(st.from_type(CaseResult))
    # JSON has no infinity. In `detail`, which may contain text, infinity becomes text.
    held = {
        key: value if not isinstance(value, float) or math.isfinite(value) else str(value)
        for key, value in unit.detail.items()
    }
    unit = replace(unit, detail=held)
    back = load(CaseResult, through_json(unit))
    assert repr(back) == repr(unit)  # compares by repr, because nan is not equal to itself


def test_enumerations_and_number_types_are_kept(make_unit: Callable[..., CaseResult]) -> None:
    back = load(CaseResult, through_json(make_unit(detail={"a": 1, "b": 1.0, "c": "1"})))
    assert back.readings[0].metric is Metric.BANDWIDTH
    assert [type(value) for value in back.detail.values()] == [int, float, str]


def test_a_number_that_is_none_reaches_the_other_side(make_unit: Callable[..., CaseResult]) -> None:
    assert through_json(make_unit(peak=math.inf))["peak"] == "inf"
    back = load(CaseResult, through_json(make_unit(peak=math.nan)))
    assert back.peak is not None
    assert math.isnan(back.peak)


def test_unknown_keys_are_ignored_and_missing_ones_take_their_default() -> None:
    data = {"round": 1, "case": "a/b", "status": "ok", "started": "x", "mood": "fine"}
    assert load(CaseResult, data).readings == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "fine"}, "CaseResult.status: 'fine' is not one of ok, skipped, failed"),
        ({"round": "1"}, "CaseResult.round: '1' is not a whole number"),
        ({"round": True}, "CaseResult.round: True is not a whole number"),
        ({"round": 1.5}, "CaseResult.round: 1.5 is not a whole number"),
        ({"case": None}, "CaseResult.case: None is not text"),
        ({"flags": "noisy"}, "CaseResult.flags: 'noisy' is not a list"),
        ({"detail": []}, "CaseResult.detail: [] is not an object"),
        ({"detail": {"k": [1]}}, "CaseResult.detail.k: [1] is not a number"),
        ({"verified": 1}, "CaseResult.verified: 1 is neither true nor false"),
        ({"peak": "much"}, "CaseResult.peak: 'much' is not a number"),
        ({"readings": [{"metric": "x"}]}, "CaseResult.readings[0]: 'stat' is missing"),
        ({"seconds": 3}, "CaseResult.seconds: 3 is not an object"),
    ],
)
def test_wrong_data_names_its_place(change: dict[str, object], message: str) -> None:
    data = {"round": 1, "case": "a/b", "status": "ok", "started": "x", **change}
    with pytest.raises(SchemaError) as refused:
        load(CaseResult, data)
    assert str(refused.value) == message


def test_a_missing_key_without_default_is_named() -> None:
    with pytest.raises(SchemaError, match=r"^CaseResult: 'round' is missing$"):
        load(CaseResult, {"case": "a/b"})


@dataclass(frozen=True)
class Pair:
    both: tuple[int, str]


def test_a_tuple_of_fixed_length() -> None:
    assert load(Pair, {"both": [1, "a"]}) == Pair((1, "a"))
    with pytest.raises(SchemaError, match=r"Pair.both: the list has 3 items instead of 2"):
        load(Pair, {"both": [1, "a", "b"]})


def test_what_has_no_plain_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        dump(object())
