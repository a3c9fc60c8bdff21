"""The tiers of a pointer chase: published latencies of seven GPUs, and latencies of hosts.

The latencies of the GPUs are from te42kyfo/gpu-benches (commit 1c36d509, folder gpu-latency, one
file per GPU). Each curve has the footprint in KiB nearest to each power of two, and the latency of
one hop in ns, computed from cycles and clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.ladder import ladder
from membench.core.terms import BETTER, OFF_TIER_FLAGS, REACH, UNIT, Metric, Stat, Status, Tier
from membench.results.schema import Row
from membench.results.staircase import leading, settled

KIB, MIB = 1 << 10, 1 << 20

Curve = Sequence[tuple[int, float]]

A100_40: Curve = (
    *((2, 25.5), (4, 25.5), (9, 25.5), (15, 25.6), (30, 25.6), (62, 25.7), (130, 25.8)),
    *((264, 150.7), (523, 150.9), (1029, 151.1), (2016, 151.1), (3938, 151.1), (8453, 151.1)),
    *((16482, 151.1), (32129, 302.5), (62620, 403.8), (125026, 405.8), (561642, 407.3)),
    (1529075, 407.5),
)
A100_80: Curve = (
    *((2, 25.5), (4, 25.5), (9, 25.5), (15, 25.6), (30, 25.6), (62, 25.7), (130, 25.8)),
    *((264, 149.0), (523, 149.4), (1029, 149.6), (2016, 149.6), (3938, 149.6), (8453, 149.6)),
    *((16482, 149.6), (32129, 301.1), (62620, 402.3), (125026, 404.4), (340388, 405.5)),
)
H100_PCIE: Curve = (
    *((2, 19.5), (4, 19.4), (9, 19.4), (15, 19.5), (30, 19.4), (62, 19.5), (130, 19.7)),
    *((264, 117.3), (523, 151.1), (1029, 151.3), (2016, 151.2), (3938, 151.2), (8453, 151.3)),
    *((16482, 151.3), (32129, 263.0), (62620, 357.0), (125026, 370.3), (561642, 373.4)),
    (1529075, 375.2),
)
V100: Curve = (
    *((2, 21.7), (4, 21.7), (9, 21.7), (15, 21.7), (30, 21.7), (62, 21.8), (130, 64.9)),
    *((264, 155.7), (523, 155.8), (1029, 155.9), (2016, 155.8), (3938, 155.8), (8453, 299.1)),
    *((16482, 310.3), (32129, 310.4), (62620, 313.4), (125026, 315.1), (561642, 316.4)),
)
L40: Curve = (
    *((9, 14.5), (16, 14.5), (31, 14.5), (65, 14.6), (127, 107.0), (256, 111.0), (523, 111.0)),
    *((1022, 111.0), (2039, 111.0), (4019, 111.0), (8192, 111.0), (16647, 111.0)),
    *((32473, 111.0), (65836, 113.1), (118607, 225.5), (288650, 253.5), (1095850, 253.8)),
)
MI210: Curve = (
    *((2, 73.6), (4, 73.6), (9, 73.6), (15, 73.6), (30, 139.6), (62, 139.7), (130, 137.5)),
    *((264, 139.5), (523, 142.7), (1029, 141.9), (2016, 148.2), (3938, 152.6), (8453, 247.6)),
    *((16482, 337.3), (32129, 335.2), (62620, 336.4), (125026, 369.8), (561642, 385.4)),
    (1529075, 391.2),
)
RX_6900_XT: Curve = (
    *((2, 28.4), (4, 28.4), (9, 28.4), (15, 28.4), (30, 39.8), (62, 43.6), (130, 47.0)),
    *((264, 72.6), (523, 77.3), (1029, 80.6), (2016, 81.9), (3938, 86.8), (8453, 136.7)),
    *((16482, 151.3), (32129, 155.9), (62620, 159.6), (125026, 165.7), (561642, 715.1)),
    (1529075, 761.9),
)

# Name -> (curve, MiB of L2 by the vendor, (end of L1, begin of L2, end of L2, begin of memory) in
# KiB). Footprints between these bounds belong to no tier.
GPUS: Mapping[str, tuple[Curve, int, tuple[int, int, int, int]]] = {
    "A100 40 GB": (A100_40, 40, (130, 264, 16482, 561642)),
    "A100 80 GB": (A100_80, 40, (130, 264, 16482, 340388)),
    "H100 PCIe": (H100_PCIE, 50, (130, 523, 16482, 561642)),
    "V100": (V100, 6, (62, 264, 3938, 32129)),
    "L40": (L40, 96, (65, 127, 65836, 1095850)),
    "MI210": (MI210, 8, (15, 30, 3938, 62620)),
    # The Infinity Cache of 128 MB lies between L2 and memory, and has no tier of its own.
    "RX 6900 XT": (RX_6900_XT, 4, (15, 523, 3938, 561642)),
}


def gpu_rows(curve: Curve, l2: int = 0, hint: str = "ca") -> list[Row]:
    """Rows of `gpu/chase` with the tier that a table of L2 sizes gives."""
    detail = {REACH: str(l2 * MIB)} if l2 else {}

    def before(size: int) -> Tier:
        return Tier.L1 if size <= 64 else Tier.L2 if size <= 50 * KIB else Tier.HBM

    return [
        row(f"gpu/chase/size={size}KiB/tlb=cold/hint={hint}", ns, before(size), size * KIB, detail)
        for size, ns in curve
    ]


def host_rows(curve: Curve, last_level: int = 0, *, pages: str = "thp") -> list[Row]:
    """Rows of `host/chase`. The reported cache size decides the tier of each row."""
    detail = {REACH: str(last_level * MIB)} if last_level else {}
    return [
        row(
            f"host/chase/size={size}KiB/pages={pages}",
            *(ns, Tier.CACHE if size <= 32 * KIB else Tier.DDR, size * KIB, detail),
        )
        for size, ns in curve
    ]


def row(
    case: str, value: float, tier: Tier, size: int, detail: dict[str, str], **more: object
) -> Row:
    metric = Metric.LATENCY
    return Row(
        **{
            "run_id": "r",
            "machine": "box",
            "tier": tier,
            "case": case,
            "case_version": 2,
            "metric": metric,
            "stat": Stat.MEDIAN,
            "status": Status.OK,
            "value": value,
            "unit": UNIT[metric],
            "better": BETTER[metric],
            "rounds": 5,
            "size_bytes": size,
            "backend": "cuda",
            "detail": detail,
            **more,
        }  # type: ignore[arg-type]
    )


def tiers(rows: Sequence[Row]) -> list[str]:
    return ["" if "transition" in one.flags else str(one.tier) for one in rows]


@pytest.mark.parametrize("name", GPUS)
def test_a_published_staircase_falls_into_its_tiers(name: str) -> None:
    curve, l2, (l1_end, l2_begin, l2_end, memory) = GPUS[name]
    found = dict(zip([size for size, _ in curve], tiers(settled(gpu_rows(curve, l2))), strict=True))
    for size, tier in found.items():
        expected = (
            "l1"
            if size <= l1_end
            else "l2"
            if l2_begin <= size <= l2_end
            else "hbm"
            if size >= memory
            else ""
        )
        assert tier == expected, (name, size)


@pytest.mark.parametrize("name", GPUS)
def test_the_best_of_a_tier_is_a_latency_of_that_tier(name: str) -> None:
    """The test also passes without the reported L2 size if the curve shows the memory latency."""
    curve, l2, (l1_end, l2_begin, l2_end, memory) = GPUS[name]
    for known in (l2, 0) if name != "RX 6900 XT" else (l2,):
        rungs = ladder(gpu_rows(curve, known))
        best = {str(rung.tier): rung.best[Metric.LATENCY].case for rung in rungs}
        sizes = {tier: int(case.split("size=")[1].split("KiB")[0]) for tier, case in best.items()}
        assert sizes["l1"] <= l1_end
        assert l2_begin <= sizes["l2"] <= l2_end
        assert sizes["hbm"] >= memory


def test_a_few_footprints_of_an_h100_are_enough() -> None:
    """The test uses the footprints of the quick profile, and an even smaller set."""
    quick = {15: "l1", 1029: "l2", 16482: "l2", 561642: "hbm", 1529075: "hbm"}
    curve = [(size, ns) for size, ns in H100_PCIE if size in quick]
    assert tiers(settled(gpu_rows(curve, 50))) == list(quick.values())
    thin = [(130, 19.7), (1029, 151.3), (65536, 367.0), (125026, 370.3), (1048576, 374.4)]
    for known in (50, 0):
        rungs = ladder(gpu_rows(thin, known))
        found = {str(rung.tier): rung.best[Metric.LATENCY].value for rung in rungs}
        assert found == {"l1": 19.7, "l2": 151.3, "hbm": 374.4}


def test_a_load_that_passes_l1_is_never_of_l1() -> None:
    flat = [(size, 151.2 if ns < 151 else ns) for size, ns in H100_PCIE]
    for hint in ("cg", "cv"):
        found = tiers(settled(gpu_rows(flat, 50, hint)))
        assert "l1" not in found
        assert found[:8] == ["l2"] * 8
    both = settled([*gpu_rows(H100_PCIE, 50), *gpu_rows(flat, 50, "cg")])
    assert tiers(both)[: len(flat)] == tiers(settled(gpu_rows(H100_PCIE, 50)))


# A virtual machine that reports 32 MiB of cache but gets less (results/reference). The latencies of
# EPYC and Xeon servers are typical values, not measurements.
VM: Curve = (
    *((16, 1.1), (128, 3.9), (512, 4.9), (2048, 13.4), (8192, 107.9), (32768, 145.9)),
    (262144, 160.8),
)
HOSTS = {
    "a cache that others use too": (VM, 32, ["cache"] * 4 + ["", "", "ddr"]),
    "the same, nothing reported": (VM, 0, ["cache"] * 4 + ["", "", "ddr"]),
    "96 MiB a complex": (
        [(16, 0.9), (512, 3.0), (8192, 11.0), (32768, 13.0), (131072, 60.0), (524288, 110.0)],
        96,
        ["cache"] * 4 + ["", "ddr"],
    ),
    "105 MiB, a slow mesh": (
        [(16, 1.3), (2048, 4.5), (8192, 35.0), (32768, 38.0), (524288, 120.0)],
        105,
        ["cache"] * 4 + ["ddr"],
    ),
    "36 MiB": (
        [(16, 1.0), (2048, 4.0), (8192, 18.0), (32768, 28.0), (262144, 85.0)],
        36,
        ["cache"] * 3 + ["", "ddr"],
    ),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_chase_of_a_host(name: str) -> None:
    curve, last_level, expected = HOSTS[name]
    assert tiers(settled(host_rows(curve, last_level))) == expected


def test_the_staircase_overrules_what_was_planned_of_its_own_rows() -> None:
    planned = [
        row(one.case, one.value or 0, one.tier, one.size_bytes or 0, {}, flags=("cache-served",))
        for one in host_rows(VM)
    ]
    assert {flag for one in settled(planned) for flag in one.flags} == {"transition"}


def test_what_shows_no_step_is_left_as_it_is() -> None:
    small = host_rows([(16, 1.1), (32, 1.1), (64, 1.2)])
    one = host_rows([(262144, 110.0)])
    for rows in (small, one, gpu_rows([(1048576, 374.0)]), gpu_rows([(16, 19.5), (32, 19.5)], 50)):
        assert settled(rows) == rows
    (alone,) = settled(gpu_rows([(65536, 367.0)], 50))  # an L2 of 50 MiB contains most of the data
    assert "transition" in alone.flags


def test_pages_runs_and_cards_have_curves_of_their_own() -> None:
    small_pages = host_rows([(size, 1.3 * ns) for size, ns in VM], 32, pages="4k")
    together = settled([*host_rows(VM, 32), *small_pages])
    assert together == [*settled(host_rows(VM, 32)), *settled(small_pages)]


def test_other_statistics_follow_the_median_of_their_case() -> None:
    rows = gpu_rows(H100_PCIE, 50)
    tails = [
        row(one.case, 2 * (one.value or 0), one.tier, one.size_bytes or 0, {}, stat=Stat.P99)
        for one in rows
    ]
    found = settled([*rows, *tails])
    assert tiers(found[: len(rows)]) == tiers(found[len(rows) :])


def test_what_is_cited_keeps_the_tier_of_its_source() -> None:
    cited = [
        row(one.case, one.value or 0, one.tier, one.size_bytes or 0, {}, backend="cited")
        for one in gpu_rows(H100_PCIE)
    ]
    assert settled(cited) == cited


@pytest.mark.parametrize("code", sorted(OFF_TIER_FLAGS))
def test_a_flagged_row_leads_no_tier(code: str) -> None:
    rows = [row("ddr/read", 1.0, Tier.DDR, 1, {}, flags=(code,)), row("a/b", 2.0, Tier.DDR, 1, {})]
    assert leading(rows) == rows[1:]


def test_what_was_measured_under_load_leads_no_tier() -> None:
    rows = [
        row("host/loaded/size=auto/reads=100/pause=0", 1.0, Tier.DDR, 1, {}),
        row("hbm/loaded/size=auto/reads=100/pause=0/sms=100", 1.0, Tier.HBM, 1, {}),
    ]
    assert leading(rows) == []


@given(
    st.lists(st.tuples(st.integers(1, 1 << 22), st.floats(0.5, 2e3)), min_size=1, max_size=20),
    st.sampled_from([0, 1, 6, 32, 50, 260]),
    st.booleans(),
)
def test_settling_twice_changes_nothing(curve: Curve, cache: int, on_gpu: bool) -> None:
    curve = list(dict(curve).items())
    rows = settled(gpu_rows(curve, cache) if on_gpu else host_rows(curve, cache))
    assert settled(rows) == rows
    assert [one.value for one in rows] == [ns for _, ns in curve]
    largest = max(curve)[1]
    # The latency of memory is never far below the latency of the largest footprint.
    for one in leading(rows):
        if one.tier in (Tier.HBM, Tier.DDR) and cache and (one.size_bytes or 0) >= 4 * cache * MIB:
            assert (one.value or 0) >= largest / 1.25 - 1e-9
