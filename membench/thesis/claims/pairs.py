"""Compares two machines to find the effect of memory bandwidth at equal compute.

An example is an H100 and an H200: equal FLOP rates, but 3.35 TB/s and 4.8 TB/s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from membench.core.globs import matches
from membench.core.messages import clauses, tr
from membench.core.record import record
from membench.core.terms import Better, Metric, Stat
from membench.results.schema import Row
from membench.thesis.claims.evidence import EvidenceRows, find, origin, trusted
from membench.thesis.claims.ledger import Input

LEAST_RATIO = 1.1
"""Minimum ratio of the two bandwidths. Below it, the effect of bandwidth is too small."""
MOST_RATIO = 1.1
"""Maximum ratio of the two FLOP rates. Above it, the machines differ in compute."""


@record
class MachinePair:
    """This machine and another machine with a different HBM bandwidth. This machine is first.

    Attributes:
        bandwidth: HBM read bandwidth of both machines.
        rates: case, metric and statistic -> the rows of both machines.
        compared: whether the FLOP rates of both machines are known. If known, their ratio is at
            most `MOST_RATIO`.
    """

    bandwidth: tuple[EvidenceRows, EvidenceRows]
    rates: Mapping[str, tuple[EvidenceRows, EvidenceRows]]
    compared: bool


@record
class NoPair:
    """The reason why no other machine can be compared with this machine."""

    reason: str


def find_pair(
    own: Sequence[Row],
    others: Sequence[Sequence[Row]],
    inputs: Mapping[str, Input],
    flops: tuple[float | None, Sequence[float | None]],
) -> MachinePair | NoPair:
    """Pair this machine with the comparable machine whose HBM bandwidth differs most.

    Args:
        own: rows of this machine.
        others: rows of each other machine.
        inputs: the inputs of the ledger.
        flops: (FLOP/s of this machine, FLOP/s of each other machine), each None if unknown. If both
            machines of a pair measured their FLOP/s, the measured values are used instead.
    """
    here = find(inputs["hbm-read"], own)
    if not here.rows:
        return NoPair(here.missing)
    found: list[tuple[float, MachinePair]] = []
    reasons: list[str] = []
    for rows, assumed in zip(others, flops[1], strict=True):
        there = find(inputs["hbm-read"], rows)
        rates = _rates(inputs["pair-rate"], own, rows)
        if not there.rows or not rates:
            continue
        ratio = _middle(there) / _middle(here)
        if max(ratio, 1 / ratio) < LEAST_RATIO:
            reasons.append(
                tr(
                    "HBM of {other} is about as fast as HBM of {machine}",
                    other=rows[0].machine,
                    machine=own[0].machine,
                )
            )
            continue
        compute = _flops_ratio(inputs["gemm"], own, rows, (flops[0], assumed))
        if compute is not None and max(compute, 1 / compute) > MOST_RATIO:
            reasons.append(
                tr(
                    "{other} computes {factor} times as fast as {machine}, "
                    "so bandwidth is not the only difference",
                    other=rows[0].machine,
                    factor=f"{compute:.2f}",
                    machine=own[0].machine,
                )
            )
            continue
        found.append((abs(math.log(ratio)), MachinePair((here, there), rates, compute is not None)))
    if found:
        return max(found, key=lambda item: item[0])[1]
    return NoPair(
        clauses(reasons)
        or tr(
            "a verdict needs results of decode/* and hbm/read from a second machine with equal "
            "compute"
        )
    )


def _rates(
    need: Input, own: Sequence[Row], other: Sequence[Row]
) -> dict[str, tuple[EvidenceRows, EvidenceRows]]:
    """The decode results that both machines have: case, metric and statistic -> both rows.

    If both machines measured several versions of a case, only the latest of these versions counts.
    """

    def by_case(rows: Sequence[Row]) -> dict[tuple[str, int, Metric, Stat], list[Row]]:
        found: dict[tuple[str, int, Metric, Stat], list[Row]] = {}
        asked = [row for row in rows if any(matches(row.case, glob) for glob in need.select)]
        for row in trusted(asked):
            key = (row.case, row.case_version, row.metric, row.stat)
            found.setdefault(key, []).append(row)
        return {
            key: [row for row in several if origin(row) == min(map(origin, several))]
            for key, several in found.items()
        }

    here, there = by_case(own), by_case(other)
    return {
        f"{key[0]} ({key[2]} {key[3]})": (
            EvidenceRows(tuple(here[key])),
            EvidenceRows(tuple(there[key])),
        )
        for key in sorted(here.keys() & there.keys())  # a later version replaces an earlier one
        if here[key][0].unit != "pJ/B"
    }


def inverted(found: EvidenceRows) -> bool:
    """Whether the rows measure a latency instead of a rate."""
    return found.rows[0].better is Better.LOWER


def _flops_ratio(
    need: Input,
    own: Sequence[Row],
    other: Sequence[Row],
    assumed: tuple[float | None, float | None],
) -> float | None:
    here, there = find(need, own), find(need, other)
    if here.rows and there.rows:
        return _middle(there) / _middle(here)
    if assumed[0] and assumed[1]:
        return assumed[1] / assumed[0]
    return None


def _middle(found: EvidenceRows) -> float:
    ordered = sorted(found.rounds)
    return ordered[len(ordered) // 2]
