"""Reads the state of the machine before and after a case, but never while a case is timed.

The sources are the control group's count of throttled periods, the kernel's CPU time counters, and
NVML for a case on the GPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from membench.core.snapshot import Machine
from membench.core.terms import Status, Tier
from membench.machine.cgroup import cpu_groups, throttled_count
from membench.machine.cpu_time import LEAST_TICKS, MOST_STEAL, CpuTicks, busy_bound, cpu_ticks
from membench.machine.cpus.topology import online_cpus
from membench.machine.gpus.state import GpuReader, GpuState, NoAnswer
from membench.measure.events import Observer
from membench.measure.pinning import pin, unpin
from membench.results.case_result import CaseResult
from membench.results.plan import PlannedCase

HELD_SHARE = 0.01
"""Maximum share of a case's time in which power, heat or the board may lower the clocks."""

AT_WORK = 2
"""Largest performance state of a busy GPU: 2 for GeForce cards, 0 for others."""


@dataclass(frozen=True)
class EnvironmentSample:
    """The state of the machine at one moment.

    Attributes:
        seconds: time of a monotonic clock.
        pauses: number of times so far that the kernel throttled this process's control groups.
        gpus: hashed UUID -> state; empty if the case needs no GPU, or NVML does not respond.
        ticks: CPU time counters; ``own`` covers this process and the worker.
        pinned: False if the worker could not be pinned to the NUMA node of its device.
    """

    seconds: float
    pauses: int
    gpus: Mapping[str, GpuState]
    ticks: CpuTicks = field(default_factory=CpuTicks)
    pinned: bool = True


class EnvironmentMonitor:
    """Reads the state of the machine before and after the cases of a run."""

    def __init__(self, machine: Machine, observer: Observer) -> None:
        self._machine = machine
        self._observer = observer
        self._seen: dict[str, GpuState] = {}
        self._reader: GpuReader | None = None
        self._silent = False
        self._contexts: set[int] = set()  # process ids of workers that have opened the device
        self._cpus = len(online_cpus(Path("/"))) or 1
        self._groups = cpu_groups()
        self._round = CpuTicks()  # CPU time during the cases of the round

    def before(self, case: PlannedCase, worker: int) -> EnvironmentSample:
        """Read the state before ``case``, and pin process ``worker`` to the GPU's NUMA node.

        If ``case`` needs no GPU, the worker may use all CPUs.
        """
        gpus = self._gpus(case)
        pinned = True
        if gpus:
            pinned = all(pin(worker, state.node, self._machine) for state in gpus.values())
        elif self._contexts:
            unpin(worker, self._machine)
        return self._sample(gpus, worker, pinned=pinned)

    def after(
        self, before: EnvironmentSample, case: PlannedCase, worker: int, unit: CaseResult
    ) -> CaseResult:
        """Read the state after ``case``. Returns ``unit`` with the flags from both states.

        The CPU time that others took and the reasons for lower clocks are added to the `detail`.
        Results other than `ok` are not changed.
        """
        was_open = worker in self._contexts
        if before.gpus and unit.status is not Status.SKIPPED:
            self._contexts.add(worker)
        if unit.status is not Status.OK:
            return unit
        after = self._sample(self._gpus(case), worker)
        ticks = after.ticks.since(before.ticks)
        self._round = self._round.plus(ticks)
        taken = taken_by_others(ticks, case, self._cpus)
        codes = ["cgroup-limited"] if after.pauses > before.pauses else []
        codes += ["busy-cpu"] if taken else []
        codes += [] if before.pinned else ["unpinned-numa"]
        slow: dict[str, None] = {}
        for uuid, then in before.gpus.items():
            now = after.gpus.get(uuid, then)
            held = was_held(then, now, after.seconds - before.seconds)
            slow |= dict.fromkeys(slowdowns(then, now, held=held))
            busy = others(then, worker, is_open=was_open) or others(now, worker, is_open=True)
            codes += ["busy-gpu"] if busy else []
            if is_of_the_link(case):
                codes += ["link-downtrained"] if link_is_down(now) else []
                codes += ["encrypted-link"] if now.confidential else []
        if slow:
            codes.append("throttled")
            taken["slowdown"] = ", ".join(slow)
        unit = replace(unit, detail={**unit.detail, **taken}) if taken else unit
        return replace(unit, flags=tuple(dict.fromkeys((*unit.flags, *codes))))

    def cpu_time(self) -> dict[str, float]:
        """The CPU time that others used during the cases since the last call; empty if unknown.

        ``steal`` is the hypervisor's share of the machine's CPU time, from 0 to 1. ``others`` is
        the average number of CPUs that other processes used.
        """
        ticks, self._round = self._round, CpuTicks()
        steal, others = ticks.steal_share, ticks.others(self._cpus)
        if steal is None or others is None:
            return {}
        return {"steal": round(steal, 4), "others": round(others, 3)}

    def _sample(
        self, gpus: Mapping[str, GpuState], worker: int, *, pinned: bool = True
    ) -> EnvironmentSample:
        ticks = cpu_ticks((os.getpid(), worker))
        return EnvironmentSample(
            time.monotonic(), throttled_count(self._groups), gpus, ticks, pinned
        )

    def states(self) -> list[GpuState]:
        """The state of each used GPU at the last reading."""
        return list(self._seen.values())

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _gpus(self, case: PlannedCase) -> dict[str, GpuState]:
        """Hashed UUID -> state of the GPU of ``case``; empty without a GPU or NVML."""
        if case.gpu is None or self._silent:
            return {}
        uuid = self._machine.gpus.devices[case.gpu].uuid
        try:
            if self._reader is None:
                self._reader = GpuReader.open()
            self._seen[uuid] = self._reader.read(uuid)
        except NoAnswer as error:
            self.close()
            self._seen.clear()
            self._silent = True
            self._observer.warned(
                f"{error}; the run continues, but cannot detect whether a GPU is throttled or "
                "shared",
                error.hint or "run nvidia-smi and 'dmesg | grep Xid' for details",
            )
            return {}
        return {uuid: self._seen[uuid]}


