"""The facts of `membench doctor` agree with lscpu, lsblk and findmnt on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from membench.core.units import MIB
from membench.doctor import Facts, Finding, examine, gather


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return gather(tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def findings(facts: Facts) -> dict[str, Finding]:
    return {one.check: one for one in examine(facts)}


def said(*command: str) -> str:
    """The output of a util-linux tool. Without the tool, the test is skipped, except in CI."""
    if shutil.which(command[0]) is None and not os.environ.get("CI"):
        pytest.skip(f"there is no {command[0]}")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        pytest.skip(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def test_processors(facts: Facts, findings: dict[str, Finding]) -> None:
    lines = said("lscpu", "-p=CPU,CORE,SOCKET,NODE").splitlines()
    theirs = [[int(cell or 0) for cell in line.split(",")] for line in lines if line[:1] != "#"]
    ours = facts.machine.cpu.cores
    assert [core.cpu for core in ours] == [cpu for cpu, *_ in theirs]
    # lscpu numbers cores and sockets differently, so the test compares only the grouping.
    for of_ours, column in (
        ([(core.package, core.core) for core in ours], 1),
        ([core.package for core in ours], 2),
        ([core.node for core in ours], 3),
    ):
        pairs = set(zip(map(str, of_ours), [row[column] for row in theirs], strict=True))
        assert len(pairs) == len(set(of_ours)) == len({row[column] for row in theirs})
    mine, all_ = len(os.sched_getaffinity(0)), len(theirs)
    told = f"all {all_} CPUs" if mine == all_ else f"{mine} of {all_} CPUs are usable"
    assert findings["affinity"].seen == told


def test_what_the_processor_is(facts: Facts, findings: dict[str, Finding]) -> None:
    told = {one["field"]: one["data"] for one in json.loads(said("lscpu", "-J"))["lscpu"]}
    assert facts.machine.cpu.architecture == told["Architecture:"]
    if "Model name:" in told:
        assert told["Model name:"].split()[0] in facts.machine.cpu.model
    guest = "Hypervisor vendor:" in told
    assert bool(facts.machine.cpu.hypervisor) == guest
    assert (findings["virtual"].level == "WARN") == guest
    if "NUMA node(s):" in told:
        assert len(facts.machine.memory.nodes) == int(told["NUMA node(s):"])


def test_caches(facts: Facts) -> None:
    caches = json.loads(said("lscpu", "-J", "-B", "-C"))["caches"]
    theirs = Counter[tuple[int, str]]()
    for one in caches:
        theirs[one["level"], one["type"].lower()] += int(one["all-size"])
    ours = Counter[tuple[int, str]]()
    for cache in facts.machine.cpu.caches:
        ours[cache.level, cache.kind] += cache.size
    assert ours == theirs


def test_filesystem(facts: Facts, findings: dict[str, Finding]) -> None:
    place = facts.scratch.filesystem
    columns = "TARGET,SOURCE,FSTYPE,AVAIL"
    (theirs,) = json.loads(said("findmnt", "-J", "-b", "-o", columns, "-T", place.path))[
        "filesystems"
    ]
    assert (place.mount, place.kind) == (theirs["target"], theirs["fstype"])
    source = theirs["source"].partition("[")[0]
    if source.startswith("/dev/") and not source.startswith("/dev/mapper/"):
        assert Path(place.device or "/").resolve() == Path(source).resolve()
        assert source in findings["scratch"].seen
    # Other programs write at the same time, so the free space may differ.
    assert place.free == pytest.approx(int(theirs["avail"]), rel=0.05, abs=256 * MIB)


def test_disks(facts: Facts, findings: dict[str, Finding]) -> None:
    device = facts.scratch.filesystem.device
    if not device:
        pytest.skip("the scratch directory is on no block device")
    columns = "KNAME,TYPE,ROTA,SCHED,MODEL"
    tree = json.loads(said("lsblk", "-J", "-s", "-o", columns, device))["blockdevices"]
    theirs = {one["kname"]: one for one in _leaves(tree)}
    assert {disk.name for disk in facts.scratch.disks} == set(theirs)
    for disk in facts.scratch.disks:
        one = theirs[disk.name]
        assert disk.rotational == one["rota"]
        assert disk.scheduler == (one["sched"] or "")
        assert disk.model == " ".join((one["model"] or "").split())
        if disk.scheduler:
            assert f"{disk.name}: {disk.scheduler}" in findings["io-scheduler"].seen


def _leaves(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The leaves of lsblk's inverted tree: the disks."""
    found = []
    for one in devices:
        found += _leaves(one["children"]) if one.get("children") else [one]
    return found
