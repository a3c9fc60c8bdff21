"""Shared memory on the emulator: bytes, bank conflicts, races, and clusters."""

from __future__ import annotations

import numpy as np
import pytest
from emulator import EmulatedGpu, EmulationError, Race, small
from mutants import mutant
from proof import observe, prove

from membench.benches import registry
from membench.benches.gpu import smem
from membench.benches.gpu.smem import BLOCK, TURN_BYTES, conflict, memory_bytes, tiles
from membench.core.errors import Skip, VerificationFailed
from membench.core.terms import Metric, Stat

pytestmark = pytest.mark.sampled(4)

BENCHES = registry().benches
TURNS = 10


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use few turns. The last turn begins at another tile than the first turn."""
    monkeypatch.setattr(smem, "TURNS", TURNS)
    monkeypatch.setattr(smem, "HOPS_TURNS", 3)
    monkeypatch.setattr(smem, "LAUNCHES", 2)


POINTS = [(4, 1), (4, 2), (4, 32), (8, 1), (8, 4), (8, 32), (16, 1), (16, 8), (16, 32)]


@pytest.mark.parametrize(("width", "stride"), POINTS)
def test_reads_are_as_many_and_conflict_as_declared(width: int, stride: int) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(BENCHES["smem/read"], {"width": width, "stride": stride}, gpu, iterations=1)
    assert proven.counts.bytes["ld.shared"] - 31 * 4 == proven.declared == TURNS * TURN_BYTES
    # Per warp: one wavefront for every 128 bytes, times the conflict ratio. The block sum has 31
    # more wavefronts.
    wavefronts = proven.counts.wavefronts["ld.shared"] - 31
    assert wavefronts == proven.declared // 128 * conflict(width, stride)
    assert proven.work.detail["conflict"] == conflict(width, stride)


@pytest.mark.parametrize(("width", "stride"), [(4, 1), (4, 32), (8, 4), (16, 2)])
def test_writes_are_as_many_and_conflict_as_declared(width: int, stride: int) -> None:
    gpu = EmulatedGpu(small(1))
    proven = prove(BENCHES["smem/write"], {"width": width, "stride": stride}, gpu, iterations=1)
    filled = memory_bytes(width) + 32 * 4
    assert proven.counts.bytes["st.shared"] - filled == proven.declared == TURNS * TURN_BYTES
    wavefronts = proven.counts.wavefronts["st.shared"] - memory_bytes(width) // 128 - 32
    assert wavefronts == proven.declared // 128 * conflict(width, stride)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_a_turn_is_one_element_a_thread_and_tile(width: int) -> None:
    assert tiles(width) * BLOCK * width == TURN_BYTES
    assert memory_bytes(width) <= 64 << 10  # every architecture has at least 64 KiB


def test_conflicts_are_those_of_32_banks() -> None:
    assert [conflict(4, stride) for stride in (1, 2, 4, 8, 16, 32)] == [1, 2, 4, 8, 16, 32]
    assert [conflict(8, stride) for stride in (1, 16, 32)] == [1, 16, 16]
    assert [conflict(16, stride) for stride in (1, 8, 32)] == [1, 8, 8]


@pytest.mark.parametrize("cluster", [1, 2, 4])
def test_a_hop_is_one_load(cluster: int) -> None:
    gpu = EmulatedGpu(small(4))
    _, observation = observe(BENCHES["smem/latency"], {"cluster": cluster}, gpu)
    entry = "shared_chase" if cluster == 1 else "cluster_chase"
    hops = 3 * 32 * 3  # launches, loads, turns
    assert gpu.counts[entry].bytes["ld.shared"] == hops * (4 if cluster == 1 else 8)
    assert len(observation.samples[Metric.LATENCY, Stat.MEDIAN]) == 2


@pytest.mark.parametrize("cluster", [2, 4])
def test_neighbours_are_read_as_often_as_declared(cluster: int) -> None:
    gpu = EmulatedGpu(small(5))
    proven = prove(BENCHES["smem/cluster"], {"cluster": cluster}, gpu, iterations=1)
    assert gpu.ran[0].grid == 4  # a multiple of the cluster size
    assert proven.counts.bytes["ld.shared"] - 4 * 31 * 4 == proven.declared
    assert proven.declared == 4 * TURNS * TURN_BYTES


H100_GPCS = (18, 18, 18, 16, 16, 16, 16, 14)
"""SMs of each GPC of an H100 SXM with 132 SMs.

