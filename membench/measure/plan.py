"""Makes the plan of a run (cases, rounds and machine), and estimates its time and memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from membench.core.case import PROFILES, SWEEP_ROUNDS, Case, Needs
from membench.core.errors import NothingMatched, UsageError
from membench.core.globs import matches, near
from membench.core.record import record
from membench.core.registry import Registry, choose
from membench.core.snapshot import Filesystem, Machine
from membench.core.text import counted
from membench.machine.identity import check_label
from membench.machine.software import software_version
from membench.measure.availability import Site, file_size, why_not
from membench.measure.options import RunOptions
from membench.results.plan import MAX_BYTES, MAX_ROUNDS, MAX_SEED, MAX_TIMEOUT, Plan, PlannedCase
from membench.results.schema import is_whole

ROUND_SECONDS = 1.0
"""Estimated seconds of a round without its cases."""

GPU_ROUND_SECONDS = 1.0
"""Additional seconds of a round with GPU cases, for CuPy and the CUDA context."""

TUNE_SECONDS = 0.6
"""Estimated seconds to tune a case, once per run."""

LAYOUT_BYTES_S = 1e9
"""Estimated bytes per second for writing the scratch file, once per run."""


@record
class Estimate:
    """The resources that a plan needs.

    Attributes:
        memory: peak memory of the host in bytes.
        disk: size of the scratch file in bytes.
        gpu_memory: peak memory of one GPU in bytes.
    """

    seconds: float
    memory: int
    disk: int
    gpu_memory: int


def estimate(plan: Plan) -> Estimate:
    runnable = [case for case in plan.cases if not case.skipped]
    disk = max((case.disk for case in runnable), default=0)
    return Estimate(
        seconds=sum(family_seconds(plan, lambda case: case.bench).values())
        + plan.rounds * _round_seconds(runnable)
        + disk / LAYOUT_BYTES_S,
        memory=max((case.memory for case in runnable), default=0),
        disk=disk,
        gpu_memory=max((case.gpu_memory for case in runnable), default=0),
    )


def _round_seconds(runnable: Sequence[PlannedCase]) -> float:
    """Estimated seconds that a round takes in addition to its cases."""
    on_gpu = any(case.gpu is not None for case in runnable)
    return ROUND_SECONDS + (GPU_ROUND_SECONDS if on_gpu else 0.0)


def family_seconds(plan: Plan, family: Callable[[PlannedCase], str]) -> dict[str, float]:
    """Family -> estimated seconds of its runnable cases in all rounds, in descending order."""
    found: dict[str, float] = {}
    for case in plan.cases:
        if not case.skipped:
            cost = plan.rounds_of(case) * case.seconds + (TUNE_SECONDS if case.tuned else 0.0)
            found[family(case)] = found.get(family(case), 0.0) + cost
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def make_plan(
    options: RunOptions, registry: Registry, machine: Machine, scratch: Filesystem | None = None
) -> Plan:
    """The plan for ``options``, with a scratch file on ``scratch`` if a case needs a scratch file.

    Raises:
        UsageError: a setting, a device, a label or the profile is invalid, or a number is out of
            range.
        NothingMatched: the selectors match no case.
    """
    check_device(options.device, machine)
    _check_ranges(options)
    site = Site(machine, options.device, scratch, options.disk_budget)
    rounds = PROFILES[options.profile] if options.rounds is None else options.rounds
    cases = tuple(
        replace(planned(case, registry, site, gpu), rounds=case_rounds(case, options, rounds))
        for case in select_cases(options, registry, machine)
        for gpu in gpus_of(case, options.device, machine)
    )
    needs_disk = any(case.disk and not case.skipped for case in cases)
    now = datetime.now(UTC)
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
        hold=options.hold,
    )


def _check_ranges(options: RunOptions) -> None:
    """Raise `UsageError` if a number or the profile in ``options`` is not possible."""
    ranges = {
        "profile": (options.profile in PROFILES, " or ".join(PROFILES)),
        "timeout": (0 < options.timeout <= MAX_TIMEOUT, f"above 0 s and at most {MAX_TIMEOUT:g} s"),
        "rounds": (
            options.rounds is None or 1 <= options.rounds <= MAX_ROUNDS,
            f"from 1 to {MAX_ROUNDS}",
        ),
        "seed": (options.seed is None or 0 <= options.seed <= MAX_SEED, f"from 0 to {MAX_SEED}"),
        "disk_budget": (
            0 <= options.disk_budget <= MAX_BYTES,
            f"from 0 to {MAX_BYTES} bytes",
        ),
    }
    for name, (fits, known) in ranges.items():
        if not fits:
            value = getattr(options, name)
            raise UsageError(f"{name} cannot be {value}", f"{name} must be {known}")


def case_rounds(case: Case, options: RunOptions, rounds: int) -> int:
    """Number of rounds for ``case``; 0 means all ``rounds`` of the plan.

    A number of rounds that the bench sets takes precedence over the number in the options. If
    neither is set, the points of a sweep have at most `SWEEP_ROUNDS` rounds.
    """
    if case.rounds or not case.swept or options.rounds is not None:
        return case.rounds
    fewer = SWEEP_ROUNDS[options.profile]
    return fewer if fewer < rounds else 0


def gpus_of(case: Case, device: str, machine: Machine) -> tuple[int | None, ...]:
    """Indices of the GPUs that run ``case``; (None,) for a case that needs no GPU.

    Without a visible GPU, the index is 0, and the plan skips the case.
    """
    if Needs.GPU not in case.needs:
        return (None,)
    if device == "all":
        return tuple(range(len(machine.gpus.devices))) or (0,)
    return (int(device.partition(":")[2]) if device.startswith("cuda:") else 0,)


def planned(case: Case, registry: Registry, site: Site, gpu: int | None = None) -> PlannedCase:
    """The entry for ``case`` in the plan, with the reason if the case cannot run.

    If the run uses several GPUs, the id ends with the GPU: ``.../gpu=1``.
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
        disk=file_size(case, site) or case.disk,
        backend=backend,
        skipped=why_not(case, backend, site, gpu),
        gpu_memory=case.gpu_memory,
        tuned=case.tuned,
        gpu=gpu,
        rounds=case.rounds,
        flags=case.flags,
    )


