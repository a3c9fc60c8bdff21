"""Checks of the scratch directory, and of the disk under it."""

from __future__ import annotations

from membench.core.units import GIB, about_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn
from membench.host.storage.file_size import FREE_SHARE, LEAST_CUT, cut
from membench.workloads.disk_flow import DISK

DISK_BUDGET = 2 * GIB
"""Largest scratch file that a run creates by default."""

LEAST_AIO = 1024
"""Asynchronous requests that several submission loops need at the largest queue depth."""


def scratch(facts: Facts) -> Finding:
    """If no file can be created, no disk can be measured."""
    place = facts.scratch.filesystem
    if facts.scratch.problem:
        return fail("scratch", facts.scratch.problem, "name another directory: --scratch DIR")
    kind = f"{place.kind} on {place.device or 'no device'}" if place.kind else UNKNOWN
    return fine("scratch", f"{place.path}: {kind}")


def direct_io(facts: Facts) -> Finding:
    """Without O_DIRECT a disk case would measure memory."""
    place = facts.scratch.filesystem
    if not place.kind:
        return fine("direct-io", UNKNOWN)
    if not place.direct_io:
        device = place.device or "a device"
        if place.kind == "btrfs":
            return fine("direct-io", f"O_DIRECT reaches {device} without copy-on-write (nocow)")
        return fine("direct-io", f"O_DIRECT reaches {device}")
    return fail(
        "direct-io", place.direct_io, "name a directory on a local disk (ext4, xfs): --scratch DIR"
    )


def free_space(facts: Facts) -> Finding:
    """The scratch file uses at most half of the free space."""
    place = facts.scratch.filesystem
    if not (place.kind or place.free):
        return fine("free-space", UNKNOWN)
    seen = f"{about_size(place.free)} free"
    wanted = min(DISK, DISK_BUDGET)
    size = cut(DISK, DISK_BUDGET, place.free)
    fix = "free some space, or name another directory: --scratch DIR"
    if not size:
        needed = f"{about_size(LEAST_CUT / FREE_SHARE)} are needed"
        return fail("free-space", f"{seen}, {needed}: no disk case will be measured", fix)
    if size < wanted:
        sizes = f"from {about_size(wanted)} to {about_size(size)}, half of the free space"
        return warn("free-space", f"{seen}: the file is reduced {sizes}", fix)
    return fine("free-space", seen)


def disk(facts: Facts) -> Finding:
    """A spinning disk has latencies that differ from the models' assumptions."""
    disks = facts.scratch.disks
    if not disks:
        return fine("disk", UNKNOWN)
    seen = []
    for one in disks:
        turns = {True: "rotational", False: "solid state", None: ""}[one.rotational]
        seen.append(" ".join(filter(None, [one.name, one.model, turns, one.write_cache])))
    if not any(one.rotational for one in disks):
        return fine("disk", "; ".join(seen))
    if facts.machine.cpu.hypervisor:
        return fine("disk", f"{'; '.join(seen)} (virtual disks may report this wrongly)")
    return warn(
        "disk",
        "; ".join(seen),
        "name a directory on a solid state disk, if there is one: --scratch DIR",
    )


def scheduler(facts: Facts) -> Finding:
    """A scheduler that reorders requests changes latencies under load."""
    known = [one for one in facts.scratch.disks if one.scheduler]
    if not known:
        return fine("io-scheduler", UNKNOWN)
    seen = ", ".join(f"{one.name}: {one.scheduler}" for one in known)
    # Real spinning disks need a scheduler; for virtual disks this is unknown.
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
        f"{seen} (it reorders requests)",
        f"echo none | sudo tee /sys/block/{changeable[0].name}/queue/scheduler",
    )


def asynchronous(facts: Facts) -> Finding:
    """If other processes use up the system's limit, deep queues cannot be measured."""
    used, most = facts.settings.aio_used, facts.settings.aio_limit
    if used is None or most is None:
        return fine("aio", UNKNOWN)
    seen = f"{used} of {most} requests in use"
    if most - used >= LEAST_AIO:
        return fine("aio", seen)
    return warn("aio", seen, f"sudo sysctl fs.aio-max-nr={max(65536, 2 * most)}")


CHECKS = (scratch, direct_io, free_space, disk, scheduler, asynchronous)
