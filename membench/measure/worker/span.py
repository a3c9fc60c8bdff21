"""The measuring order: what is put around the work that is timed on a device, and when.

::

    flush -> synchronize -> block -> probe -> mark -> WORK -> mark -> probe -> release

* The flush comes first, so that nothing of it is left in the queue when the span begins.
* The queue is held by the block while the host is still filling it: no gap between two
  launches is ever the host's.  The block has a deadline of its own; whatever happens here, it
  is released.
* The marks are the events that the time is taken between.  The probes are outside of them:
  they read the SM clock, which says what the device really ran at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.core.backend import DeviceBackend, Edge, Stamps
from membench.core.errors import MembenchError

PROBE_NS = 100_000
"""Least time between two probes that gives a clock: the global timer may step by 1 us."""


@dataclass(frozen=True)
class Span:
    """One timed span: nanoseconds, and the SM's clock in MHz where it is known."""

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
        cold: the L2 cache is flushed before.
        hold: the queue is held until all of the work is in it.

    Raises:
        MembenchError: the hold ran into its deadline, so that the time means nothing.
    """
    try:
        _start(device, cold=cold, hold=hold)
        run(iterations)
        stamps = _stop(device)
    finally:
        device.release()
    if stamps.overdue:
        raise MembenchError(
            "the device's queue was held longer than its deadline: the work waits for itself",
            "please report the case: it must not be queued behind a block",
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
    """MHz between the probes, where they lie far enough apart for it."""
    passed = stamps.after.global_ns - stamps.before.global_ns
    if passed < PROBE_NS:
        return None
    return (stamps.after.cycles - stamps.before.cycles) / passed * 1e3
