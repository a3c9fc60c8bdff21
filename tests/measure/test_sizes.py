"""Sizes chosen by the machine, and sizes requested by the user."""

from __future__ import annotations

from dataclasses import replace

import pytest
from described import machine, staircase

from membench.benches import registry
from membench.core.case import Case
from membench.core.errors import NothingMatched, UsageError
from membench.core.terms import Metric, Stat, Status
from membench.core.units import GIB, MIB
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan
from membench.results.case_result import CaseResult, Reading
from membench.results.plan import PlannedCase
from membench.results.rows import rows

BOX = machine([32] * 4, 32, staircase=staircase((1, 12), (64, 110)))


def planned(
    *select: str, settings: tuple[str, ...] = (), profile: str = "quick"
) -> list[PlannedCase]:
    options = RunOptions(profile=profile, select=select, settings=settings)
    return list(make_plan(options, registry(), BOX).cases)


def case(name: str) -> Case:
    found = registry().case(name, BOX)
    assert found is not None
    return found


def test_the_id_says_auto_and_the_parameters_say_how_much() -> None:
    one, every = (
        {found.id: found for found in planned("ddr/triad")}[
            f"ddr/triad/size=auto/threads={threads}/pages=thp/stores=plain"
        ]
        for threads in ("1", "all")
    )
    assert (one.params["size"], one.memory) == (256 * MIB, 3 * 256 * MIB + MIB)
    assert (every.params["size"], every.memory) == (512 * MIB, 3 * 512 * MIB + MIB)
    assert one.flags == every.flags == ()


def test_a_row_says_how_large_its_arrays_were() -> None:
    plan = make_plan(RunOptions(select=("ddr/add/*threads=all*nt",)), registry(), BOX)
    (only,) = plan.cases
    reading = Reading(Metric.BANDWIDTH, Stat.MEDIAN, 100.0, 1, (100.0,))
    units = [
        CaseResult(
            round=number,
            case=only.id,
            status=Status.OK,
            started="2026-01-01T00:00:00Z",
            readings=(reading,),
            size_bytes=3 * 512 * MIB,
        )
        for number in (1, 2)
    ]
    (row,) = rows(plan, units)
    assert (row.array_bytes, row.size_bytes) == (512 * MIB, 3 * 512 * MIB)
    assert row.detail["array"] == str(512 * MIB)


def test_what_memory_has_no_room_for_is_as_large_as_it_allows_and_flagged() -> None:
    tight = machine([105, 105], 112, memory=4, staircase=staircase((1, 40), (128, 120)))
    plan = make_plan(RunOptions(select=("ddr/triad/*threads=all*",)), registry(), tight)
    for one in plan.cases:
        assert one.params["size"] == 512 * MIB
        assert one.memory <= tight.memory.budget
        assert one.flags == ("cache-served",)
        assert not one.skipped


