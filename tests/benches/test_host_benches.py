"""The host benches on real memory, at small sizes: they measure, verify and detect corruption."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from membench.benches import registry
from membench.benches.host.loaded import refuse_starved
from membench.core.errors import MembenchError, Skip, VerificationFailed
from membench.core.snapshot import Machine, Node
from membench.core.terms import BytesConvention, Metric, Stat, Tier
from membench.core.units import MIB, format_size
from membench.core.work import Observation, Observed, Timed, Work
from membench.host.compiled.pattern import ARRAYS
from membench.host.memory.backend import CpuBackend
from membench.host.memory.ring import HostRing
from membench.host.memory.sharing import BLOCK, all_thread_counts, parts, thread_counts
from membench.measure.worker.sampling import Sampled, take_samples
from membench.measure.worker.stopping import FixedCount
from membench.measure.worker.stopwatch import HostStopwatch

BENCHES = {name: b for name, b in registry().benches.items() if name.startswith(("ddr/", "host/"))}
STREAMS = ("read", "write", "copy", "scale", "add", "triad")
two_cpus = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs 2 CPUs")


def build(cpu: CpuBackend, name: str, /, **params: Any) -> Work:
    """The work of the bench ``name``, with the default of each axis that is not in ``params``."""
    bench = BENCHES[name]
    defaults = {axis.name: axis.values("quick", cpu.machine)[0] for axis in bench.axes}
    return bench.build(cpu, defaults | params)


def timed(cpu: CpuBackend, name: str, /, **params: Any) -> tuple[Timed, Sampled]:
    work = build(cpu, name, **params)
    assert isinstance(work, Timed)
    return work, take_samples(HostStopwatch(cpu, work), work, FixedCount(3), iterations=2)


def stream_params(operation: str, size: str, threads: int | str, stores: str) -> dict[str, Any]:
    return {"size": size, "threads": threads, **({"stores": stores} if operation != "read" else {})}


@pytest.mark.parametrize("stores", ["plain", "nt"])
@pytest.mark.parametrize("threads", ["all", 1])
@pytest.mark.parametrize("operation", STREAMS)
def test_a_stream_over_an_incomplete_last_page_reaches_its_end(
    cpu: CpuBackend, operation: str, threads: int | str, stores: str
) -> None:
    size = MIB + 3 * BLOCK
    params = stream_params(operation, format_size(size), threads, stores)
    work, sampled = timed(cpu, f"ddr/{operation}", **params)
    work.verify(sampled.total)
    (array, *_) = cpu.arrays("thp", [size] * ARRAYS[operation], cpu.threads(threads))
    array[-8:] ^= 1
    with pytest.raises(VerificationFailed):
        work.verify(sampled.total)


def test_the_kernels_process_whole_blocks() -> None:
    instructions = pytest.importorskip("membench.host.compiled.instructions")
    assert BLOCK % instructions.BLOCK_BYTES == 0


@pytest.mark.parametrize("stores", ["plain", "nt"])
@pytest.mark.parametrize("pages", ["thp", "4k"])
@pytest.mark.parametrize("threads", ["all", 1])
@pytest.mark.parametrize("operation", STREAMS)
def test_every_stream_measures_and_verifies(
    cpu: CpuBackend, operation: str, threads: int | str, pages: str, stores: str
) -> None:
    params = {**stream_params(operation, "1MiB", threads, stores), "pages": pages}
    work, sampled = timed(cpu, f"ddr/{operation}", **params)
    work.verify(sampled.total)
    arrays = {"read": 1, "write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3}[operation]
    assert work.bytes_moved == work.size_bytes == arrays * MIB
    assert work.bytes_convention is BytesConvention.RW_SUM
    assert work.detail["engine"] == "numba"
    assert work.detail["threads"] == (len(cpu.cpus) if threads == "all" else 1)
    assert pages == "thp" or work.detail["huge"] == "0%"
    assert all(work.value(elapsed, sampled.iterations) > 0 for elapsed in sampled.elapsed_ns)


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("operation", STREAMS[1:])
def test_a_corrupted_destination_fails_and_names_the_element(
    machine: Machine, operation: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "numpy":
        monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    cpu = CpuBackend(machine)
    work, sampled = timed(cpu, f"ddr/{operation}", size="1MiB", pages="4k")
    assert work.detail["engine"] == engine
    work.verify(sampled.total)
    arrays = {"write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3}[operation]
    threads = len(cpu.cpus)
    destination = cpu.arrays("4k", [MIB] * arrays, threads)[0].view(np.float64)  # the same memory
    kept = destination[100_000]
    destination[100_000] = kept + 1
    with pytest.raises(VerificationFailed, match=f"element 100000 is {kept + 1}, not {kept}"):
        work.verify(sampled.total)
    destination[100_000] = kept
    work.verify(sampled.total)
    cpu.close()


def test_sources_that_a_case_has_proven_are_not_filled_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = CpuBackend(machine)
    filled: list[int] = []
    fill = cpu.streams.fill

    def counted(array: Any, first: int, salt: int) -> None:
        filled.append(array.nbytes)
        fill(array, first, salt)

    monkeypatch.setattr(cpu.streams, "fill", counted)

    def bytes_filled(operation: str, *, verified: bool = True, **params: Any) -> int:
        filled.clear()
        work, sampled = timed(cpu, f"ddr/{operation}", size="1MiB", **params)
        if verified:
            work.verify(sampled.total)
        return sum(filled)

    assert bytes_filled("triad") == 2 * MIB
    assert bytes_filled("add", threads=1) == 0
    assert bytes_filled("write") == 0  # the destination is filled only at the start
    assert bytes_filled("copy", stores="nt") == 0
    assert bytes_filled("read") == MIB  # the memory that the other kernels write
    assert bytes_filled("read", threads=1) == 0
    assert bytes_filled("add", verified=False) == 0
    assert bytes_filled("add") == 2 * MIB  # the previous case did not verify this memory
    assert bytes_filled("add", pages="4k") == 2 * MIB
    cpu.close()


def test_a_source_that_changed_after_it_was_proven_fails_the_next_case(machine: Machine) -> None:
    cpu = CpuBackend(machine)
    work, sampled = timed(cpu, "ddr/triad", size="1MiB")
    work.verify(sampled.total)
    sources = cpu._arenas._arenas["thp"]
    begin, _ = sources.spans[1]
    sources.memory[begin : begin + 8].view(np.float64)[0] += 1.0
    work, sampled = timed(cpu, "ddr/copy", size="1MiB")
    with pytest.raises(VerificationFailed, match="copy: element 0 is"):
        work.verify(sampled.total)
    cpu.close()


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_a_pass_too_few_changes_the_sum(
    machine: Machine, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "numpy":
        monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    cpu = CpuBackend(machine)
    work, sampled = timed(cpu, "ddr/read", size="1MiB")
    work.verify(sampled.total)
    with pytest.raises(VerificationFailed, match="the sum of the words"):
        work.verify(sampled.total + 1)
    cpu.close()


@pytest.mark.parametrize("reads", [100, 75, 67, 50, 0])
def test_a_mix_reads_and_writes_its_share(cpu: CpuBackend, reads: int) -> None:
    size = 2 * MIB * len(cpu.cpus)  # 128 chunks per thread
    work, sampled = timed(cpu, "ddr/mix", size=format_size(size), reads=reads)
    work.verify(sampled.total)
    memory = cpu.arrays("thp", [size], len(cpu.cpus))[0]
    written = (memory.view(np.float64).reshape(-1, 2048) == 3.0).all(axis=1).mean()
    assert abs(written - (1 - reads / 100)) < 0.02
    memory[-1] ^= 1
    with pytest.raises(VerificationFailed, match="mix"):
        work.verify(sampled.total)
    memory[-1] ^= 1
    if reads:
        with pytest.raises(VerificationFailed, match="the sum of the words"):
            work.verify(sampled.total + 1)


@pytest.mark.parametrize("pages", ["thp", "4k"])
@pytest.mark.parametrize("size", ["4KiB", "256KiB", "2MiB"])
def test_the_chase_ends_where_it_must(cpu: CpuBackend, size: str, pages: str) -> None:
    work, sampled = timed(cpu, "host/chase", size=size, pages=pages)
    work.verify(sampled.total)
    assert work.metric is Metric.LATENCY
    ring = cpu.arrays(pages, [work.size_bytes])[0].view(np.uint64)
    ring[:] = ring.ctypes.data  # every pointer points to the first line
    cpu.elapsed_ns(work.run, 1)
    with pytest.raises(VerificationFailed, match="loads, the pointer chase is at byte 0"):
        work.verify(sampled.total + 1)


@two_cpus
@pytest.mark.parametrize(
    ("name", "size"), [("host/chase", "128MiB"), ("host/mlp", "1MiB"), ("host/loaded", "16MiB")]
)
def test_the_cpu_that_chases_has_linked_the_whole_ring(
    cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch, name: str, size: str
) -> None:
    """If another CPU links the ring, the chase fetches lines from the cache of that CPU."""
    linked: list[set[int]] = []
    link = HostRing.link

    def watched(ring: HostRing) -> None:
        linked.append(os.sched_getaffinity(0))
        link(ring)

    monkeypatch.setattr(HostRing, "link", watched)
    build(cpu, name, size=size).close()
    assert linked == [{cpu.cpus[0]}]


def test_the_tier_of_a_chase_follows_the_footprint(machine: Machine) -> None:
    tier = BENCHES["host/chase"].tier
    assert callable(tier)
    last = machine.cpu.last_level_bytes or 32 * MIB
    assert tier(machine, size=last, pages="4k") is Tier.CACHE
    assert tier(machine, size=2 * last, pages="4k") is Tier.DDR
    blind = replace(machine, cpu=replace(machine.cpu, caches=()))
    assert tier(blind, size=32 * MIB, pages="4k") is Tier.CACHE
    assert tier(blind, size=64 * MIB, pages="4k") is Tier.DDR


def undisturbed(work: Observed) -> Observation:
    """A short observation, repeated if other tests took the generator's CPU."""
    for _ in range(50):
        try:
            return work.observe(0.02)
        except MembenchError as error:
            assert "were idle" in str(error)  # noqa: PT017 - and then once more
    return work.observe(1.0)


