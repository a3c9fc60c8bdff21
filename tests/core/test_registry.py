"""Finding benches and selecting cases."""

import types

import pytest

from membench.benches import registry
from membench.core.case import Case, axis, bench
from membench.core.errors import NothingMatched
from membench.core.globs import matches, near
from membench.core.registry import Registry, benches_of, choose
from membench.core.terms import Metric, Stat, Tier
from membench.core.work import Work
from membench.machine import snapshot


def case(id_: str) -> Case:
    return Case(
        id=id_,
        bench=id_,
        params=(),
        version=1,
        tier=Tier.DDR,
        yields=((Metric.BANDWIDTH, Stat.MEDIAN),),
        needs=frozenset(),
        seconds=1.0,
        memory=0,
        disk=0,
    )


CASES = tuple(
    case(id_)
    for id_ in ("ddr/copy/threads=1", "ddr/copy/threads=all", "ddr/copying", "host/chase/size=4KiB")
)


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("*", [0, 1, 2, 3]),
        ("ddr", [0, 1, 2]),
        ("ddr/", [0, 1, 2]),
        ("ddr/*", [0, 1, 2]),
        ("ddr/copy", [0, 1]),
        ("ddr/copy/threads=1", [0]),
        ("*/threads=*", [0, 1]),
        ("*chase*", [3]),
        ("DDR/*", []),
    ],
)
def test_globs(pattern: str, numbers: list[int]) -> None:
    assert [n for n, one in enumerate(CASES) if matches(one.id, pattern)] == numbers


def test_selectors_keep_their_order_and_count_nothing_twice() -> None:
    chosen = choose(CASES, ["host", "ddr/copy", "*"], [])
    assert [one.id for one in chosen] == [CASES[n].id for n in (3, 0, 1, 2)]


def test_skip_wins() -> None:
    assert choose(CASES, [], ["ddr"]) == (CASES[3],)


def test_every_selector_must_match_something() -> None:
    with pytest.raises(NothingMatched, match="'hbm/\\*'") as caught:
        choose(CASES, ["ddr", "hbm/*"], [])
    assert caught.value.exit_code == 4
    assert "membench list" in caught.value.hint


def test_skipping_everything_is_nothing_too() -> None:
    with pytest.raises(NothingMatched):
        choose(CASES, [], ["*"])


def test_a_module_offers_its_own_benches_only() -> None:
    def function(_backend: object) -> Work:
        raise NotImplementedError

    function.__module__ = "mine"
    mine = types.ModuleType("mine")
    own = bench("ddr/own", version=1)(function)
    vars(mine)["own"] = own
    other = types.ModuleType("other")
    vars(other)["imported"] = own
    assert benches_of(mine) == (own,)
    assert benches_of(other) == ()


def test_every_bench_of_the_project_is_described_and_named_after_its_family() -> None:
    found = registry()
    assert found.problems == ()
    assert {"ddr/copy", "ddr/triad", "host/chase", "host/loaded"} <= set(found.benches)
    for name, one in found.benches.items():
        assert one.summary.endswith("."), name
        assert one.version >= 1
        assert one.family


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("dr/copy", "did you mean ddr/copy"),
        ("DDR/*", "did you mean ddr/*"),
        ("hots/chase/*", "did you mean host/chase/*?"),
        ("ddr/copy/threads=al", "did you mean ddr/copy/threads=all"),
        ("nothing", "membench list names the cases; '*' also matches slashes"),
    ],
)
def test_a_glob_that_matches_nothing_is_answered_with_what_was_meant(
    pattern: str, hint: str
) -> None:
    assert near(pattern, [case.id for case in CASES]).startswith(hint)
    with pytest.raises(NothingMatched) as raised:
        choose(CASES, [pattern], [])
    assert raised.value.hint.startswith(hint)


def test_a_setting_that_no_profile_has_is_answered_with_a_case_that_can_be_selected() -> None:
    def function(_backend: object, size: int, way: str) -> Work:
        raise NotImplementedError

    decorated = axis("size", quick="4KiB", least=1)(axis("way", quick=("a", "b"))(function))
    odd = bench("ddr/odd", version=1, where=lambda _profile, size, way: size == 4096)(decorated)
    machine = snapshot()
    with pytest.raises(NothingMatched, match="the full profile has no case with") as caught:
        Registry({"ddr/odd": odd}).cases("full", machine, ["ddr/*:size=3KiB"])
    selected = caught.value.hint.partition("--select ")[2]
    asked = Registry({"ddr/odd": odd}).case(selected, machine)
    assert asked is not None
    assert asked.id == "ddr/odd/size=3KiB/way=a"


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_an_automatic_size_can_be_set_for_a_bench_whose_profiles_have_only_numbers(
    profile: str,
) -> None:
    cases = registry().cases(profile, snapshot([]), ["gpu/chase:size=auto"])
    chases = [one.id for one in cases if one.bench == "gpu/chase"]
    assert "gpu/chase/size=auto/order=random/hint=plain" in chases
