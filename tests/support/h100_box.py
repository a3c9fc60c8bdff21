"""Invented results of a healthy server with H100 SXM GPUs.

The values are within the ranges of published values for this GPU. No value was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from profile_table import DISK, server

from membench.analysis.check.quantities import QUANTITIES
from membench.benches import registry
from membench.core.plain import dump
from membench.core.snapshot import Core, GpuIdentity, GpuLinks, Gpus, Machine
from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, PeakBasis, Status, Tier
from membench.core.units import GIB, MIB, parse_size
from membench.machine.gpus.state import GpuState
from membench.measure.options import RunOptions
from membench.measure.plan import make_plan
from membench.results.journal.reading import JournalEvent
from membench.results.plan import Plan, PlannedCase
from membench.results.rows import relative_spread
from membench.results.schema import Row
from membench.results.sidecar import Sidecar, write_sidecar
from membench.results.table import write_rows

NAME = "NVIDIA H100 80GB HBM3"
CPU = "Intel(R) Xeon(R) Platinum 8480C"
PEAK = 3352.32
HEALTHY: Mapping[str, float] = {
    "hbm/read": 3190,
    "hbm/write": 3050,
    "hbm/copy": 2930,
    "hbm/scale": 2920,
    "hbm/add": 2990,
    "hbm/triad": 2990,
    "hbm/nstream": 2990,
    "hbm/d2d": 2880,
    "link/h2d": 55.1,
    "link/d2h": 55.0,
    "peer/read": 365,
    "peer/write": 390,
    "peer/bidir": 740,
    "gpu/gemm/bf16": 740e3,
    "gpu/gemm/fp8": 1290e3,
    "l2/read": 6000,
    "ddr/read": 525,
    "ddr/triad": 440,
    "ddr/copy": 430,
}
"""Bench -> value in GB/s or GFLOP/s."""
Change = Callable[[Row], Row]


@cache
def box(gpus: int = 8) -> Machine:
    """The machine snapshot: two sockets of 56 cores, and ``gpus`` GPUs on PCI Express 5.0 x16."""
    here = server()
    cores = tuple(Core(cpu, cpu, cpu // 56, cpu // 56) for cpu in range(112))
    cpu = replace(
        here.cpu,
        model=CPU,
        cores=cores,
        affinity=tuple(range(112)),
        usable=112,
        hypervisor="",
        architecture="x86_64",
    )
    devices = tuple(GpuIdentity(n, NAME, f"{n:012x}", 80 * GIB, "9.0", 1980) for n in range(gpus))
    links = tuple(
        GpuLinks(gpu.uuid, 5, 5, 16, 16, nvlinks=18, c2c=False, node=n // 4)
        for n, gpu in enumerate(devices)
    )
    return replace(
        here,
        slug="h100-box",
        cpu=cpu,
        gpus=Gpus("580.95", "13.0", devices),
        links=links,
        filesystems=(DISK,),
    )


@cache
def plan(profile: str = "quick", gpus: int = 8) -> Plan:
    """The plan of a run on all GPUs."""
    options = RunOptions(profile=profile, device="all" if gpus > 1 else "auto", seed=1)
    return make_plan(options, registry(), box(gpus), DISK)


def state(number: int, **changes: object) -> GpuState:
    """NVML's state of a healthy GPU under load."""
    healthy = GpuState(
        uuid=f"{number:012x}",
        index=number,
        name=NAME,
        sm_mhz=1980,
        sm_mhz_max=1980,
        sm_mhz_set=1980,
        memory_mhz=2619,
        memory_mhz_max=2619,
        performance=0,
        reasons=0,
        power=600.0,
        power_limit=700.0,
        power_default=700.0,
        ecc=True,
        mig=False,
        ecc_errors=0,
        link_generation=5,
        link_generation_max=5,
        link_width=16,
        link_width_max=16,
        processes=(),
        bus_bits=5120,
    )
    return replace(healthy, **changes)  # type: ignore[arg-type]


def rows(profile: str = "quick", gpus: int = 8, change: Change = lambda row: row) -> list[Row]:
    """The rows of a run. ``change`` is applied to each row."""
    return [change(row) for row in _healthy(profile, gpus)]


def judged(found: list[Row]) -> list[Row]:
    """The rows in ``found`` that `membench check` compares with published values."""
    return [row for row in found if any(one.takes(row) for one in QUANTITIES)]


