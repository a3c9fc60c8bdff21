"""The order of the operations around work that is timed on a device.

::

    flush -> synchronize -> block -> probe -> mark -> WORK -> mark -> probe -> release

* The flush comes first and has ended before the span begins.
* The block holds the queue while the host is filling it, so that the host causes no gap between two
  launches. The block has a deadline, and is released in any case.
* The time is taken between the marks, which are events. The probes before and after the marks read
  an SM's cycle counter, from which the real clock rate follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.core.backend import DeviceBackend, Edge, Stamps
from membench.core.errors import MembenchError

PROBE_NS = 100_000
"""Minimum nanoseconds between two probes for computing a clock rate.

The global timer may advance in steps of 1 us.
"""


@dataclass(frozen=True)
class Span:
    """One timed span: nanoseconds, and the SM clock in MHz if known."""

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
        hold: whether to hold the queue until all work is queued.

    Raises:
        MembenchError: the hold reached its deadline, so the time is invalid.
    """
    try:
        _start(device, cold=cold, hold=hold)
        run(iterations)
        stamps = _stop(device)
    finally:
        device.release()
    if stamps.overdue:
        raise MembenchError(
            "the device's queue was held longer than its deadline: the work waits for the queue",
            "please report this: the case must not be run with a held queue",
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
    """Clock rate in MHz between the probes; None if they are too close."""
    passed = stamps.after.global_ns - stamps.before.global_ns
    if passed < PROBE_NS:
        return None
    return (stamps.after.cycles - stamps.before.cycles) / passed * 1e3
