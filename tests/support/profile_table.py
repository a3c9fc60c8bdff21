"""The planned time of each family of benches in the full profile, as in ``docs/profiles.md``.

``python ci/documents.py`` writes the table. Tests check only the listed benches, so a new bench
needs no change of the table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from membench.benches import registry
from membench.core.snapshot import Filesystem, GpuIdentity, Gpus, Machine, Node
from membench.core.units import GIB
from membench.machine import snapshot
from membench.measure.options import RunOptions
from membench.measure.plan import estimate, family_seconds, make_plan
from membench.results.plan import Plan

DOCUMENT = Path(__file__).parents[2] / "docs" / "profiles.md"
HEAD = "| benches | cases | seconds |\n| --- | --- | --- |\n"
DISK = Filesystem("/scratch", "/", "ext4", "", "nvme0n1", 1000 * GIB, direct_io="")

_TABLE = re.compile(re.escape(HEAD) + r"((?:\|.*\n)*)")


def server() -> Machine:
    """This machine with the CPUs and memory of a common server, which can run every host case."""
    here = snapshot()
    cpu = replace(here.cpu, affinity=tuple(range(64)), usable=64, quota=None)
    sockets = tuple(
        Node(node, tuple(range(32 * node, 32 * node + 32)), 128 * GIB, (10, 20)) for node in (0, 1)
    )
    memory = replace(
        here.memory, total=256 * GIB, available=250 * GIB, cgroup_limit=None, nodes=sockets
    )
    return replace(here, cpu=cpu, memory=memory, gpus=Gpus())


def gpu_server() -> Machine:
    """The machine of `server` with one H100."""
    gpu = GpuIdentity(0, "NVIDIA H100 80GB HBM3", "0" * 12, 80 * GIB, "9.0")
    return replace(server(), gpus=Gpus(driver="580", cuda="13.0", devices=(gpu,)))


def planned(profile: str, machine: Machine) -> Plan:
    """The plan of all benches on ``machine`` with a disk."""
    return make_plan(RunOptions(profile=profile), registry(), machine, DISK)


def family_of(bench: str) -> str:
    return registry().benches[bench].family


def of_benches(plan: Plan, names: Collection[str]) -> Plan:
    """``plan`` with only the cases of the benches in ``names``."""
    return replace(plan, cases=tuple(case for case in plan.cases if case.bench in names))


def documented() -> str:
    """The lines of the table in ``docs/profiles.md``, without the header."""
    found = _TABLE.search(DOCUMENT.read_text(encoding="ascii"))
    assert found, "docs/profiles.md has lost its table of the families"
    return found[1]


def shipped() -> frozenset[str]:
    """The names of the benches in the table of ``docs/profiles.md``."""
    return frozenset(re.findall(r"`([^`]+)`", documented()))


def made(plan: Plan) -> str:
    """The lines of the table for ``plan``: one line per family, the longest time first."""
    return "".join(f"{line}\n" for line in _rows(plan))


def _rows(plan: Plan) -> Iterator[str]:
    seconds = family_seconds(plan, lambda case: family_of(case.bench))
    cases = 0
    for name, cost in seconds.items():
        of_family = [case.bench for case in plan.cases if family_of(case.bench) == name]
        benches = " ".join(f"`{bench}`" for bench in dict.fromkeys(of_family))
        cases += len(of_family)
        yield f"| {benches} | {len(of_family)} | {cost:.0f} |"
    whole = estimate(plan).seconds
    beside = whole - sum(seconds.values())
    yield f"| starting {plan.rounds} rounds, writing the scratch file | | {beside:.0f} |"
    yield f"| **in all** | {cases} | **{whole:.0f}** |"


def write() -> None:
    text = DOCUMENT.read_text(encoding="ascii")
    lines = HEAD + made(planned("full", gpu_server()))
    DOCUMENT.write_text(_TABLE.sub(lambda _: lines, text), encoding="ascii")