@two_cpus
@pytest.mark.parametrize(("reads", "pause"), [(100, 0), (50, 500), (0, 0)])
def test_loaded_latency_comes_with_the_bandwidth_of_the_same_time(
    cpu: CpuBackend, reads: int, pause: int
) -> None:
    size = MIB << (2 * len(cpu.cpus) - 1).bit_length()  # 128 chunks or more per generator
    work = build(cpu, "host/loaded", size=format_size(size), reads=reads, pause=pause)
    assert isinstance(work, Observed)
    assert work.verify is not None
    observation = undisturbed(work)
    work.verify()
    latency = observation.samples[Metric.LATENCY, Stat.MEDIAN]
    bandwidth = observation.samples[Metric.BANDWIDTH, Stat.MEDIAN]
    assert len(latency) == len(bandwidth) >= 1
    assert min(latency) > 0
    assert max(bandwidth) > 0  # a generator may lose its CPU for a short sample
    assert float(observation.detail["idle_ns"]) > 0
    assert work.detail["generators"] == len(cpu.cpus) - 1
    traffic = cpu.arrays("thp", [size, work.size_bytes - size], len(cpu.cpus))[1].view(np.float64)
    traffic[1] += 1
    with pytest.raises(VerificationFailed, match="element 1"):
        work.verify()


