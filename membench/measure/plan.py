"""Making a plan: which cases, in how many rounds, on which machine, and what it will cost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from membench.case import PROFILES, Case, Needs
from membench.errors import NothingMatched, UsageError
from membench.machine import Filesystem, Machine
from membench.machine.identity import check_label
from membench.machine.software import software_version
from membench.measure.availability import Site, why_not
from membench.measure.options import RunOptions
from membench.record.plan import Plan, PlannedCase
from membench.registry import Registry, choose

ROUND_SECONDS = 1.0
"""Estimated seconds that a round costs beside its cases: interpreter, imports, cached kernels."""


@dataclass(frozen=True)
class Estimate:
    """What a plan will cost: seconds in all, bytes of memory at the peak, bytes of scratch file.

    `gpu_memory` is that of one GPU at the peak.
    """

    seconds: float
    memory: int
    disk: int
    gpu_memory: int


def estimate(plan: Plan) -> Estimate:
    """The sums over the cases of ``plan`` that can run."""
    runnable = [case for case in plan.cases if not case.skipped]
    return Estimate(
        seconds=plan.rounds * ROUND_SECONDS
        + sum(case.seconds * min(case.rounds or plan.rounds, plan.rounds) for case in runnable),
        memory=max((case.memory for case in runnable), default=0),
        disk=max((case.disk for case in runnable), default=0),
        gpu_memory=max((case.gpu_memory for case in runnable), default=0),
    )


def make_plan(
    options: RunOptions, registry: Registry, machine: Machine, scratch: Filesystem | None = None
) -> Plan:
    """The plan that ``options`` ask for, with a scratch file on ``scratch`` if a case needs one.

    Raises:
        UsageError: a device that does not exist, a label that cannot be a name.
        NothingMatched: the selectors leave no case.
    """
    check_device(options.device, machine)
    site = Site(machine, options.device, scratch, options.disk_budget)
    cases = tuple(
        planned(case, registry, site, gpu)
        for case in select_cases(options, registry, machine)
        for gpu in gpus_of(case, options.device, machine)
    )
    needs_disk = any(case.disk and not case.skipped for case in cases)
    now = datetime.now(UTC)
    rounds = PROFILES[options.profile] if options.rounds is None else options.rounds
    return Plan(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}",
        machine=check_label(options.label) if options.label is not None else machine.slug,
        profile=options.profile,
        rounds=rounds,
        seed=int.from_bytes(os.urandom(4)) if options.seed is None else options.seed,
        timeout=options.timeout,
        device=options.device,
        software=software_version(),
        argv=options.argv,
        started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        cases=cases,
        scratch=scratch.path if scratch is not None and needs_disk else "",
        disk_budget=options.disk_budget,
    )


def gpus_of(case: Case, device: str, machine: Machine) -> tuple[int | None, ...]:
    """On which of the GPUs that are shown ``case`` runs: None for one that needs none."""
    if Needs.GPU not in case.needs:
        return (None,)
    if device == "all":
        return tuple(range(len(machine.gpus.devices))) or (0,)
    return (int(device.partition(":")[2]) if device.startswith("cuda:") else 0,)


def planned(case: Case, registry: Registry, site: Site, gpu: int | None = None) -> PlannedCase:
    """``case`` as it stands in a plan, with the reason where it cannot run.

    Where the run is on several GPUs, the id says on which: ``.../gpu=1``.
    """
    backend = registry.benches[case.bench].backend
    several = gpu is not None and site.device == "all" and len(site.machine.gpus.devices) > 1
    return PlannedCase(
        id=f"{case.id}/gpu={gpu}" if several else case.id,
        bench=case.bench,
        params=dict(case.params),
        version=case.version,
        tier=case.tier,
        yields=case.yields,
        seconds=case.seconds,
        memory=case.memory,
        disk=case.disk,
        backend=backend,
        skipped=why_not(case, backend, site, gpu),
        gpu_memory=case.gpu_memory,
        tuned=case.tuned,
        gpu=gpu,
        rounds=case.rounds,
    )


def select_cases(options: RunOptions, registry: Registry, machine: Machine) -> tuple[Case, ...]:
    """The cases of the profile that the selectors choose."""
    try:
        return choose(registry.cases(options.profile, machine), options.select, options.skip)
    except NothingMatched as nothing:
        for other in PROFILES:
            if other == options.profile:
                continue
            try:
                found = choose(registry.cases(other, machine), options.select, options.skip)
            except NothingMatched:
                continue
            raise NothingMatched(
                f"{nothing} in the {options.profile} profile",
                f"{len(found)} do in the other one: --profile {other}",
            ) from None
        raise


def check_device(device: str, machine: Machine) -> None:
    """Refuse a ``--device`` that this machine does not have."""
    if device in ("auto", "all", "cpu"):
        return
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number.isdigit():
        raise UsageError(f"'{device}' is not a device", "use auto, cpu, all or cuda:N")
    if int(number) >= len(machine.gpus.devices):
        raise UsageError(
            f"there is no {device}", f"this machine shows {len(machine.gpus.devices)} GPU(s)"
        )
