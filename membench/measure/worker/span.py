"""The measuring order: the operations around work that is timed on a device.

::

    flush -> synchronize -> block -> probe -> mark -> WORK -> mark -> probe -> release

* The flush comes first, so that it has left the queue when the span begins.
* The block holds the queue while the host is filling it, so the host causes no gap between two
    launches. The block has a deadline of its own and is released in any case.
* The time is taken between the marks, which are events. The probes are outside of them and read the
    SM clock, from which the real frequency follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.core.backend import DeviceBackend, Edge, Stamps
from membench.core.errors import MembenchError

PROBE_NS = 100_000
"""Least time between two probes for a clock: the global timer may advance in steps of 1 us."""


@dataclass(frozen=True)
class Span:
    """One timed span: nanoseconds, and the SM's clock in MHz if known."""

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
        cold: flush the L2 cache before.
        hold: hold the queue until all of the work is in it.

    Raises:
        MembenchError: the hold reached its deadline, so the time is void.
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
    """MHz between the probes, if they are far enough apart."""
    passed = stamps.after.global_ns - stamps.before.global_ns
    if passed < PROBE_NS:
        return None
    return (stamps.after.cycles - stamps.before.cycles) / passed * 1e3