@pytest.mark.parametrize("chains", [1, 2, 4, 8, 12])
def test_mlp_counts_the_loads_of_all_chains(cpu: CpuBackend, chains: int) -> None:
    work, sampled = timed(cpu, "host/mlp", size="1MiB", chains=chains)
    work.verify(sampled.total)
    assert work.operations == 4096 * chains
    with pytest.raises(VerificationFailed):
        work.verify(sampled.total + 1)


@pytest.mark.parametrize("layout", ["packed", "spread"])
@pytest.mark.parametrize("pages", ["thp", "4k"])
def test_tlb_spreads_the_same_lines(cpu: CpuBackend, layout: str, pages: str) -> None:
    work, sampled = timed(cpu, "host/tlb", lines=1024, layout=layout, pages=pages)
    work.verify(sampled.total)
    line = cpu.line_bytes
    assert work.size_bytes == 1024 * (line if layout == "packed" else 4096 + line)


@pytest.mark.parametrize("index", ["rand", "seq"])
@pytest.mark.parametrize("threads", ["all", 1])
def test_a_gather_takes_what_numpy_takes(cpu: CpuBackend, index: str, threads: int | str) -> None:
    work, sampled = timed(cpu, "host/gather", size="16MiB", index=index, threads=threads)
    work.verify(sampled.total)
    assert work.metric is Metric.RATE
    count = work.operations
    sizes = [16 * MIB, 8 * count, 8 * count]
    out = cpu.arrays("thp", sizes, int(work.detail["threads"]))[2].view(np.int64)
    out[5] += 1
    with pytest.raises(VerificationFailed, match="element 5"):
        work.verify(sampled.total)