15 clusters of 8 blocks fit, as cuBLAS launches them.
"""


@pytest.mark.parametrize(("cluster", "clusters"), [(2, 66), (4, 31), (8, 15), (16, 7)])
def test_no_cluster_waits_for_another(cluster: int, clusters: int) -> None:
    gpu = EmulatedGpu(small(132), gpcs=H100_GPCS)
    work = BENCHES["smem/cluster"].build(gpu, {"cluster": cluster})
    assert work.detail["blocks"] == cluster * clusters
    assert work.detail["sms"] == 132
    slots = gpu.machine.seats(cluster)
    assert slots.size == cluster * clusters == np.unique(slots).size
    gpc = np.repeat(np.arange(8), H100_GPCS)[slots].reshape(-1, cluster)
    assert (gpc == gpc[:, :1]).all()  # no cluster spans two GPCs


def test_a_cluster_that_no_gpc_holds_is_skipped() -> None:
    for name in ("smem/latency", "smem/cluster"):
        with pytest.raises(Skip, match="no cluster of 16 blocks fits into a GPC"):
            BENCHES[name].build(EmulatedGpu(small(16), gpcs=(8, 8)), {"cluster": 16})


def test_clusters_are_refused_where_there_are_none() -> None:
    for name in ("smem/latency", "smem/cluster"):
        with pytest.raises(Skip, match=r"compute capability 9\.0"):
            BENCHES[name].build(EmulatedGpu(small(4, "89")), {"cluster": 2})
    with pytest.raises(Skip, match="a cluster of 8 blocks does not fit into"):
        BENCHES["smem/cluster"].build(EmulatedGpu(small(4)), {"cluster": 8})


MUTANTS = [
    ("smem/read", {"width": 4, "stride": 4}, "turn % kTiles", "0", VerificationFailed),
    (
        "smem/read",
        {"width": 4, "stride": 4},
        "turn < turns",
        "turn + 1 < turns",
        VerificationFailed,
    ),
    (
        "smem/read",
        {"width": 8, "stride": 1},
        "return x + y;",
        "return x + (y & 1);",
        VerificationFailed,
    ),
    ("smem/read", {"width": 4, "stride": 4}, "    __syncthreads();\n}", "}", EmulationError),
    ("smem/write", {"width": 4, "stride": 2}, "lane * stride + warp", "lane + warp", Race),
    (
        "smem/write",
        {"width": 4, "stride": 1},
        "threadIdx.x + turn",
        "threadIdx.x",
        VerificationFailed,
    ),
    ("smem/cluster", {"cluster": 2}, "(rank() + 1) % CLUSTER", "rank()", VerificationFailed),
    ("smem/cluster", {"cluster": 2}, "    meet();  // no block ends while", "    //", Race),
    (
        "smem/cluster",
        {"cluster": 2},
        "    meet();\n    const unsigned mine",
        "    const unsigned mine",
        Race,
    ),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "params", "before", "after", "catch"), MUTANTS)
def test_a_mutant_is_caught(
    name: str, params: dict[str, int], before: str, after: str, catch: type[Exception]
) -> None:
    gpu = EmulatedGpu(small(2), compile_=mutant("shared.cu", before, after))
    with pytest.raises(catch):
        prove(BENCHES[name], dict(params), gpu, iterations=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [("    meet();\n    if (block", "    if (block"), ("    }\n    meet();\n}", "    }\n}")],
    ids=["before it is linked", "before it is read"],
)
def test_a_cluster_that_does_not_meet_is_caught(before: str, after: str) -> None:
    gpu = EmulatedGpu(small(2), compile_=mutant("shared.cu", before, after))
    with pytest.raises(EmulationError):
        observe(BENCHES["smem/latency"], {"cluster": 2}, gpu)


def test_a_chase_that_goes_nowhere_is_caught() -> None:
    gpu = EmulatedGpu(small(1), compile_=mutant("shared.cu", "(i + step)", "(i + step + 2)"))
    with pytest.raises(VerificationFailed, match="the pointer chase is at word"):
        observe(BENCHES["smem/latency"], {"cluster": 1}, gpu)
