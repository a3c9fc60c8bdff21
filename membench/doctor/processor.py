"""Checks of the processors: clocks, and the CPUs that this process may use."""

from __future__ import annotations

from membench.core.terms import FLAGS
from membench.core.text import counted
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

_FAST_CLOCKS = frozenset(["tsc", "arch_sys_counter", "timebase", "riscv_clocksource", "tod"])
"""Clock sources of all architectures that a process reads without a system call."""

_GUEST_CLOCKS = frozenset(["kvm-clock", "hyperv_clocksource_tsc_page"])
"""Clock sources of guests that need no system call either (vDSO, corrected by the hypervisor)."""


def governor(facts: Facts) -> Finding:
    """A governor that raises the clock only after some load slows short measurements."""
    seen = facts.machine.cpu.governor
    if not seen:
        guest = facts.machine.cpu.hypervisor
        return fine("governor", "no governor: the hypervisor sets the clock" if guest else UNKNOWN)
    if seen == "performance":
        return fine("governor", seen)
    return warn("governor", seen, "sudo cpupower frequency-set -g performance")


def boost(facts: Facts) -> Finding:
    """Without boost the processor runs below its highest clock."""
    on = facts.settings.boost
    if on is None:
        return fine("boost", UNKNOWN)
    if on:
        return fine("boost", "on")
    return warn(
        "boost",
        "off: clocks are steadier, but below the machine's maximum",
        "switch it on in the firmware or in sysfs (cpufreq/boost, intel_pstate/no_turbo)",
    )


def clock(facts: Facts) -> Finding:
    """Reading a clock with a system call takes longer than a short latency."""
    name, choices = facts.settings.clock, facts.settings.clocks
    if not name:
        return fine("clock", UNKNOWN)
    if name in _FAST_CLOCKS | _GUEST_CLOCKS:
        return fine("clock", name)
    faster = next((choice for choice in choices if choice in _FAST_CLOCKS | _GUEST_CLOCKS), "")
    file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    return warn(
        "clock",
        f"{name}: reading it is slow" + (f", {faster} is available" if faster else ""),
        f"echo {faster} | sudo tee {file}"
        if faster
        else "to see why the kernel does not use the processor's counter: sudo dmesg | grep -i tsc",
    )


def affinity(facts: Facts) -> Finding:
    """If this process may not use all CPUs, bandwidth is lower than the machine's."""
    mine, online = len(facts.machine.cpu.affinity), len(facts.machine.cpu.cores)
    if facts.settings.pinning is False:
        return warn(
            "affinity",
            f"threads cannot be bound to CPUs: {FLAGS['unpinned'].weight}",
            FLAGS["unpinned"].remedy,
        )
    if not online:
        return fine("affinity", UNKNOWN)
    if mine >= online:
        return fine("affinity", f"all {counted(online, 'CPU')}")
    return warn(
        "affinity",
        f"{mine} of {counted(online, 'CPU')} are usable",
        "start it without taskset, or give the container all CPUs (--cpuset-cpus)",
    )


def cpu_quota(facts: Facts) -> Finding:
    """If a control group uses up its CPU time, the kernel stops it during a measurement."""
    quota, mine = facts.machine.cpu.quota, len(facts.machine.cpu.affinity)
    if quota is None:
        return fine("cpu-quota", "none")
    seen = f"the control group grants {quota:g} CPUs of time"
    if quota < 1:
        return fail(
            "cpu-quota",
            f"{seen}: even a single thread is throttled repeatedly",
            "grant the container 1 CPU or more, or run outside it",
        )
    if quota < mine:
        return warn(
            "cpu-quota",
            f"{seen}, {counted(mine, 'CPU')} usable",
            FLAGS["cgroup-limited"].remedy,
        )
    return fine("cpu-quota", seen)


def virtual(facts: Facts) -> Finding:
    """A guest sees only what its hypervisor reports."""
    name = facts.machine.cpu.hypervisor
    if not name:
        return fine("virtual", "no sign of a hypervisor")
    seen = "by an unnamed hypervisor" if name == "yes" else f"by {name}"
    return warn("virtual", f"{seen}: {FLAGS['vm'].weight}", FLAGS["vm"].remedy)


CHECKS = (governor, boost, clock, affinity, cpu_quota, virtual)
