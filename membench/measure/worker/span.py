"""The order of the operations around work that is timed on a device.

::

    flush -> synchronize -> block -> probe -> mark -> WORK -> mark -> probe -> release

- The block stops the queue until the host has filled the queue. So the host causes no gap between
  launches. The release, or a deadline, ends the block.
- The marks are events, and the time is taken between them. The probes read an SM's cycle counter,
  which gives the real clock rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.core.backend import DeviceBackend, Edge, Stamps
from membench.core.errors import MembenchError

PROBE_NS = 100_000
"""Minimum nanoseconds between two probes from which a clock rate is computed.

The global timer may advance in steps of 1 us.
"""


@dataclass(frozen=True)
class Span:
    """One timed span: nanoseconds, and the SM clock in MHz (None if unknown)."""

    elapsed_ns: float
    sm_mhz: float | None = None


def time_span(
    device: DeviceBackend,
    run: Callable[[int], None],
    iterations: int,
    *,
    cold: bool = False,
    hold: bool = True,
) -> Span:
    """Queue ``iterations`` of ``run`` on ``device`` and time them.

    Args:
        cold: whether to flush the L2 cache first.
        hold: whether the device starts only after all work is queued.

    Raises:
        MembenchError: the device started at a deadline, before all work was queued, so the time is
            invalid.
    """
    try:
        _start(device, cold=cold, hold=hold)
        run(iterations)
        stamps = _stop(device)
    finally:
        device.release()
    if stamps.overdue:
        raise MembenchError(
            "the case waited for the GPU too early: membench starts the GPU only when all launches "
            "of the case are queued",
            "run with --no-hold, and report this case to the developers",
        )
    return Span(stamps.elapsed_ns, _clock(stamps))


def _start(device: DeviceBackend, *, cold: bool, hold: bool) -> None:
    if cold:
        device.flush()
    device.synchronize()
    if hold:
        device.block()
    device.probe(Edge.BEFORE)
    device.mark(Edge.BEFORE)


def _stop(device: DeviceBackend) -> Stamps:
    device.mark(Edge.AFTER)
    device.probe(Edge.AFTER)
    device.release()
    device.synchronize()
    return device.stamps()


def _clock(stamps: Stamps) -> float | None:
    """SM clock rate in MHz between the probes; None if too little time passed between them."""
    passed = stamps.after.global_ns - stamps.before.global_ns
    if passed < PROBE_NS:
        return None
    return (stamps.after.cycles - stamps.before.cycles) / passed * 1e3