def select_cases(options: RunOptions, registry: Registry, machine: Machine) -> tuple[Case, ...]:
    """The cases of the profile that match the selectors, and cases selected by a complete id.

    Raises:
        NothingMatched: the selectors match no case. If they match cases of another profile, the
            hint names this profile.
    """

    def chosen(cases: Iterable[Case]) -> tuple[Case, ...]:
        return choose(cases, options.select, options.skip, partial(registry.case, machine=machine))

    cases = registry.cases(options.profile, machine, options.settings)
    try:
        return chosen(cases)
    except NothingMatched as nothing:
        for other in PROFILES:
            if other == options.profile:
                continue
            try:
                found = chosen(registry.cases(other, machine, options.settings))
            except NothingMatched:
                continue
            raise NothingMatched(
                f"{nothing} in the {options.profile} profile",
                f"the other profile has {counted(len(found), 'matching case')}: --profile {other}",
            ) from None
        raise


def idle_skips(
    options: RunOptions, registry: Registry, machine: Machine
) -> Iterator[tuple[str, str]]:
    """A pair (warning, hint) for each ``--skip`` pattern that matches no case.

    The patterns are tried on the cases of the profile, and on cases selected by a complete id.
    """
    if not options.skip:
        return
    profile = registry.cases(options.profile, machine, options.settings)
    chosen = select_cases(replace(options, skip=()), registry, machine)
    ids = dict.fromkeys(case.id for case in (*profile, *chosen))
    for pattern in dict.fromkeys(options.skip):
        if not any(matches(one, pattern) for one in ids):
            yield f"--skip '{pattern}' matches no case", near(pattern, ids)


def check_device(device: str, machine: Machine) -> None:
    """Raise `UsageError` unless ``device`` is auto, all, cpu or a GPU of this machine (cuda:N)."""
    if device in ("auto", "all", "cpu"):
        return
    kind, _, number = device.partition(":")
    if kind != "cuda" or not is_whole(number):
        raise UsageError(f"'{device:.40}' is not a device", "use auto, cpu, all or cuda:N")
    if int(number) >= len(machine.gpus.devices):
        shown = len(machine.gpus.devices)
        hint = (
            f"the last GPU is cuda:{shown - 1}" if shown else "use --device cpu to skip GPU cases"
        )
        raise UsageError(f"there is no {device}: membench sees {counted(shown, 'GPU')}", hint)
