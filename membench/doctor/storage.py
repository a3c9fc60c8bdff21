"""Checks of the scratch directory, and of the disk of this directory."""

from __future__ import annotations

from membench.core.units import GIB, about_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn
from membench.host.storage.file_size import FREE_SHARE, LEAST_CUT, ON_A_LOCAL_DISK, cut
from membench.workloads.disk_flow import DISK

DISK_BUDGET = 2 * GIB
"""Default maximum size of a run's scratch file in bytes."""

LEAST_AIO = 1024
"""Number of asynchronous I/O requests that the cases with the largest queue depth need."""


def scratch(facts: Facts) -> Finding:
    """Fail if membench cannot create a scratch file, because no disk case can run then."""
    place = facts.scratch.filesystem
    if facts.scratch.problem:
        return fail("scratch", facts.scratch.problem, "choose another directory: --scratch DIR")
    kind = f"{place.kind} on {place.device or 'no device'}" if place.kind else UNKNOWN
    return fine("scratch", f"{place.path}: {kind}")


def direct_io(facts: Facts) -> Finding:
    """Fail if O_DIRECT does not reach a disk, because a disk case would then measure memory."""
    place = facts.scratch.filesystem
    if not place.kind:
        return fine("direct-io", UNKNOWN)
    if not place.direct_io:
        device = place.device or "a device"
        if place.kind == "btrfs":
            return fine(
                "direct-io",
                f"O_DIRECT reaches {device} (membench switches off copy-on-write for the scratch "
                "file)",
            )
        return fine("direct-io", f"O_DIRECT reaches {device}")
    return fail(
        "direct-io",
        place.direct_io,
        ON_A_LOCAL_DISK,
    )


def free_space(facts: Facts) -> Finding:
    """Fail if the free space is too small for disk cases; warn if it reduces the scratch file."""
    place = facts.scratch.filesystem
    if not (place.kind or place.free):
        return fine("free-space", UNKNOWN)
    seen = f"{about_size(place.free)} free"
    wanted = min(DISK, DISK_BUDGET)
    size = cut(DISK, DISK_BUDGET, place.free)
    fix = "free some space, or choose another directory: --scratch DIR"
    if not size:
        needed = f"disk cases need {about_size(LEAST_CUT / FREE_SHARE)}"
        return fail("free-space", f"{seen}, but {needed}: membench will skip all disk cases", fix)
    if size < wanted:
        sizes = f"from {about_size(wanted)} to {about_size(size)}, half of the free space"
        return warn("free-space", f"{seen}: membench reduces the scratch file {sizes}", fix)
    return fine("free-space", seen)


def disk(facts: Facts) -> Finding:
    """Warn if the disk rotates, because membench's models assume a solid-state drive.

    The check does not warn on a virtual machine, because a virtual disk may report the wrong kind.
    """
    disks = facts.scratch.disks
    if not disks:
        return fine("disk", UNKNOWN)
    seen = []
    for one in disks:
        turns = {True: "rotational", False: "solid state", None: ""}[one.rotational]
        cache = one.write_cache and f"{one.write_cache} cache"
        seen.append(", ".join(filter(None, [one.name, one.model, turns, cache])))
    if not any(one.rotational for one in disks):
        return fine("disk", "; ".join(seen))
    if facts.machine.cpu.hypervisor:
        return fine("disk", f"{'; '.join(seen)} (a virtual disk may report a wrong kind)")
    return warn(
        "disk",
        "; ".join(seen),
        "if the machine has a solid state disk, choose a directory on this disk: --scratch DIR",
    )


def scheduler(facts: Facts) -> Finding:
    """Warn if the I/O scheduler reorders requests, which changes latencies under load.

    The check ignores disks without the choice ``none``. On a physical machine, it also ignores
    rotating disks, because these need a scheduler.
    """
    known = [one for one in facts.scratch.disks if one.scheduler]
    if not known:
        return fine("io-scheduler", UNKNOWN)
    seen = ", ".join(f"{one.name}: {one.scheduler}" for one in known)
    # A virtual disk may report by mistake that it rotates.
    guest = bool(facts.machine.cpu.hypervisor)
    changeable = [
        one
        for one in known
        if one.scheduler != "none" and "none" in one.schedulers and (guest or not one.rotational)
    ]
    if not changeable:
        return fine("io-scheduler", seen)
    return warn(
        "io-scheduler",
        f"{seen} ({changeable[0].scheduler} reorders requests)",
        f"echo none | sudo tee /sys/block/{changeable[0].name}/queue/scheduler",
    )


def asynchronous(facts: Facts) -> Finding:
    """Warn if fewer than `LEAST_AIO` asynchronous I/O requests are free in the whole system."""
    used, most = facts.settings.aio_used, facts.settings.aio_limit
    if used is None or most is None:
        return fine("aio", UNKNOWN)
    seen = f"{used} of {most} asynchronous I/O requests in use"
    if most - used >= LEAST_AIO:
        return fine("aio", seen)
    return warn("aio", seen, f"sudo sysctl fs.aio-max-nr={max(65536, 2 * most)}")


CHECKS = (scratch, direct_io, free_space, disk, scheduler, asynchronous)
