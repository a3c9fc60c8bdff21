"""Checks of the processors' clocks, and of the CPUs that this process may use."""

from __future__ import annotations

from membench.core.terms import FLAGS
from membench.core.text import counted
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

_FAST_CLOCKS = frozenset(["tsc", "arch_sys_counter", "timebase", "riscv_clocksource", "tod"])
"""Clock sources of all architectures that a process reads without a system call."""

_GUEST_CLOCKS = frozenset(["kvm-clock", "hyperv_clocksource_tsc_page"])
"""Clock sources of virtual machines that a process reads without a system call (vDSO)."""


def governor(facts: Facts) -> Finding:
    """Warn if the governor is not ``performance``.

    Other governors raise the clock only after some time of load, which slows short measurements.
    """
    seen = facts.machine.cpu.governor
    if not seen:
        guest = facts.machine.cpu.hypervisor
        return fine("governor", "no governor: the hypervisor sets the clock" if guest else UNKNOWN)
    if seen == "performance":
        return fine("governor", seen)
    return warn("governor", seen, "sudo cpupower frequency-set -g performance")


def boost(facts: Facts) -> Finding:
    """Warn if boost is off, because the processor then runs below its highest clock."""
    on = facts.settings.boost
    if on is None:
        return fine("boost", UNKNOWN)
    if on:
        return fine("boost", "on")
    return warn(
        "boost",
        "boost is off: the clock is steadier, but below the maximum of the processor",
        "switch boost on in the firmware or in sysfs (cpufreq/boost, intel_pstate/no_turbo)",
    )


def clock(facts: Facts) -> Finding:
    """Warn if reading the clock needs a system call, which takes longer than a short latency."""
    name, choices = facts.settings.clock, facts.settings.clocks
    if not name:
        return fine("clock", UNKNOWN)
    if name in _FAST_CLOCKS | _GUEST_CLOCKS:
        return fine("clock", name)
    faster = next((choice for choice in choices if choice in _FAST_CLOCKS | _GUEST_CLOCKS), "")
    file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    return warn(
        "clock",
        f"{name}: reading this clock is slow" + (f", {faster} is available" if faster else ""),
        f"echo {faster} | sudo tee {file}"
        if faster
        else "to see why the kernel does not use the processor's counter: sudo dmesg | grep -i tsc",
    )


def affinity(facts: Facts) -> Finding:
    """Warn if this process may not use all CPUs or cannot bind threads to CPUs."""
    mine, online = len(facts.machine.cpu.affinity), len(facts.machine.cpu.cores)
    if facts.settings.pinning is False:
        return warn(
            "affinity",
            "membench cannot pin threads to CPUs, so results may be below the machine's capability",
            FLAGS["unpinned"].remedy,
        )
    if not online:
        return fine("affinity", UNKNOWN)
    if mine >= online:
        return fine("affinity", f"all {counted(online, 'CPU')}")
    return warn(
        "affinity",
        f"this process may use only {mine} of {counted(online, 'CPU')}",
        "start membench without taskset, or give the container all CPUs (--cpuset-cpus)",
    )


def cpu_quota(facts: Facts) -> Finding:
    """Fail if the CPU quota is below 1 CPU; warn if it is below the number of CPUs in the affinity.

    When a control group has used up its CPU time, the kernel stops it until the next period.
    """
    quota, mine = facts.machine.cpu.quota, len(facts.machine.cpu.affinity)
    if quota is None:
        return fine("cpu-quota", "none")
    unit = "CPU" if quota == 1 else "CPUs"
    seen = f"the control group limits this process to the CPU time of {quota:g} {unit}"
    if quota < 1:
        return fail(
            "cpu-quota",
            f"{seen}: the kernel stops even a single thread repeatedly",
            "give the container at least 1 CPU, or run outside the container",
        )
    if quota < mine:
        return warn(
            "cpu-quota",
            f"{seen}, but its threads may run on {counted(mine, 'CPU')}",
            FLAGS["cgroup-limited"].remedy,
        )
    return fine("cpu-quota", seen)


def virtual(facts: Facts) -> Finding:
    """Warn if the machine is virtual, because the hypervisor may report wrong hardware."""
    name = facts.machine.cpu.hypervisor
    if not name:
        return fine("virtual", "no sign of a hypervisor")
    seen = f"this is a virtual machine ({'unnamed hypervisor' if name == 'yes' else name})"
    return warn("virtual", f"{seen}: {FLAGS['vm'].weight}", FLAGS["vm"].remedy)


CHECKS = (governor, boost, clock, affinity, cpu_quota, virtual)
