"""Plans the tiers of a KV cache: hit rates, traffic, and number of drives.

With a trace, `simulate` gives the hits. Without a trace, Little's law gives the time for which a
tier keeps a block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.units import significant
from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import drive_writes_per_day
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.replay.amounts import show_amount
from membench.thesis.replay.answer import DAY, TierAsked, block_bytes, tier_specs
from membench.thesis.replay.tier_names import kind_of
from membench.thesis.replay.traces import read_trace
from membench.thesis.tiers.simulator import at_request_rate, simulate

_REACHED = 0.9
"""Share of the requested rate below which a plan notes that the trace does not reach the rate."""


@record(kw_only=True)
class Drive:
    """A type of flash drive.

    Attributes:
        dwpd: rated drive writes per day.
        read_per_s, write_per_s: B/s; None if not measured.
    """

    capacity_bytes: float
    dwpd: float
    read_per_s: float | None = None
    write_per_s: float | None = None


@record(kw_only=True)
class TierPlan:
    """The plan for one tier.

    Attributes:
        hit_rate: share of input blocks that hit in the tier; without a trace, of input tokens.
        read_per_s, written_per_s, written_per_day: bytes per second or per day.
        dwpd: drive writes per day; None if the tier is not flash.
        drives: number of drives; None if the tier is not flash.
        decided_by: limit that decides ``drives`` (see `drives_needed`); empty without drives.
    """

    name: str
    capacity_bytes: float
    hit_rate: float
    read_per_s: float
    written_per_s: float
    written_per_day: float
    dwpd: float | None
    drives: int | None
    decided_by: str


@record(kw_only=True)
class TierWork:
    """The plan for all tiers.

    Attributes:
        source: name of the trace; ``lengths`` without a trace.
        tokens_per_request: mean number of input tokens.
        tiers: fastest first.
        notes: caveats, one sentence each.
    """

    source: str
    requests_per_s: float
    tokens_per_request: float
    tiers: tuple[TierPlan, ...]
    drive: Drive
    notes: tuple[str, ...]


@record(kw_only=True)
class Lengths:
    """Mean request lengths and reuse, which replace a trace.

    Attributes:
        reuse: share (0 to 1) of the input tokens that an earlier request also had.
        gap_s: mean seconds between two uses of a reused token.
    """

    input_tokens: int
    output_tokens: int
    reuse: float
    gap_s: float


def plan_of_trace(
    source: str,
    model: Model,
    dtype: KvDtype,
    tiers: Sequence[TierAsked],
    drive: Drive,
    requests_per_s: float | None = None,
) -> TierWork:
    """Plan the tiers for a trace.

    Args:
        source: name or path of the trace (`read_trace`).
        requests_per_s: request rate; None for the rate of the trace.

    Raises:
        UsageError: no built-in trace or file has the name ``source``; the tiers or the request rate
            are invalid; the trace has no tokens, or the same time for all requests; or the trace
            has no common clock and ``requests_per_s`` is None.
        TraceError: the trace cannot be read.
    """
    trace = read_trace(source)
    if not tiers:
        raise UsageError("a plan needs tiers", "give the tiers: --tiers ddr=1TB,ssd=16TB")
    notes = []
    if requests_per_s is not None:
        trace = at_request_rate(trace, requests_per_s)
        if not trace.sessions:
            notes.append("the times of the trace are scaled to the given request rate")
    elif trace.sessions or not trace.timed:
        raise UsageError(
            f"{trace.name}: the request rate is unknown, because the requests have no common clock",
            "give a request rate: --requests-per-second R",
        )
    block = block_bytes(trace, model.shape, dtype)
    outcome = simulate(trace, tier_specs(tiers, block), block)
    if not outcome.seconds:
        raise UsageError(
            f"{trace.name}: all requests have the same time",
            "use a trace whose requests have different times",
        )
    found = [
        _tier(
            asked,
            use.hits / outcome.references,
            use.hits * block / outcome.seconds,
            use.written_bytes / outcome.seconds,
            drive,
        )
        for asked, use in zip(tiers, outcome.tiers, strict=True)
    ]
    rate = trace.requests / outcome.seconds
    if requests_per_s is not None and rate < _REACHED * requests_per_s:
        notes.append(
            f"sessions start often enough for {requests_per_s:g} requests/s, but last so long that "
            f"the mean rate over the trace is only {significant(rate, 3)} requests/s"
        )
    notes.append("if the trace is only a sample of all requests, real caches need more capacity")
    return TierWork(
        source=trace.name,
        requests_per_s=rate,
        tokens_per_request=float(trace.prompt.mean()),
        tiers=tuple(found),
        drive=drive,
        notes=tuple(notes),
    )


def plan_of_lengths(
    lengths: Lengths,
    requests_per_s: float,
    model: Model,
    dtype: KvDtype,
    tiers: Sequence[TierAsked],
    drive: Drive,
) -> TierWork:
    """Plan the tiers from mean request lengths, by Little's law.

    The time between two uses is assumed to have an exponential distribution. A tier keeps a block
    for ``capacity / rate`` seconds, but at most for the TTL. ``rate`` is the B/s written plus the
    B/s read again.

    Raises:
        UsageError: ``tiers`` is empty; a tier is too small for one token, or has an unknown name;
            or the model cannot have the KV type ``dtype``.
    """
    if not tiers:
        raise UsageError("a plan needs tiers", "give the tiers: --tiers ddr=1TB,ssd=16TB")
    tokens = lengths.input_tokens + lengths.output_tokens
    per_token = mean_bytes_per_token(model.shape, max(tokens, 1), dtype)
    new = lengths.input_tokens * (1 - lengths.reuse) + lengths.output_tokens
    written = requests_per_s * new * per_token
    again = requests_per_s * lengths.input_tokens * lengths.reuse * per_token
    for asked in tiers:
        if asked.capacity_bytes < per_token:
            raise UsageError(
                f"tier {asked.name}: {show_amount(asked.capacity_bytes)} is less than the KV "
                f"cache of one token ({show_amount(per_token)})",
                "use a larger tier in --tiers",
            )
    found = []
    served = 0.0
    for asked in tiers:
        held_s = asked.capacity_bytes / (written + again) if written + again else math.inf
        reach = 1 - math.exp(-min(held_s, asked.ttl) / lengths.gap_s)
        share = max(0.0, reach - served)
        served = max(served, reach)
        found.append(_tier(asked, lengths.reuse * share, again * share, written, drive))
    needed = (written + again) * lengths.gap_s
    return TierWork(
        source="lengths",
        requests_per_s=requests_per_s,
        tokens_per_request=float(lengths.input_tokens),
        tiers=tuple(found),
        drive=drive,
        notes=(
            (
                f"a cache that keeps blocks for {lengths.gap_s:g} s needs {show_amount(needed)} "
                "(Little's law)"
            ),
        ),
    )


def _tier(asked: TierAsked, hit_rate: float, read: float, written: float, drive: Drive) -> TierPlan:
    drives: int | None = None
    why = ""
    flash = kind_of(asked.name) == "ssd"
    if flash:
        drives, why = drives_needed(asked.capacity_bytes, read, written, drive)
    return TierPlan(
        name=asked.name,
        capacity_bytes=asked.capacity_bytes,
        hit_rate=hit_rate,
        read_per_s=read,
        written_per_s=written,
        written_per_day=written * DAY,
        dwpd=drive_writes_per_day(written, asked.capacity_bytes) if flash else None,
        drives=drives,
        decided_by=why,
    )


def drives_needed(
    capacity_bytes: float, read_per_s: float, written_per_s: float, drive: Drive
) -> tuple[int, str]:
    """(number of drives, at least 1; the limit that decides the number).

    The limit is ``capacity``, ``endurance``, ``read rate`` or ``write rate``.
    """
    wants = {
        "capacity": capacity_bytes / drive.capacity_bytes,
        "endurance": written_per_s * DAY / (drive.capacity_bytes * drive.dwpd),
    }
    if drive.read_per_s:
        wants["read rate"] = read_per_s / drive.read_per_s
    if drive.write_per_s:
        wants["write rate"] = written_per_s / drive.write_per_s
    why = max(wants, key=lambda name: wants[name])
    return max(1, math.ceil(wants[why] - 1e-9)), why