@cache
def _healthy(profile: str, gpus: int) -> tuple[Row, ...]:
    made = plan(profile, gpus)
    return tuple(
        _row(made, case, metric, stat) for case in made.cases for metric, stat in case.yields
    )


def written(
    path: Path,
    found: list[Row],
    states: list[GpuState] | None = None,
    gpus: int = 8,
    profile: str = "quick",
) -> Path:
    """Write ``found`` as a results file with its sidecar."""
    write_rows(path, found)
    told = [state(number) for number in range(gpus)] if states is None else states
    note = JournalEvent("gpu", {"round": 1, "states": [dump(one) for one in told]})
    write_sidecar(path, Sidecar(plan=plan(profile, gpus), machine=dump(box(gpus)), notes=(note,)))
    return path


def scaled(factor: float, *prefixes: str, gpu: int = 3) -> Change:
    """A change that multiplies values of GPU ``gpu`` by ``factor``.

    The change applies only to cases that begin with one of ``prefixes``.
    """

    def change(row: Row) -> Row:
        there = row.case.endswith(f"/gpu={gpu}") and row.case.startswith(prefixes)
        if not there or row.value is None:
            return row
        values = tuple(value * factor for value in row.round_values)
        return replace(row, value=row.value * factor, round_values=values, max=None, min=None)

    return change


def _row(made: Plan, case: PlannedCase, metric: Metric, stat: object) -> Row:
    value = _value(case, metric)
    values = tuple(value * (1 + 0.001 * step) for step in (-2, 1, 0, 2, -1))
    array = _bytes(case)
    auto = "size=auto" in case.id.split("/")
    device = NAME if case.gpu is not None else CPU if case.backend == "cpu" else "ext4 on nvme0n1"
    row = Row(
        run_id=made.run_id,
        machine=made.machine,
        tier=case.tier,
        case=case.id,
        case_version=case.version,
        metric=metric,
        stat=stat,  # type: ignore[arg-type]
        status=Status.SKIPPED if case.skipped else Status.OK,
        unit=UNIT[metric],
        better=BETTER[metric],
        backend=case.device_backend,
        device=device,
        reason=case.skipped,
        started=made.started,
    )
    if case.skipped:
        return row
    of_memory = case.tier is Tier.HBM and metric is Metric.BANDWIDTH
    return replace(
        row,
        value=value,
        rounds=5,
        n=5,
        round_values=values,
        spread=relative_spread(values),
        size_bytes=array,
        bytes_convention=_convention(case) if metric is Metric.BANDWIDTH else None,
        peak=PEAK if of_memory else None,
        peak_basis=PeakBasis.QUERIED if of_memory else None,
        detail={
            **({"array": str(array)} if auto and array else {}),
            **({"pcie": "gen5x16"} if case.bench.startswith("link/") else {}),
            **(_ends(case) if case.bench.startswith("peer/") else {}),
        },
    )


def _convention(case: PlannedCase) -> BytesConvention:
    once = case.tier in (Tier.LINK, Tier.SSD)
    return BytesConvention.PAYLOAD if once else BytesConvention.RW_SUM


def _ends(case: PlannedCase) -> dict[str, str]:
    here = case.gpu or 0
    return {"src": str((here + 1) % 8), "dst": str(here)}


def _value(case: PlannedCase, metric: Metric) -> float:
    if case.bench == "gpu/chase":
        size = _bytes(case) or 0
        return 17.0 if size <= 256 << 10 else 135.0 if size <= 32 * MIB else 380.0
    if case.bench == "host/chase":
        size = _bytes(case) or 0
        return 2.0 if size <= 2 * MIB else 25.0 if size <= 64 * MIB else 112.0
    found = HEALTHY.get(case.bench, 100.0)
    if metric is Metric.IOPS:
        return 450e3
    if case.tier is Tier.SSD:
        return 6.5
    scatter = 1 + 0.0005 * ((case.gpu or 0) % 4)
    if case.params.get("engine") == "sm" and case.bench.startswith("link/"):
        found -= 3
    small = "size=16KiB/" in case.id or "size=1MiB/" in case.id
    return found * scatter * (0.1 if small and case.bench.startswith("link/") else 1.0)


def _bytes(case: PlannedCase) -> int | None:
    """The size of the case in bytes, also for ``size=auto``."""
    size = case.params.get("size")
    return parse_size(size) if isinstance(size, str) else size
