"""Judge a machine's rows against expected values, one result per quantity.

A quantity without an expected value or without a row never passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from membench.analysis.check.device import judge_device
from membench.analysis.check.expectation import Expectation
from membench.analysis.check.lines import TierLine
from membench.analysis.check.quantities import QUANTITIES, MachinePart, Quantity
from membench.core.terms import Status, Tier
from membench.results.plan import Plan
from membench.results.schema import Row, is_whole
from membench.results.staircase import settled

GPU_TIERS = frozenset({Tier.SMEM, Tier.L1, Tier.L2, Tier.HBM, Tier.GPU, Tier.LINK})
"""Tiers that belong to a GPU, including its links."""


def judge_tiers(
    rows: Iterable[Row],
    expected: Sequence[Expectation],
    parts: Iterable[MachinePart],
    run_gpus: Mapping[str, int],
) -> tuple[TierLine, ...]:
    """Judge the quantities of the hardware in ``parts``, and of the hardware in ``rows``.

    ``run_gpus``: see `gpu_of`.
    """
    found = [(gpu_of(row, run_gpus), row) for row in settled(tuple(rows))]
    has = {*parts, *_parts([row for _, row in found])}
    gpus = sorted({number for number, _ in found if number is not None})
    lines = (
        _line(quantity, found, expected, gpus) for quantity in QUANTITIES if quantity.part in has
    )
    return tuple(line for line in lines if line is not None)


def gpu_of(row: Row, run_gpus: Mapping[str, int]) -> int | None:
    """The GPU index of the row; None if its tier is not in `GPU_TIERS`.

    If the case id contains no index, the index is that of the row's run in ``run_gpus``, or else 0.
    """
    if row.tier not in GPU_TIERS:
        return None
    number = row.case.partition("/gpu=")[2].partition("/")[0]
    gpu = _number(number)
    return run_gpus.get(row.run_id, 0) if gpu is None else gpu


def run_gpu(plan: Plan) -> dict[str, int]:
    """Map the id of the run to N if the run had ``--device cuda:N``; otherwise return ``{}``."""
    kind, _, number = plan.device.partition(":")
    gpu = _number(number) if kind == "cuda" else None
    return {} if gpu is None else {plan.run_id: gpu}


def _number(text: str) -> int | None:
    return int(text) if is_whole(text) and len(text) < 5 else None


def _parts(rows: Sequence[Row]) -> set[MachinePart]:
    tried = [row for row in rows if row.status is not Status.SKIPPED]
    has = {
        MachinePart.GPU: any(row.tier in GPU_TIERS for row in tried),
        MachinePart.PEERS: any(row.case.startswith("peer/") for row in tried),
        MachinePart.HOST: any(row.tier is Tier.DDR for row in tried),
        MachinePart.DISK: any(row.tier is Tier.SSD for row in tried),
    }
    return {part for part, found in has.items() if found}


def _line(
    quantity: Quantity,
    rows: Sequence[tuple[int | None, Row]],
    expected: Sequence[Expectation],
    gpus: Sequence[int],
) -> TierLine | None:
    figures = [
        one
        for one in expected
        if (one.tier, one.metric) == (quantity.tier, quantity.metric)
        and one.stat in quantity.stats
        and quantity.has(one.case)
    ]
    stats = {one.stat for one in figures} or {quantity.stats[0]}
    mine: dict[int | None, list[Row]] = {}
    for gpu, row in rows:
        if row.stat in stats and quantity.takes(row):
            mine.setdefault(gpu, []).append(row)
    measured = any(row.status is not Status.SKIPPED for several in mine.values() for row in several)
    if not quantity.main and not (figures and measured):
        return None
    of_gpus = gpus if quantity.part in (MachinePart.GPU, MachinePart.PEERS) else ()
    devices: Sequence[int | None] = of_gpus or (None,)
    judged = (
        replace(judge_device(mine.get(device, ()), figures), device=device) for device in devices
    )
    return TierLine(quantity.name, quantity.tier, quantity.metric, quantity.part, tuple(judged))