@pytest.mark.parametrize("pages", ["4k", "thp", "populate"])
@pytest.mark.parametrize("threads", ["all", 1])
def test_first_touch_is_counted_in_page_faults(
    cpu: CpuBackend, pages: str, threads: int | str
) -> None:
    work = build(cpu, "host/fault", size="16MiB", pages=pages, threads=threads)
    assert isinstance(work, Observed)
    observation = work.observe(0.01)
    bandwidth = observation.samples[Metric.BANDWIDTH, Stat.MEDIAN]
    latency = observation.samples[Metric.LATENCY, Stat.MEDIAN]
    assert len(bandwidth) == len(latency) >= 3
    count = int(work.detail["threads"])
    for gb_s, ns in zip(bandwidth, latency, strict=True):
        assert ns == pytest.approx(count * 4096 / gb_s)


def machine_has_huge_pages() -> bool:
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return switch.exists() and "[never]" not in switch.read_text()


def test_a_wrong_number_of_page_faults_fails(
    cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = build(cpu, "host/fault", size="16MiB", pages="4k", threads=1)
    assert isinstance(work, Observed)
    monkeypatch.setattr("membench.host.memory.arena.huge_page_bytes", lambda *_: 0)
    work.observe(0.0)
    thp = build(cpu, "host/fault", size="16MiB", pages="thp", threads=1)
    assert isinstance(thp, Observed)
    if machine_has_huge_pages():
        with pytest.raises(VerificationFailed, match="page faults instead of 4096"):
            thp.observe(0.0)


def test_between_nodes(cpu: CpuBackend) -> None:
    node = cpu.machine.cpu.cores[0].node
    try:
        work = build(cpu, "host/numa", size="16MiB", cpu=node, mem=node)
    except Skip as skipped:
        pytest.skip(str(skipped))
    assert isinstance(work, Observed)
    assert work.verify is not None
    observation = work.observe(0.01)
    work.verify()
    assert set(observation.samples) == set(BENCHES["host/numa"].yields)
    with pytest.raises(Skip, match="not allowed to use any CPU of node 77"):
        build(cpu, "host/numa", size="16MiB", cpu=77, mem=node)


def test_pages_on_another_node_than_asked_for_fail(
    cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("membench.machine.pages.node_of_pages", lambda pages: [3] * len(pages))
    node = cpu.machine.cpu.cores[0].node
    try:
        with pytest.raises(VerificationFailed, match=r"pages are on nodes \[3\]"):
            build(cpu, "host/numa", size="16MiB", cpu=node, mem=node)
    except Skip as skipped:
        pytest.skip(str(skipped))


def test_numa_cases_cross_the_nodes(machine: Machine) -> None:
    nodes = tuple(Node(n, (n,), 1 << 30, (10, 20)) for n in (0, 1))
    two = replace(
        machine,
        memory=replace(machine.memory, nodes=nodes),
        cpu=replace(machine.cpu, affinity=(0, 1)),
    )
    ids = [case.id for case in BENCHES["host/numa"].cases("full", two)]
    assert ids == [f"host/numa/size=auto/cpu={c}/mem={m}" for c in (0, 1) for m in (0, 1)]


def test_parts_share_everything_at_page_boundaries() -> None:
    for size in (MIB, 256 * MIB, 5 * 4096, 5 * 4096 + 3 * BLOCK):
        for threads in (1, 2, 3, 5):
            cuts = parts(size, threads)
            assert cuts[0].start == 0
            assert cuts[-1].stop == size
            assert all(a.stop == b.start for a, b in pairwise(cuts))
            grain = 2 * MIB if size == 256 * MIB else 4096
            assert all(cut.start % grain == 0 for cut in cuts)
    with pytest.raises(Skip, match="is too small for 6"):
        parts(5 * 4096, 6)
    with pytest.raises(Skip, match="multiple of 256"):
        parts(5000, 1)


def test_thread_counts_are_named_once(machine: Machine) -> None:
    def of(usable: int) -> Machine:
        return replace(machine, cpu=replace(machine.cpu, usable=usable))

    assert thread_counts(of(1)) == all_thread_counts(of(1)) == ("all",)
    assert thread_counts(of(2)) == ("all", 1)
    assert all_thread_counts(of(2)) == (1, "all")
    assert all_thread_counts(of(12)) == (1, 2, 4, 8, "all")


def test_without_a_compiler_what_numpy_cannot_measure_is_skipped(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMBENCH_ENGINE", "numpy")
    cpu = CpuBackend(machine)
    with pytest.raises(Skip, match="stores=nt needs compiled kernels"):
        build(cpu, "ddr/copy", size="1MiB", stores="nt")
    cpu.close()


WITHOUT_A_COMPILER = """
import sys

sys.modules["numba"] = None  # every import of it fails

from membench.benches import registry
from membench.core.case import Needs
from membench.core.work import Timed
from membench.host.memory.backend import CpuBackend
from membench.machine import snapshot

machine = snapshot([])
for name, bench in registry().benches.items():
    if bench.backend == "cpu" and Needs.JIT not in bench.needs:
        cpu = CpuBackend(machine)
        params = {axis.name: axis.values("quick", machine)[0] for axis in bench.axes}
        if "size" in params:
            params["size"] = "1MiB"
        work = bench.build(cpu, params)
        if isinstance(work, Timed):
            work.run(1)
            work.verify(1)
        cpu.close()
        print(name)
"""


def test_every_host_bench_that_says_that_it_needs_no_compiler_needs_none() -> None:
    command = [sys.executable, "-c", WITHOUT_A_COMPILER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {f"ddr/{operation}" for operation in STREAMS} <= set(done.stdout.split())


def test_more_threads_than_cpus_are_skipped(cpu: CpuBackend) -> None:
    with pytest.raises(Skip, match="needs 4096 CPUs"):
        build(cpu, "ddr/copy", size="1MiB", threads=4096)


@pytest.mark.parametrize("name", BENCHES)
def test_the_memory_that_a_case_declares_is_what_it_takes(
    cpu: CpuBackend, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks the largest case of each bench, without touching the memory."""
    taken: list[int] = []

    class Enough(Exception):
        pass

    def arrays(pages: str, sizes: list[int], threads: int = 1) -> None:
        taken.append(sum(sizes))
        raise Enough

    monkeypatch.setattr(cpu, "arrays", arrays)
    if name in ("host/fault", "host/numa"):
        return  # these benches map memory directly
    for case in BENCHES[name].cases("full", cpu.machine):
        with pytest.raises(Enough):
            BENCHES[name].build(cpu, dict(case.params))
        # The estimate cannot know the line size, 64 or 128 bytes.
        least = 0.45 if name == "host/tlb" else 0.95
        assert least * (case.memory - MIB) <= taken[-1] <= case.memory, case.id


@pytest.mark.parametrize(("profile", "round_s", "family_s"), [("quick", 12, 10), ("full", 60, 30)])
def test_the_estimates_stay_within_the_budget(
    machine: Machine, profile: str, round_s: float, family_s: float
) -> None:
    two = replace(machine, cpu=replace(machine.cpu, usable=2))
    families: dict[str, float] = {}
    for bench in BENCHES.values():
        for case in bench.cases(profile, two):
            families[bench.family] = families.get(bench.family, 0) + case.seconds
            assert case.memory <= 800 * MIB or profile == "full", format_size(case.memory)
    assert sum(families.values()) <= round_s
    assert max(families.values()) <= family_s


def test_every_bench_says_what_it_is() -> None:
    for bench in BENCHES.values():
        assert 20 < len(bench.summary) < 100, bench.name
        assert bench.backend == "cpu"


@two_cpus
def test_a_sample_without_traffic_is_none_under_load(
    cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: Any = build(cpu, "host/loaded", size="16MiB", reads=100, pause=0)
    scene = work.observe.__self__
    idle = ([80.0], [0.0])
    answers = iter([idle, ([90.0, 200.0, 210.0, 220.0], [0.0, 5.0, 6.0, 7.0]), idle])
    monkeypatch.setattr(scene, "_samples", lambda *_: next(answers))
    observation = work.observe(0.01)
    assert observation.samples[Metric.LATENCY, Stat.MEDIAN] == [200.0, 210.0, 220.0]
    assert observation.samples[Metric.BANDWIDTH, Stat.MEDIAN] == [5.0, 6.0, 7.0]
    assert observation.detail == {"idle_ns": 80.0, "still": "25%"}


def test_a_latency_beside_generators_that_hardly_ran_is_refused() -> None:
    refuse_starved([0.0, 4.0, 5.0])
    with pytest.raises(MembenchError, match="were idle in 2 of 3 samples") as error:
        refuse_starved([0.0, 0.0, 5.0])
    assert "doctor" in error.value.hint
