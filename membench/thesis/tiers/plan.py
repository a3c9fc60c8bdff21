"""Plans KV-cache tiers: size, traffic, number of drives and their endurance.

With a trace, the tiers are simulated (`simulator`) at the request rate that the user gives, or at
that of the trace. With lengths only (no trace), the resident bytes follow from Little's law:
arrival rate times idle time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.core.errors import UsageError
from membench.core.record import record
from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import drive_writes_per_day
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.replay.amounts import show_amount
from membench.thesis.replay.answer import DAY, TierAsked, block_bytes, tier_specs
from membench.thesis.replay.tier_names import kind_of
from membench.thesis.replay.traces import read_trace
from membench.thesis.tiers.simulator import at_request_rate, simulate


@record(kw_only=True)
class Drive:
    """A drive: its bytes, its rated drive writes per day, and its B/s if measured."""

    capacity_bytes: float
    dwpd: float
    read_per_s: float | None = None
    write_per_s: float | None = None


@record(kw_only=True)
class TierPlan:
    """The plan for one tier.

    Attributes:
        hit_rate: share of the input's blocks (with lengths only: of its tokens) that the tier
            serves.
        read_per_s, written_per_s: bytes per second.
        written_per_day: bytes written per day.
        dwpd: the same divided by the capacity; None for a tier that is not flash.
        drives: number of drives of the given type; None for a tier that is not flash.
        decided_by: which limit decides the number of drives: capacity, read rate, write rate or
            endurance; empty without drives.
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
    """The load on all tiers.

    Attributes:
        source: the trace, or `lengths`.
        requests_per_s: requests per second for which the plan is made.
        tokens_per_request: mean number of input tokens.
        tiers: fastest first.
        drive: the type of drive that ``drives`` counts.
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
    """Request lengths and reuse, as given instead of a trace.

    Attributes:
        reuse: share of the input that is read again.
        gap_s: mean seconds until that share is read again.
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
    """The plan for a trace, at the trace's request rate or at ``requests_per_s``.

    Raises:
        UsageError: no tier is given, or the sessions of the trace have no common clock and no rate
            is given.
        TraceError: the trace cannot be read.
    """
    trace = read_trace(source)
    if not tiers:
        raise UsageError("a plan needs tiers", "name them: --tiers ddr=1TB,ssd=16TB")
    notes = []
    if requests_per_s is not None:
        trace = at_request_rate(trace, requests_per_s)
        if not trace.sessions:
            notes.append("times of the trace are scaled to the rate; reuse distances are its own")
    elif trace.sessions or not trace.timed:
        raise UsageError(
            f"{trace.name}: its requests have no common clock",
            "give their rate: --requests-per-second R",
        )
    block = block_bytes(trace, model.shape, dtype)
    outcome = simulate(trace, tier_specs(tiers, block), block)
    if not outcome.seconds:
        raise UsageError(
            f"{trace.name}: all its requests have the same time", "draw arrivals with a rate"
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
    notes.append("each tier sees every request; a trace that is a sample understates capacity")
    return TierWork(
        source=trace.name,
        requests_per_s=trace.requests / outcome.seconds,
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
    """The plan for requests with known lengths only, by Little's law.

    A tier keeps written blocks for ``capacity / rate`` seconds; blocks that are idle for a shorter
    time hit. Gaps are assumed exponential with mean ``gap_s``.

    Raises:
        UsageError: no tier is given.
    """
    if not tiers:
        raise UsageError("a plan needs tiers", "name them: --tiers ddr=1TB,ssd=16TB")
    tokens = lengths.input_tokens + lengths.output_tokens
    per_token = mean_bytes_per_token(model.shape, max(tokens, 1), dtype)
    new = lengths.input_tokens * (1 - lengths.reuse) + lengths.output_tokens
    written = requests_per_s * new * per_token
    again = requests_per_s * lengths.input_tokens * lengths.reuse * per_token
    for asked in tiers:
        if asked.capacity_bytes < per_token:
            raise UsageError(
                f"{asked.name}: {show_amount(asked.capacity_bytes)} is less than one token "
                f"({show_amount(per_token)})",
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
                f"cache that is idle {lengths.gap_s:g} s on average needs {show_amount(needed)} "
                "(Little's law); exponential gaps assumed"
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
    """Number of drives, and the limit that decides it: capacity, endurance, or a measured rate."""
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