def test_a_setting_holds_an_axis_at_a_value_outside_of_the_profile() -> None:
    found = planned("ddr/*", settings=("ddr/*:size=4096MiB",))
    assert len(found) == len(planned("ddr/*"))
    assert {one.params["size"] for one in found} == {"4GiB"}
    assert all("/size=4GiB/" in f"{one.id}/" for one in found)
    two = planned("ddr/read", settings=("ddr/*:size=1GiB", "ddr/read:threads=3"))
    assert [one.id for one in two] == ["ddr/read/size=1GiB/threads=3/pages=thp"]
    (small,) = planned("host/chase/*4k", settings=("host/*:size=64MiB",))
    assert small.flags == ("cache-served",)
    back = planned("host/chase", settings=("host/chase:size=auto",))
    assert [one.id for one in back] == [f"host/chase/size=auto/pages={p}" for p in ("thp", "4k")]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("ddr/*:size=4GB", UsageError, "'4GB' is not a size"),
        ("ddr/*:size", UsageError, "is not a setting"),
        ("size=4GiB", UsageError, "is not a setting"),
        ("ddr/*:colour=red", UsageError, "has the axis 'colour'"),
        ("ddr/*:pages=1g", UsageError, "pages cannot be '1g'"),
        ("ddr/read:size=0B", UsageError, "size cannot be 0"),
        ("ddr/read:threads=0", UsageError, "threads cannot be 0"),
        ("host/loaded:reads=101", UsageError, "reads cannot be 101"),
        ("host/loaded:pause=-1", UsageError, "pause cannot be '-1'"),
        ("ddr/*:threads=many", UsageError, "threads"),
        ("drd/*:size=4GiB", NothingMatched, "no bench matches"),
        ("ddr/mix:size=4GiB", NothingMatched, "the quick profile has no case with this value"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        planned(settings=(text,))


def test_a_whole_id_need_not_be_of_the_profile() -> None:
    name = "ddr/mix/size=512MiB/reads=90/threads=2"
    (found,) = planned(name)
    assert (found.id, found.params["reads"], found.rounds) == (name, 90, 0)
    # Axes in any order, other spellings of a size, and values outside the profile.
    both = planned("host/chase/pages=4k/size=1024MiB", "ddr/read/*threads=1*")
    assert [one.id for one in both] == [
        "host/chase/size=1GiB/pages=4k",
        "ddr/read/size=auto/threads=1/pages=thp",
    ]


def test_numbers_that_no_kernel_has_are_refused() -> None:
    with pytest.raises(UsageError, match="chains cannot be '3'") as caught:
        planned("host/mlp/size=auto/chains=3/pages=4k")
    assert caught.value.hint == "chains can be 1, 2, 4, 8, 12"
    with pytest.raises(UsageError, match="reads cannot be 200") as caught:
        planned("ddr/mix/size=64MiB/reads=200/threads=1")
    assert caught.value.hint == "reads can be 0 to 100"


def test_more_threads_than_cpus_are_known_before_the_run() -> None:
    (found,) = planned("ddr/read/size=64MiB/threads=99/pages=4k")
    assert found.skipped == "needs 99 CPUs, but membench may use only 32"


def test_small_pages_that_the_kernel_does_not_have_are_known_before_the_run() -> None:
    grace = replace(BOX, memory=replace(BOX.memory, page=65536))
    options = RunOptions(select=("host/chase/size=auto/*", "ddr/read/*threads=1/*"))
    found = {one.id: one.skipped for one in make_plan(options, registry(), grace).cases}
    assert found == {
        "host/chase/size=auto/pages=thp": "",
        "host/chase/size=auto/pages=4k": "needs pages of 4 KiB, "
        "but this kernel has pages of 64 KiB",
        "ddr/read/size=auto/threads=1/pages=thp": "",
    }


def test_an_id_that_leaves_an_axis_out_is_whole_where_the_axis_may_be() -> None:
    assert case("hbm/read/size=2GiB/vec=8").id == "hbm/read/size=2GiB/vec=8"
    assert case("hbm/read/size=2GiB/config=best").tuned
    assert registry().case("ddr/read/size=64MiB", BOX) is None
    assert registry().case("ddr/read", BOX) is None
    assert registry().case("no/such/size=64MiB", BOX) is None


@pytest.mark.parametrize(
    "name",
    [
        "ddr/read/size=2XiB/threads=1/pages=thp",
        "ddr/read/size=2GiB/threads=1/pages=2m",
        "ddr/read/size=2GiB/threads=1/pages=thp/stores=nt",
        "ddr/read/size=2GiB/size=1GiB/threads=1/pages=thp",
    ],
)
def test_an_id_that_is_none_is_refused_with_the_way_to_the_axes(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(name)
    assert caught.value.hint


def test_every_id_of_a_profile_can_be_asked_for() -> None:
    """Selecting the id of a printed case gives the same case."""
    for profile in ("quick", "full"):
        for found in registry().cases(profile, BOX):
            again = registry().case(found.id, BOX)
            assert again is not None, found.id
            assert (again.id, again.params, again.memory, again.tier, again.flags) == (
                *(found.id, found.params, found.memory, found.tier, found.flags),
            )


def test_a_setting_of_a_gpu_bench() -> None:
    found = planned("hbm/copy", settings=("hbm/*:size=1GiB",))
    assert {one.id for one in found} == {
        *("hbm/copy/size=1GiB/vec=16", "hbm/copy/size=1GiB/config=best"),
    }
    assert all(2 * GIB < one.gpu_memory < 2 * GIB + 8 * MIB for one in found)
