"""The whole snapshot: of recorded machines, of damaged trees, and of this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.snapshot import Machine
from membench.machine import snapshot
from membench.machine.collect import collect

Tree = dict[str, str]
Plant = Callable[[Mapping[str, str]], Path]


def test_a_recorded_machine(plant: Plant, two_sockets: Tree) -> None:
    machine = collect([Path("/tmp/x")], plant(two_sockets))
    assert (machine.system, machine.kernel) == ("Ubuntu 24.04.1 LTS", "6.8.0-45-generic")
    assert machine.load == (0.5, 1.25, 2.0)
    assert machine.slug.startswith("intel-xeon-platinum-8480c-")
    assert len(machine.memory.nodes) == 2
    assert [place.path for place in machine.filesystems] == ["/tmp/x"]
    assert not machine.gpus.present


def test_a_machine_without_any_files(tmp_path: Path) -> None:
    machine = collect([Path("/a")], tmp_path / "nothing")
    assert machine.cpu.model == os.uname().machine
    assert machine.cpu.usable >= 1
    assert len(machine.memory.nodes) == 1
    assert (machine.system, machine.load) == ("", ())


def _damages() -> st.SearchStrategy[bytes | None]:
    """File contents that no kernel writes. None means that the file is missing."""
    numbers = st.integers(-(2**70), 2**70).map(lambda number: str(number).encode())
    return (
        st.none()
        | st.binary(max_size=60)
        | numbers
        | st.sampled_from([b"max max", b"0-,", b"::::"])
    )


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_file_costs_its_fact_and_nothing_else(
    data: st.DataObject, plant: Plant, odd_vm: Tree, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path)
    tree = odd_vm | {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": "1 0 0:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cpu.max": "100000 100000\n",
        "sys/fs/cgroup/memory.max": "100000000\n",
        "sys/fs/cgroup/memory.current": "1000\n",
        "sys/fs/cgroup/memory.stat": "inactive_file 10\n",
        "sys/fs/cgroup/cpu.stat": "nr_throttled 1\n",
        "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 5 kB\n",
        "sys/devices/system/node/node0/distance": "10\n",
        "proc/loadavg": "1 2 3\n",
        "etc/machine-id": "0" * 32,
    }
    root = plant(tree)
    for name in data.draw(st.lists(st.sampled_from(sorted(tree)), min_size=1, max_size=4)):
        damage = data.draw(_damages())
        (root / name).unlink(missing_ok=True)
        if damage is not None:
            (root / name).write_bytes(damage)
    machine = collect([Path("/scratch")], root)
    assert machine.cpu.model
    assert machine.cpu.usable >= 1
    assert machine.memory.total >= 0
    assert machine.memory.usable >= 0
    json.dumps(dataclasses.asdict(machine), allow_nan=False)


def test_importing_the_room_is_cheap() -> None:
    heavy = ("psutil", "pynvml", "numpy", "numba", "cupy", "ctypes", "importlib.metadata")
    code = f"import sys, membench.machine; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_function_is_still_there_after_a_call() -> None:
    code = (
        "import membench.machine as m; m.snapshot();"
        "from membench.machine import snapshot; print(callable(snapshot))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "True"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return snapshot([tmp_path_factory.mktemp("scratch")])


def test_this_machine_s_processors(here: Machine) -> None:
    assert len(here.cpu.cores) == os.cpu_count()
    assert set(here.cpu.affinity) == os.sched_getaffinity(0)
    assert 1 <= here.cpu.usable <= len(here.cpu.affinity)
    packages_and_cores = {(core.package, core.core) for core in here.cpu.cores}
    assert len(packages_and_cores) <= len(here.cpu.cores)
    assert {core.node for core in here.cpu.cores} <= {node.node for node in here.memory.nodes}


def test_this_machine_s_memory(here: Machine) -> None:
    theirs = psutil.virtual_memory()
    # A guest can get memory while it runs.
    assert here.memory.total == pytest.approx(theirs.total, rel=0.02)
    assert 0 < here.memory.usable <= here.memory.available <= here.memory.total
    assert here.memory.page == os.sysconf("SC_PAGE_SIZE")
    assert sorted(cpu for node in here.memory.nodes for cpu in node.cpus) == [
        core.cpu for core in here.cpu.cores
    ]


def test_this_machine_travels_in_a_file(here: Machine) -> None:
    text = json.dumps(dataclasses.asdict(here), allow_nan=False)
    assert json.loads(text)["slug"] == here.slug
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", here.slug)


@pytest.mark.skipif(shutil.which("lscpu") is None, reason="needs lscpu")
def test_this_machine_as_lscpu_sees_it(here: Machine) -> None:
    environ = {**os.environ, "LC_ALL": "C"}
    answer = subprocess.run(
        ["lscpu", "-J"], capture_output=True, text=True, env=environ, check=True
    )
    theirs: dict[str, str] = {}

    def walk(entries: list[dict[str, object]]) -> None:
        for entry in entries:
            theirs[str(entry["field"]).rstrip(":")] = str(entry.get("data"))
            children = entry.get("children")
            if isinstance(children, list):
                walk(children)

    walk(json.loads(answer.stdout)["lscpu"])
    assert theirs["Architecture"] == here.cpu.architecture
    if here.cpu.architecture == "x86_64":
        assert theirs["Model name"] == here.cpu.model
        assert ("Hypervisor vendor" in theirs) == bool(here.cpu.hypervisor)
    caches = subprocess.run(
        ["lscpu", "-B", "-C=LEVEL,TYPE,ALL-SIZE", "-J"],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    if caches.returncode == 0 and here.cpu.caches:
        sizes: dict[int, int] = {}
        for entry in json.loads(caches.stdout)["caches"]:
            if entry["type"] != "Instruction":
                sizes[int(entry["level"])] = int(entry["all-size"])
        assert {level: here.cpu.cache_bytes(level) for level in sizes} == sizes
