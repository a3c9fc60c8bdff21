"""Axes and sweeps: the cases of a declaration."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.benches import registry
from membench.core.axes import OMITTED, Axis, Value, expand, sweep
from membench.core.case import Bench, Needs, axis, bench
from membench.core.errors import UsageError
from membench.core.terms import BytesConvention, Metric, Stat, Tier
from membench.core.work import Timed
from membench.machine import snapshot

ANY_MACHINE = snapshot()


def work(_backend: object, **_arguments: object) -> Timed:
    return Timed(
        run=lambda _n: None, size_bytes=8, bytes_moved=8, bytes_convention=BytesConvention.RW_SUM
    )


def test_a_range_is_written_out() -> None:
    assert expand("4KiB..1MiB *16", ANY_MACHINE) == ("4KiB", "64KiB", "1MiB")
    assert expand("1KiB..3KiB *2", ANY_MACHINE) == ("1KiB", "2KiB")


def test_a_range_that_does_not_grow_is_refused() -> None:
    with pytest.raises(ValueError, match="a factor of 2 or more"):
        expand("4KiB..1MiB *1", ANY_MACHINE)


def test_values_may_depend_on_the_machine() -> None:
    assert expand(lambda _machine: (1, 2), ANY_MACHINE) == (1, 2)


def test_the_default_of_quick_is_part_of_full_and_comes_first() -> None:
    size = Axis("size", "256MiB", "1GiB..4GiB *4")
    assert size.values("full", ANY_MACHINE) == ("256MiB", "1GiB", "4GiB")


def test_sizes_reach_the_function_as_bytes_and_the_id_as_text() -> None:
    assert Axis.argument("64KiB") == 65536
    assert Axis.argument("4k") == "4k"
    assert Axis.argument("thp") == "thp"
    assert Axis.argument(7) == 7


def test_an_axis_is_swept_alone_and_a_grid_is_crossed() -> None:
    axes = (Axis("a", (1, 2), (1, 2)), Axis("b", (1, 2), (1, 2)), Axis("c", (1, 2), (1, 2)))
    alone = [tuple(point.values()) for point in sweep(axes, [frozenset()], "quick", ANY_MACHINE)]
    assert alone == [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)]
    crossed = [
        tuple(point.values()) for point in sweep(axes, [frozenset("ab")], "quick", ANY_MACHINE)
    ]
    assert crossed == [(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 1), (1, 1, 2)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_a_sweep_has_the_size_that_its_axes_promise(
    lengths: list[int], data: st.DataObject
) -> None:
    axes = [Axis(f"a{n}", tuple(range(k)), tuple(range(k))) for n, k in enumerate(lengths)]
    grid = frozenset(data.draw(st.sets(st.sampled_from([one.name for one in axes]))))
    points = [tuple(p.values()) for p in sweep(axes, [grid], "quick", ANY_MACHINE)]
    expected = 1
    for one, length in zip(axes, lengths, strict=True):
        expected *= length if one.name in grid else 1
    expected += sum(k - 1 for one, k in zip(axes, lengths, strict=True) if one.name not in grid)
    assert len(points) == len(set(points)) == expected


@given(
    st.lists(st.integers(1, 4), min_size=3, max_size=5),
    st.lists(st.frozensets(st.sampled_from("abcde")), min_size=2, max_size=3),
)
def test_several_grids_are_the_part_of_one_grid_that_leaves_others_at_their_default(
    sizes: list[int], grids: list[frozenset[str]]
) -> None:
    axes = [
        Axis(name, tuple(range(n)), tuple(range(n)))
        for name, n in zip("abcde", sizes, strict=False)
    ]

    def in_a_grid(point: Mapping[str, Value]) -> bool:
        moved = {name for name, value in point.items() if value != 0}
        return len(moved - whole) == 1 or any(moved <= grid for grid in grids)

    whole = frozenset.union(*grids)
    expected = [one for one in sweep(axes, [whole], "quick", ANY_MACHINE) if in_a_grid(one)]
    assert list(sweep(axes, grids, "quick", ANY_MACHINE)) == expected


def test_a_bench_makes_cases_with_ids_costs_and_tier() -> None:
    made = bench(
        "ddr/thing",
        version=3,
        needs=Needs.JIT,
        seconds=lambda size, **_: size / 2**30,
        memory=lambda size, **_: 2 * size,
    )(axis("size", "1GiB", ("1GiB", "2GiB"))(axis("threads", ("all", 1))(work)))
    assert isinstance(made, Bench)
    quick = list(made.cases("quick", ANY_MACHINE))
    assert [case.id for case in quick] == [
        "ddr/thing/size=1GiB/threads=all",
        "ddr/thing/size=1GiB/threads=1",
    ]
    assert quick[0].tier is Tier.DDR
    assert quick[0].version == 3
    assert quick[0].memory == 2**31
    assert quick[0].seconds == 1.0
    assert quick[0].yields == ((Metric.BANDWIDTH, Stat.MEDIAN),)
    assert made.backend == "cpu"
    assert len(list(made.cases("full", ANY_MACHINE))) == 3


def test_a_bench_may_be_of_one_profile_only() -> None:
    made = bench("ddr/rare", version=1, profiles=("full",))(work)
    assert list(made.cases("quick", ANY_MACHINE)) == []
    assert [case.id for case in made.cases("full", ANY_MACHINE)] == ["ddr/rare"]


def test_a_gpu_bench_asks_for_the_cuda_backend() -> None:
    assert bench("hbm/read", version=1, needs=Needs.GPU)(work).backend == "cuda"


@pytest.mark.parametrize("name", ["ddr", "DDR/copy", "ddr//copy", "ddr/co py", "nowhere/copy"])
def test_a_bad_name_is_refused_when_it_is_declared(name: str) -> None:
    with pytest.raises(ValueError, match="bench"):
        bench(name, version=1)


def test_a_grid_must_name_axes() -> None:
    with pytest.raises(ValueError, match="a grid names unknown axes: pages"):
        bench("ddr/copy", version=1, grid=("pages",))(work)


def test_bandwidth_needs_bytes_and_a_convention() -> None:
    with pytest.raises(ValueError, match="bytes_moved"):
        Timed(run=lambda _n: None, size_bytes=1)
    with pytest.raises(ValueError, match="operations"):
        Timed(run=lambda _n: None, size_bytes=1, metric=Metric.LATENCY)
    with pytest.raises(ValueError, match="iops"):
        Timed(run=lambda _n: None, size_bytes=1, metric=Metric.IOPS)


def test_values_of_timed_work() -> None:
    def timed(metric: Metric) -> Timed:
        return Timed(
            run=lambda _n: None,
            size_bytes=1,
            metric=metric,
            bytes_moved=300,
            operations=10,
            bytes_convention=BytesConvention.RW_SUM,
        )

    assert timed(Metric.BANDWIDTH).value(elapsed_ns=100.0, iterations=2) == 6.0  # GB/s
    assert timed(Metric.LATENCY).value(elapsed_ns=100.0, iterations=2) == 5.0  # ns
    assert timed(Metric.RATE).value(elapsed_ns=100.0, iterations=2) == 2e8  # 1/s


@pytest.mark.parametrize("text", ["1B", "6KiB"])
def test_a_size_outside_of_its_steps_is_refused(text: str) -> None:
    block = Axis("block", "16KiB", "16KiB..4MiB *4", step=4096)
    assert block.parse("20KiB", ANY_MACHINE) == "20KiB"
    with pytest.raises(UsageError, match=f"block cannot be {text}"):
        block.parse(text, ANY_MACHINE)


SIZE = Axis("size", "64KiB", "16KiB..1MiB *4", least=4096, most=1 << 21, step=1024, power=True)
COUNT = Axis("count", 8, (8, 2), least=4, most=100, step=2)


@pytest.mark.parametrize(
    ("axis_", "text", "error", "hint"),
    [
        (SIZE, "2KiB", "size cannot be 2KiB", "size can be 4KiB to 2MiB"),
        (SIZE, "4MiB", "size cannot be 4MiB", "size can be 4KiB to 2MiB"),
        (SIZE, "8000B", "size cannot be 8000B", "size must be a multiple of 1KiB"),
        (SIZE, "48KiB", "size cannot be 48KiB", "size must be a power of two"),
        (COUNT, "0", "count cannot be 0", "count can be 2 to 100"),
        (COUNT, "102", "count cannot be 102", "count can be 2 to 100"),
        (COUNT, "5", "count cannot be 5", "count must be a multiple of 2"),
        (Axis("n", 1, 1), "0", "n cannot be 0", "n can be 1 or more"),
        (Axis("n", 3, (3, 1), closed=True), "2", "n cannot be '2'", "n can be 3, 1"),
        (Axis("block", "4KiB", "4KiB"), "auto", "'auto' is not a size", "write a number with"),
    ],
)
def test_a_refusal_names_the_value_and_what_is_possible(
    axis_: Axis, text: str, error: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        axis_.parse(text, ANY_MACHINE)
    assert str(refused.value) == error
    assert refused.value.hint.startswith(hint)
    assert refused.value.exit_code == 2


def test_every_constraint_permits_its_bounds() -> None:
    power = Axis("size", "64KiB", "64KiB", least=4096, most=1 << 21, power=True)
    assert [power.parse(text, ANY_MACHINE) for text in ("4096B", "2MiB")] == ["4KiB", "2MiB"]
    assert [COUNT.parse(text, ANY_MACHINE) for text in ("4", "6", "100")] == [4, 6, 100]
    assert COUNT.parse("2", ANY_MACHINE) == 2  # a value of a profile, below `least`


REFUSED = [
    "decode/attn:context=64",
    "decode/attn:context=1000",
    "decode/weights:batch=513",
    "gpu/chase:size=128B",
    "gpu/gemm/fp8:n=8191",
    "hbm/async:size=8B",
    "hbm/async:tile=8B",
    "hbm/async:stages=33",
    "hbm/bulk:size=128B",
    "hbm/d2d:size=24B",
    "hbm/gather:page=48B",
    "hbm/gather:page=8B",
    "hbm/loaded:load=9",
    "hbm/loaded:reads=75",
    "hbm/loaded:size=1000B",
    "hbm/memset:size=3B",
    "hbm/read:size=48B",
    "hbm/read:vec=12",
    "hbm/write:vec=64",
    "hmm/read:size=1KiB",
    "host/chase:size=96MiB",
    "host/fault:size=5KiB",
    "host/loaded:pause=1000001",
    "host/loaded:size=3MiB",
    "host/mlp:chains=3",
    "host/mlp:size=64B",
    "host/tlb:lines=1000",
    "interference/link:grid=0",
    "kv/h2d:block=24B",
    "kv/h2d:block=2GiB",
    "kv/h2d:block=auto",
    "l1/read:size=48KiB",
    "l2/map:size=1KiB",
    "l2/read:size=48KiB",
    "l2/write:size=8KiB",
    "link/all:size=2B",
    "link/bidir:size=8B",
    "link/h2d:size=1000B",
    "link/h2d:streams=65",
    "managed/fault:size=20B",
    "paging/ssd-ddr:block=1B",
    "paging/ssd-hbm:qd=257",
    "peer/latency:size=192B",
    "peer/multimem:size=8B",
    "peer/read:size=8B",
    "smem/cluster:cluster=3",
    "smem/latency:cluster=32",
    "smem/multicast:cluster=6",
    "smem/read:stride=3",
    "smem/read:width=2",
    "smem/write:stride=64",
    "ssd/buffer:align=1536B",
    "ssd/buffer:align=8KiB",
    "ssd/mix:reads=100",
    "ssd/read:block=512B",
    "ssd/read:qd=100000",
    "ssd/sync:block=64MiB",
    "ssd/write:block=256MiB",
    "zerocopy/chase:size=128B",
    "zerocopy/read:block=48B",
    "zerocopy/read:unroll=9",
    "zerocopy/write:block=16MiB",
    "zerocopy/write:grid=65537",
    "ddr/copy:size=1B",
    "ddr/mix:size=20KiB",
]


@pytest.mark.parametrize("setting", REFUSED)
def test_what_a_bench_cannot_measure_is_refused_before_a_run(setting: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be|is not a size"):
        registry().cases("quick", ANY_MACHINE, [setting])


def permitted(axis_: Axis, number: int) -> bool:
    """Whether ``number`` satisfies the constraints. 0 is only a value of profiles, as for grids."""
    return (
        (axis_.most is None or number <= axis_.most)
        and number % axis_.step == 0
        and not (axis_.power and number & (number - 1))
        and (number >= axis_.least or number == 0)
    )


def test_every_value_of_the_profiles_may_also_be_asked_for() -> None:
    for one in registry().benches.values():
        for axis_ in one.axes:
            for profile in ("quick", "full"):
                for value in axis_.values(profile, ANY_MACHINE):
                    if value != OMITTED:
                        assert axis_.parse(str(value), ANY_MACHINE) == value, (one.name, axis_.name)
                        size = axis_.argument(value)
                        if isinstance(size, int):
                            assert permitted(axis_, size), (one.name, axis_.name, value)