def taken_by_others(ticks: CpuTicks, case: PlannedCase, cpus: int) -> dict[str, str | int | float]:
    """Entries for `detail` about CPU time that others took; see `EnvironmentMonitor.cpu_time`.

    The result is empty if others took little, or if the counters advanced by too few ticks to tell.
    Cases on a disk or a GPU have no entry ``others``, because the kernel's threads would count too.
    """
    if ticks.total < LEAST_TICKS:
        return {}
    found: dict[str, str | int | float] = {}
    steal, others = ticks.steal_share or 0.0, ticks.others(cpus) or 0.0
    if steal >= MOST_STEAL:
        found["steal"] = round(steal, 3)
    if case.backend == "cpu" and others >= busy_bound(cpus):
        found["others"] = round(others, 2)
    return found


def was_held(before: GpuState, after: GpuState, seconds: float) -> bool:
    """Whether a power, heat or board limit lowered the clocks for over `HELD_SHARE` of ``seconds``.

    The result is False if the GPU does not count this time.
    """
    if before.held_ns is None or after.held_ns is None:
        return False
    return after.held_ns - before.held_ns > HELD_SHARE * seconds * 1e9


def slowdowns(before: GpuState, after: GpuState, *, held: bool) -> tuple[str, ...]:
    """The reasons for a lower clock that NVML reported before or after a case, as texts.

    If NVML reported none, but ``held`` (from `was_held`) is True, the result is one general reason.
    """
    seen = tuple(dict.fromkeys((*before.slowdowns, *after.slowdowns)))
    return seen or (("power, heat or board limit",) if held else ())


def others(state: GpuState, worker: int, *, is_open: bool) -> int:
    """The number of other processes that compute on the GPU.

    In a container, NVML may list the worker under its process id on the host. If ``worker`` is not
    listed but has the device open (``is_open``), one of the listed processes counts as the worker.
    """
    listed = set(state.processes or ())
    if worker in listed or (is_open and listed):
        return len(listed) - 1
    return len(listed)


def link_is_down(state: GpuState) -> bool:
    """Whether the PCI Express link has too few lanes, or is too slow although the GPU is busy.

    An idle GPU lowers the speed of its link, but keeps the number of lanes.
    """
    if not state.fed_by_pcie:
        return False
    width, widest = state.link_width, state.link_width_max
    if width is not None and widest is not None and width < widest:
        return True
    speed, fastest = state.link_generation, state.link_generation_max
    at_work = state.performance is not None and state.performance <= AT_WORK
    return at_work and speed is not None and fastest is not None and speed < fastest


def is_of_the_link(case: PlannedCase) -> bool:
    """Whether the tier of a GPU case includes the link between host and GPU."""
    return case.tier in (Tier.LINK, Tier.SSD)
