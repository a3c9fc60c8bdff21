"""The snapshot of real machines, and the cases that run on these machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from healthy import MACHINE
from zoo import SPECIMENS, Specimen

from membench.benches import registry
from membench.core.case import Case
from membench.core.sizes.placement import placement
from membench.core.snapshot import GpuIdentity, Gpus, Machine, NodeKind
from membench.core.terms import OFF_TIER_FLAGS, Tier
from membench.machine.cpus.topology import online_cpus, read_cpu
from membench.machine.memory import read_memory
from membench.machine.nodes import of_the_host, seen_together
from membench.report.screens.info import facts

BY_NAME = {one.name: one for one in SPECIMENS}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Specimen], Machine]:
    """A function that returns the snapshot of a specimen, without GPUs."""
    known: dict[str, Machine] = {}

    def read(one: Specimen) -> Machine:
        if one.name not in known:
            known[one.name] = _read(one, tmp_path_factory.mktemp("zoo"))
        return known[one.name]

    return read


def _read(one: Specimen, root: Path) -> Machine:
    for name, content in one.tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_text(content)
    cpu = read_cpu(root, affinity=one.affinity or online_cpus(root), architecture=one.architecture)
    memory = read_memory(root, page=4096)
    nodes = seen_together(memory.nodes, cpu, Gpus())
    memory = of_the_host(replace(memory, nodes=nodes))
    return replace(MACHINE, cpu=cpu, memory=memory, gpus=Gpus())


def _cases(bench: str, profile: str, machine: Machine) -> list[Case]:
    return list(registry().benches[bench].cases(profile, machine))


@pytest.mark.parametrize("one", SPECIMENS, ids=lambda one: one.name)
def test_every_machine_is_described_as_it_is(
    one: Specimen, seen: Callable[[Specimen], Machine]
) -> None:
    machine = seen(one)
    cpu = machine.cpu
    assert len(cpu.cores) == one.cpus
    assert len({core.core for core in cpu.cores}) == one.cores
    assert len({core.package for core in cpu.cores}) == one.packages
    assert cpu.kinds == (one.kinds or (one.cpus,))
    assert placement(machine)[: len(one.begins)] == one.begins
    kinds = {n.node: str(n.kind) for n in machine.memory.nodes if n.kind is not NodeKind.HOST}
    assert kinds == one.kinds_of_nodes
    # One skipped case on a machine with one node.
    assert len(_cases("host/numa", "full", machine)) == max(1, one.pairs)
    # One case for one thread, one case for all threads.
    assert len(_cases("ddr/read", "quick", machine)) == 2
    assert Tier.CACHE in {case.tier for case in _cases("host/chase", "quick", machine)}
    assert all(value is not None for _, value in facts(machine))


def test_first_threads_never_share_a_core_while_cores_are_free(
    seen: Callable[[Specimen], Machine],
) -> None:
    for one in SPECIMENS:
        machine = seen(one)
        core_of = {core.cpu: core.core for core in machine.cpu.cores}
        order = [core_of[cpu] for cpu in placement(machine)]
        free = len(set(order))
        assert len(set(order[:free])) == free, one.name


def test_memory_of_a_gpu_is_no_part_of_the_host(seen: Callable[[Specimen], Machine]) -> None:
    machine = seen(BY_NAME["GH200"])
    assert machine.memory.total == 502661056 * 1024
    assert machine.memory.usable <= machine.memory.total  # although no node reports free memory
    info = dict(facts(machine))
    assert "memory of a GPU" in info["NUMA node 1"]
    assert "of 512MiB" in info["memory"] or machine.memory.huge_page == 512 << 20


def test_a_node_that_nvml_names_is_the_gpu_s(seen: Callable[[Specimen], Machine]) -> None:
    tree = {k: v for k, v in BY_NAME["GH200"].tree.items() if "numa_status" not in k}
    machine = seen(replace(BY_NAME["GH200"], name="GH200 by NVML", tree=tree))
    assert machine.memory.nodes[1].kind is NodeKind.MEMORY_ONLY
    gpu = GpuIdentity(0, "NVIDIA GH200 480GB", "00", 96 << 30, "9.0", memory_node=1)
    nodes = seen_together(machine.memory.nodes, machine.cpu, Gpus(devices=(gpu,)))
    assert nodes[1].kind is NodeKind.GPU


def test_side_caches_are_told(seen: Callable[[Specimen], Machine]) -> None:
    machine = seen(BY_NAME["memory-side caches"])
    assert {node.side_cache for node in machine.memory.nodes} == {96 << 30}
    assert "behind a cache of 96.0 GiB" in dict(facts(machine))["NUMA node 0"]


def test_nodes_outside_of_the_control_group_are_not_asked_for(
    seen: Callable[[Specimen], Machine],
) -> None:
    machine = seen(BY_NAME["control group with holes"])
    assert [node.node for node in machine.memory.grantable] == [0, 3, 5, 6]
    cases = [case.params for case in _cases("host/numa", "full", machine)]
    assert {dict(params)["mem"] for params in cases} <= {0, 3, 5, 6}


def test_every_distance_to_every_kind_of_node_is_measured(
    seen: Callable[[Specimen], Machine],
) -> None:
    for name in ("24 nodes", "persistent memory", "GPU memory as nodes"):
        machine = seen(BY_NAME[name])
        kinds = {node.node: node.kind for node in machine.memory.nodes}
        with_cpus = [node.node for node in machine.memory.nodes if node.cpus]
        distance = machine.memory.distance
        all_of = {(kinds[m], distance(c, m)) for c in with_cpus for m in kinds}
        cases = [dict(case.params) for case in _cases("host/numa", "full", machine)]
        assert {
            (kinds[int(p["mem"])], distance(int(p["cpu"]), int(p["mem"]))) for p in cases
        } == all_of


def test_other_memory_is_the_best_of_nothing() -> None:
    assert "other-memory" in OFF_TIER_FLAGS
