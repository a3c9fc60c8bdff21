"""Check whether a tier can be judged: its link, clocks, memory errors, other users and CPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from membench.analysis.check.tiers import GPU_TIERS, gpu_of
from membench.core.messages import listed, tr, tr_n
from membench.core.record import record
from membench.core.snapshot import GpuLinks, Machine
from membench.core.terms import Status, Tier
from membench.machine.gpus.state import GpuState
from membench.results.schema import Row

_PCIE = re.compile(r"gen(\d{1,4})x(\d{1,4})", re.ASCII)
_WRONG = ("heat", "hardware slowdown", "power brake")
"""Throttle reasons that mean a fault. A power cap is normal at full load, and so no fault."""
ON_CHIP = GPU_TIERS - {Tier.LINK}
_LINK = frozenset({Tier.LINK})
_HOST = frozenset({Tier.DDR})


class PreconditionState(StrEnum):
    """Whether a precondition is met."""

    OK = "ok"
    BAD = "wrong"  # the machine has a fault
    OTHER = "not comparable"  # other settings, or a shared machine: a low value proves nothing
    UNKNOWN = "unknown"


STATES = {
    PreconditionState.OK: tr("ok"),
    PreconditionState.BAD: tr("wrong"),
    PreconditionState.OTHER: tr("not comparable"),
    PreconditionState.UNKNOWN: tr("unknown"),
}


@record
class Precondition:
    """A precondition for judging ``tiers``, such as the clock, with its state.

    Attributes:
        seen: the finding, with numbers.
        device: index of the GPU; None for the host, or for all GPUs.
    """

    name: str
    state: PreconditionState
    seen: str
    tiers: frozenset[Tier]
    device: int | None = None


def preconditions(
    rows: Sequence[Row],
    machine: Machine | None,
    states: Mapping[int, GpuState],
    run_gpus: Mapping[str, int],
) -> tuple[Precondition, ...]:
    """Find the preconditions for judging ``rows``, each with its state.

    Args:
        states: for each GPU index, the last state that NVML reported.
        run_gpus: see `membench.analysis.check.tiers.gpu_of`.
    """
    ok = [row for row in rows if row.status is Status.OK]
    found: list[Precondition] = []
    if machine is not None:
        found += _faults(machine)
    for device in sorted({gpu for row in ok if (gpu := gpu_of(row, run_gpus)) is not None}):
        mine = [row for row in ok if gpu_of(row, run_gpus) == device]
        found += _of_gpu(device, mine, states.get(device), _links_of(device, machine))
    if any(row.tier is Tier.DDR for row in ok):
        found += _of_host([row for row in ok if row.tier is Tier.DDR], machine)
    return tuple(found)


def _links_of(device: int, machine: Machine | None) -> GpuLinks | None:
    if machine is None or device >= len(machine.gpus.devices):
        return None
    uuid = machine.gpus.devices[device].uuid
    return next((links for links in machine.links if links.uuid == uuid), None)


def _faults(machine: Machine) -> Iterator[Precondition]:
    whole = [(None, machine.gpus.problem)] if machine.gpus.problem else []
    found: list[tuple[int | None, str]] = [*whole]
    found += [(fault.index, fault.problem) for fault in machine.gpus.faults]
    for index, problem in found:
        name = tr("GPUs") if index is None else tr("health")
        yield Precondition(name, PreconditionState.BAD, problem, GPU_TIERS, index)


def _of_gpu(
    device: int, rows: Sequence[Row], state: GpuState | None, link: GpuLinks | None
) -> Iterator[Precondition]:
    if any(row.tier is Tier.LINK for row in rows):
        yield _link([row for row in rows if row.tier is Tier.LINK], state, link, device)
    if state is None:
        yield Precondition(
            tr("state"),
            PreconditionState.UNKNOWN,
            tr("power limit, clocks, errors and other users are unknown"),
            GPU_TIERS,
            device,
        )
    else:
        yield from _settings(device, state)
    yield from _throttling(rows, device, known=state is not None)
    if any("busy-gpu" in row.flags for row in rows):
        yield Precondition(
            tr("other processes"),
            PreconditionState.OTHER,
            tr("another process used the GPU"),
            GPU_TIERS,
            device,
        )


def _link(
    rows: Sequence[Row], state: GpuState | None, link: GpuLinks | None, device: int
) -> Precondition:
    """The precondition for the link of one GPU; ``rows`` are the rows of the link.

    Speed and width are those that were read during copies, because an idle link runs slower.
    """

    def found(state: PreconditionState, seen: str) -> Precondition:
        return Precondition(tr("link"), state, seen, _LINK, device)

    if any("encrypted-link" in row.flags for row in rows):
        return found(
            PreconditionState.OTHER, tr("data on the link are encrypted (confidential computing)")
        )
    under_load = {text for row in rows for text in row.detail.get("pcie", "").split(",") if text}
    if under_load == {"c2c"}:
        return found(PreconditionState.OK, tr("chip to chip"))
    pairs = [
        tuple(map(int, match.groups())) for text in under_load if (match := _PCIE.fullmatch(text))
    ]
    generation = link.generation_max if link else state.link_generation_max if state else None
    width = link.width_max if link else state.link_width_max if state else None
    most = (
        tr("of {generation}.0 x{width}", generation=generation, width=width)
        if generation and width
        else ""
    )
    if pairs:
        worst = min(pairs)
        now = f"PCI Express {worst[0]}.0 x{worst[1]}"
        seen = tr("{now} {most}", now=now, most=most) if most else now
        narrow = (generation and worst[0] < generation) or (width and worst[1] < width)
        if narrow or any("link-downtrained" in row.flags for row in rows):
            return found(PreconditionState.BAD, seen)
        return found(PreconditionState.OK if most else PreconditionState.UNKNOWN, seen)
    if any("link-downtrained" in row.flags for row in rows):
        return found(
            PreconditionState.BAD, tr("under load, the link is below its maximum width or speed")
        )
    if state is None:
        return found(PreconditionState.UNKNOWN, tr("the link was not observed under load"))
    return found(PreconditionState.OK, tr("no row has the flag link-downtrained"))


def _settings(device: int, state: GpuState) -> Iterator[Precondition]:
    def found(name: str, state: PreconditionState, seen: str) -> Precondition:
        return Precondition(name, state, seen, ON_CHIP, device)

    limit, usual = state.power_limit, state.power_default
    if limit is not None and usual is not None:
        lowered = limit < usual
        seen = tr("{limit} W of {usual} W", limit=f"{limit:.0f}", usual=f"{usual:.0f}")
        yield found(
            tr("power limit"), PreconditionState.OTHER if lowered else PreconditionState.OK, seen
        )
    set_to, most = state.sm_mhz_set, state.sm_mhz_max
    if set_to is not None and most is not None and set_to < most:
        seen = tr("set to {set} MHz; maximum: {most} MHz", set=set_to, most=most)
        yield found(tr("clock"), PreconditionState.OTHER, seen)
    if state.mig:
        yield found(
            tr("MIG"), PreconditionState.OTHER, tr("on, so only a MIG instance was measured")
        )
    if state.ecc_errors:
        seen = tr_n(
            "{count} uncorrected error since the driver was loaded",
            "{count} uncorrected errors since the driver was loaded",
            state.ecc_errors,
        )
        yield found(tr("ECC"), PreconditionState.BAD, seen)
    elif state.ecc is not None:
        yield found(tr("ECC"), PreconditionState.OK, tr("on") if state.ecc else tr("off"))


def _throttling(rows: Sequence[Row], device: int, *, known: bool) -> Iterator[Precondition]:
    """Yield the precondition for the clocks of one GPU, from all ``rows`` of the GPU.

    ``known`` is whether NVML reported a state. If NVML reported no state and no row was throttled,
    nothing is yielded.
    """
    words = {
        word.strip()
        for row in rows
        for word in row.detail.get("slowdown", "").split(",")
        if word.strip()
    }
    wrong = sorted(word for word in words if any(bad in word for bad in _WRONG))
    fell = sum("throttled" in row.flags for row in rows)
    if wrong:
        yield Precondition(tr("clocks"), PreconditionState.BAD, listed(wrong), GPU_TIERS, device)
    elif fell:
        seen = tr("throttled in {count} of {rows} rows", count=fell, rows=len(rows))
        yield Precondition(tr("clocks"), PreconditionState.OTHER, seen, ON_CHIP, device)
    elif known:
        seen = tr("not throttled")
        yield Precondition(tr("clocks"), PreconditionState.OK, seen, GPU_TIERS, device)


def _of_host(rows: Sequence[Row], machine: Machine | None) -> Iterator[Precondition]:
    def found(state: PreconditionState, seen: str) -> Precondition:
        return Precondition(tr("CPUs"), state, seen, _HOST)

    if machine is None:
        yield found(PreconditionState.UNKNOWN, tr("the number of usable CPUs is unknown"))
        return
    usable, every = machine.cpu.usable, max(len(machine.cpu.cores), machine.cpu.usable)
    seen = tr("{usable} of {every} CPUs are usable", usable=usable, every=every)
    yield found(PreconditionState.OTHER if usable < every else PreconditionState.OK, seen)
    if any("cgroup-limited" in row.flags for row in rows):
        yield found(
            PreconditionState.OTHER, tr("the control group throttled the CPUs to enforce its quota")
        )


def states_by_device(machine: Machine | None, states: Iterable[GpuState]) -> dict[int, GpuState]:
    """Map GPU indices of the snapshot to the last state of the GPU.

    GPUs without a state in ``states`` are left out.
    """
    if machine is None:
        return {}
    places = {gpu.uuid: place for place, gpu in enumerate(machine.gpus.devices)}
    return {places[state.uuid]: state for state in states if state.uuid in places}
